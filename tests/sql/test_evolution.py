"""Which changes of a query are changes of its columns alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.sql.evolution import Evolution, evolution
from millpond.sql.parse import parse

BEFORE = "SELECT id, amount::INTEGER AS amount, upper(city) AS city FROM bronze.o WHERE id > 0"


def became(after: str, before: str = BEFORE, renames: dict[str, str] | None = None, **inputs: str) -> Evolution | None:
    """What became of the query."""
    return evolution(before, parse(after, Path("m.sql")), renames or {}, inputs)


@pytest.mark.parametrize(
    ("after", "renames", "found"),
    [
        (BEFORE, {}, Evolution()),
        (BEFORE.replace("SELECT", "select  -- said\n"), {}, Evolution()),
        (BEFORE.replace("INTEGER", "BIGINT"), {}, Evolution(retyped=("amount",))),
        (BEFORE.replace("AS city", "AS town"), {"town": "city"}, Evolution(renamed=(("city", "town"),))),
        (BEFORE.replace("id, ", "id, day, "), {}, Evolution(added=("day",))),
        (
            BEFORE.replace("INTEGER AS amount", "BIGINT AS total, 1 AS one"),
            {"total": "amount"},
            Evolution((("amount", "total"),), ("one",), ("total",)),
        ),
        (BEFORE.replace("AS city", "AS city, city AS town"), {"town": "city"}, Evolution(added=("town",))),
    ],
)
def test_names_types_and_new_columns_are_told(after: str, renames: dict[str, str], found: Evolution) -> None:
    """Where everything else is as it was."""
    assert became(after, renames=renames) == found


@pytest.mark.parametrize(
    "after",
    [
        BEFORE.replace("id > 0", "id > 1"),
        BEFORE.replace("upper", "lower"),
        BEFORE.replace("amount::INTEGER", "TRY_CAST(amount AS INTEGER)"),
        BEFORE.replace("amount::INTEGER", "(amount + 1)::INTEGER"),
        BEFORE.replace(", upper(city) AS city", ""),
        BEFORE.replace("AS city", "AS town"),
        "SELECT amount::INTEGER AS amount, id, upper(city) AS city FROM bronze.o WHERE id > 0",
        f"{BEFORE} UNION ALL {BEFORE}",
        f"SELECT * FROM ({BEFORE}) AS q",
        BEFORE.replace("bronze.o", "bronze.p"),
    ],
)
def test_whatever_may_change_rows_is_not_proved(after: str) -> None:
    """Another expression, filter, input, order or shape, and a column that is gone."""
    assert became(after) is None


def test_columns_that_an_input_renamed_are_known() -> None:
    """An unchanged query that speaks of the new name is unchanged; where both names are spoken it is not."""
    before = "SELECT day, sum(amount) AS revenue FROM silver.o GROUP BY day"
    assert became(before.replace("amount", "total"), before, total="amount") == Evolution()
    both = "SELECT day, sum(amount) AS revenue, max(total) AS most FROM silver.o GROUP BY day"
    assert (
        became("SELECT day, sum(total) AS revenue, max(total) AS most FROM silver.o GROUP BY day", both, total="amount")
        is None
    )


def test_a_column_that_an_input_renamed_may_keep_its_name() -> None:
    """By an alias, or it is renamed here too."""
    before = "SELECT o.amount, day FROM silver.o AS o WHERE amount > 1"
    kept = "SELECT o.total AS amount, day FROM silver.o AS o WHERE total > 1"
    assert became(kept, before, total="amount") == Evolution()
    moved = kept.replace(" AS amount", "")
    assert became(moved, before, {"total": "amount"}, total="amount") == Evolution((("amount", "total"),))
    assert became(kept.replace("o.total AS amount", "day AS amount"), before, total="amount") is None


def test_stars_and_set_operations_are_compared_as_they_are() -> None:
    """A star stays a star; of a UNION nothing is proved but that it is the same."""
    assert became("SELECT *, 1 AS one FROM bronze.o", "SELECT * FROM bronze.o") == Evolution(added=("one",))
    union = "SELECT 1 AS a UNION ALL SELECT 2 AS a"
    assert became(union, union) == Evolution()
    assert became(union.replace("2", "3"), union) is None


def test_a_definition_that_cannot_be_read_proves_nothing() -> None:
    """Such as one of another version."""
    assert became(BEFORE, "SELECT FROM WHERE") is None
