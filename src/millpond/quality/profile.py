"""A profile: what the columns of a table hold at one commit, computed through the gate when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from millpond.core.encoding import decoded, encoded
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.schema import Schema
from millpond.project.model import Model
from millpond.sql.profile import PORTIONS, Described, common_values, distinct_values, measures

if TYPE_CHECKING:
    from millpond.governance.gate import Gate

EXACT_CELLS = 5_000_000
"""Rows times columns of numbers; up to this, quantiles are exact."""

COUNTED_VALUES = 10_000
"""Columns with (about) more distinct values are not grouped by: their count stays an estimate, without top values."""

_TOP = 20
_AT_ONCE = 50
_LONGEST = 100


@frozen
class ColumnProfile:
    """What is known of one column. `exact` says that `distinct` was counted and not estimated.

    `quantiles` are pairs of portion and value, `top` of value (as text) and count. `hidden` says that values are left
    out, because the column holds what belongs to a person.
    """

    name: str
    type: str
    nulls: int
    distinct: int | None = None
    exact: bool = False
    least: Any = None
    most: Any = None
    mean: Any = None
    stddev: Any = None
    quantiles: tuple[tuple[Any, Any], ...] = ()
    shortest: int | None = None
    longest: int | None = None
    top: tuple[tuple[str, int], ...] = ()
    hidden: bool = False


@frozen
class Profile:
    """The rows of a table as of the commit that made them."""

    table: TableName
    commit: int
    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile:
        """The profile of a column that is there."""
        return next(column for column in self.columns if column.name == name)

    def as_json(self) -> dict[str, Any]:
        """The profile with plain values."""
        columns = [vars(column) for column in self.columns]
        return {"table": str(self.table), "commit": self.commit, "rows": self.rows, "columns": columns}

    @classmethod
    def of(cls, text: str) -> Profile:
        """A profile from its JSON."""
        said = decoded(text)
        columns = tuple(
            ColumnProfile(
                **{
                    **column,
                    "quantiles": tuple(map(tuple, column["quantiles"])),
                    "top": tuple((value, count) for value, count in column["top"]),
                }
            )
            for column in said["columns"]
        )
        return cls(TableName.parse(said["table"]), said["commit"], said["rows"], columns)


def compute(
    gate: Gate, principal: str, table: TableName, model: Model | None, schema: Schema, commit: int, rows: int
) -> Profile:
    """The profile of a table as of a commit; about `rows` of them are expected. Raises as `Gate.query` does."""
    private = {name.lower() for name, notes in model.columns.items() if notes.pii} if model is not None else set()
    described = [Described(place, column) for place, column in enumerate(schema)]
    numbers = sum(one.number for one in described)
    columns: list[ColumnProfile] = []
    counted = rows
    for first in range(0, len(described), _AT_ONCE):
        some = described[first : first + _AT_ONCE]
        asked = measures(table, some, exact=rows * numbers <= EXACT_CELLS)
        (found,) = _ask(gate, principal, asked, commit)
        counted = found["rows"]
        few = [one for one in some if one.plain and found[f"distinct_{one.place}"] <= COUNTED_VALUES]
        common = _ask(gate, principal, common_values(table, few, _TOP), commit) if few else []
        columns += [_column(one, found, common, one in few, one.column.name.lower() in private) for one in some]
    made = Profile(table, commit, counted, tuple(columns))
    # What is kept is what is shown, now and later: values as JSON has them.
    return Profile.of(encoded(made.as_json()))


def distinct(
    gate: Gate, principal: str, table: TableName, schema: Schema, names: Sequence[str], commit: int
) -> dict[str, int]:
    """How many distinct values columns have, exact."""
    wanted = [Described(place, column) for place, column in enumerate(schema.of(names))]
    if not wanted:
        return {}
    (row,) = _ask(gate, principal, distinct_values(table, wanted), commit)
    return {one.column.name: row[f"distinct_{one.place}"] for one in wanted}


def _ask(gate: Gate, principal: str, asked: str, commit: int) -> list[dict[str, Any]]:
    with gate.query(asked, principal, at=commit, door="quality") as answer:
        return [row for batch in answer.reader for row in batch.to_pylist()]


def _column(
    one: Described, found: dict[str, Any], common: Sequence[dict[str, Any]], counted: bool, hidden: bool
) -> ColumnProfile:
    def said(word: str) -> Any:
        return found.get(f"{word}_{one.place}")

    mine = [row for row in common if row["place"] == one.place]
    groups = mine[0]["groups"] if mine else 0
    values: dict[str, Any] = {}
    if not hidden:
        quantiles = said("quantiles") or ()
        values = {
            "least": _short(said("least")),
            "most": _short(said("most")),
            "mean": said("mean"),
            "stddev": said("stddev"),
            "quantiles": tuple(zip(PORTIONS, quantiles, strict=False)),
            "top": tuple((_short(row["value"]), row["records"]) for row in mine),
        }
    return ColumnProfile(
        name=one.column.name,
        type=one.column.type,
        nulls=found["rows"] - said("known"),
        # An estimate may be higher than what is possible.
        distinct=groups if counted else said("distinct") and min(said("distinct"), said("known")),
        exact=counted,
        shortest=said("shortest"),
        longest=said("longest"),
        hidden=hidden,
        **values,
    )


def _short(value: Any) -> Any:
    return f"{value[: _LONGEST - 1]}…" if isinstance(value, str) and len(value) > _LONGEST else value
