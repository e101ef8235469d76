"""The gate, with a real engine on a small lake."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import TABLE, TableEntry
from millpond.core.errors import AccessError, EngineError, MillpondError
from millpond.core.names import TableName
from millpond.core.schema import Column
from millpond.engines.duckdb import DuckDBSession
from millpond.governance.audit import Audit, AuditRecord
from millpond.governance.decision import Decision
from millpond.governance.gate import Gate
from millpond.governance.policy import OwnerPolicy

TRIPS = TableName("silver", "trips")
RIDERS = TableName("silver", "riders")
START = datetime(2026, 1, 1, tzinfo=UTC)


class StillClock:
    def now(self) -> datetime:
        """The moment at which it stands."""
        return START


@dataclass
class SmallCatalog:
    """Three commits: nothing, trips, riders."""

    tokens: dict[str, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def head(self) -> int:
        """The newest commit."""
        return 2

    def number_at(self, when: datetime) -> int:
        """The commit at a time."""
        return 1 if when > START else 0

    def tables(self, at: int | None = None, kind: str = TABLE) -> tuple[TableEntry, ...]:
        """The tables at a commit; there are no views."""
        names = (TRIPS, RIDERS)[: self.head() if at is None else at] if kind == TABLE else ()
        return tuple(TableEntry(name, "u", "/lake", "/lake/m.json", 1, 1) for name in names)

    def find(self, name: TableName, at: int | None = None) -> TableEntry | None:
        """A table at a commit."""
        return next((entry for entry in self.tables(at) if entry.name == name), None)

    def read_token(self, at: int | None = None) -> str:
        """A token pinned to a commit."""
        token = f"token-{next(self.numbers)}"
        self.tokens[token] = at if at is not None else self.head()
        return token

    def release(self, token: str) -> None:
        """Forget a token."""
        del self.tokens[token]


@dataclass
class SmallEngine:
    """DuckDB with an attached database as the lake."""

    catalog: SmallCatalog
    seen: list[int] = field(default_factory=list)

    @contextmanager
    def session(self, endpoint: str | None = None, token: str | None = None) -> Iterator[DuckDBSession]:
        """A session on a fresh lake."""
        self.seen.append(self.catalog.tokens[token or ""])
        with duckdb.connect() as con:
            con.execute("SET errors_as_json = true")
            con.execute("ATTACH ':memory:' AS lake")
            con.execute("CREATE SCHEMA lake.bronze")
            con.execute("CREATE SCHEMA lake.silver")
            con.execute(
                "CREATE TABLE lake.silver.trips AS SELECT i AS bike, 'secret ' || i AS rider, i::VARCHAR AS text "
                "FROM range(300000) AS r(i)"
            )
            con.execute("CREATE TABLE lake.silver.riders AS SELECT 'ada' AS name")
            con.execute("USE lake.bronze")
            yield DuckDBSession(con)

    def prepare(self) -> None:
        """Nothing takes long."""

    def close(self) -> None:
        """Nothing is kept."""


@dataclass
class House:
    gate: Gate
    audit: Audit
    catalog: SmallCatalog
    engine: SmallEngine

    def ask(self, sql: str, **options: Any) -> list[dict[str, object]]:
        """The rows of a query."""
        with self.gate.query(sql, "ada", **options) as answer:
            return cast("list[dict[str, object]]", answer.reader.read_all().to_pylist())

    @property
    def last(self) -> AuditRecord:
        """The newest record."""
        return self.audit.recent(1)[0]


class Denying(OwnerPolicy):
    def decide(self, principal: str, table: TableName, commit: int) -> Decision:
        """One decision for each table."""
        return Decision(table) if table == RIDERS else super().decide(principal, table, commit)


class Hiding(OwnerPolicy):
    def decide(self, principal: str, table: TableName, commit: int) -> Decision:
        """One decision for each table."""
        return replace(super().decide(principal, table, commit), row_filter="name = $1", parameters=(principal,))


def build(folder: Path, policy: OwnerPolicy) -> House:
    catalog = SmallCatalog()
    engine = SmallEngine(catalog)
    audit = Audit(folder / "audit.db")
    gate = Gate(cast("Catalog", catalog), engine, "http://127.0.0.1:1/iceberg", policy, audit, StillClock())
    return House(gate, audit, catalog, engine)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = build(tmp_path, OwnerPolicy())
    yield made
    made.audit.close()


def test_a_query_is_answered_with_schema_commit_and_tables(house: House) -> None:
    """The engine's type names, the newest commit, the tables that were read."""
    with house.gate.query("SELECT name, 1 AS one FROM silver.riders", "ada") as answer:
        assert answer.schema.columns == (Column("name", "VARCHAR"), Column("one", "INTEGER"))
        assert (answer.commit, answer.tables) == (2, (RIDERS,))
        assert answer.reader.read_all().to_pylist() == [{"name": "ada", "one": 1}]


def test_columns_can_be_named_by_the_full_name_of_their_table(house: House) -> None:
    """`layer.table.column` means what it says."""
    assert house.ask("SELECT silver.riders.name FROM silver.riders") == [{"name": "ada"}]


def test_parameters_are_bound(house: House) -> None:
    """Values travel beside the statement and stay out of the audit."""
    assert house.ask("SELECT rider FROM silver.trips WHERE bike = ?", parameters=(7,)) == [{"rider": "secret 7"}]
    assert house.last.sql.endswith("bike = ?")


def test_one_query_reads_one_commit(house: House) -> None:
    """The number or the newest commit before a time; the token is pinned to it and given back."""
    house.ask("SELECT count(*) AS n FROM silver.trips", at=1)
    house.ask("SELECT count(*) AS n FROM silver.trips", at=datetime(2026, 1, 2, tzinfo=UTC))
    house.ask("SELECT count(*) AS n FROM silver.trips")
    assert house.engine.seen == [1, 1, 2]
    assert house.catalog.tokens == {}
    assert [record.commit for record in reversed(house.audit.recent())] == [1, 1, 2]


@pytest.mark.parametrize("at", [3, -1])
def test_a_commit_that_is_not_there_is_refused(house: House, at: int) -> None:
    """With the newest number in the message."""
    with pytest.raises(AccessError, match="newest is 2") as caught:
        house.ask("SELECT 1 AS one", at=at)
    assert caught.value.code == "MP-8016"


def test_a_table_that_came_later_is_unknown_earlier(house: House) -> None:
    """The names are those of the commit that is read."""
    with pytest.raises(AccessError) as caught:
        house.ask("FROM silver.riders", at=1)
    assert caught.value.code == "MP-8005"


def test_the_read_is_on_record_before_the_first_row(house: House) -> None:
    """Started, then done with rows and seconds."""
    with house.gate.query("FROM silver.trips", "ada", door="notebook") as answer:
        assert house.last.outcome == "started"
        rows = sum(batch.num_rows for batch in answer.reader)
    found = house.last
    assert (found.outcome, found.rows, found.door, found.error) == ("done", rows, "notebook", None)
    assert (found.principal, found.tables, found.policy_hash != "") == ("ada", (TRIPS,), True)
    assert found.seconds is not None


def test_a_reader_who_leaves_early_is_recorded_so(house: House) -> None:
    """With the rows that were handed over."""
    with house.gate.query("FROM silver.trips", "ada") as answer:
        handed = answer.reader.read_next_batch().num_rows
    assert (house.last.outcome, house.last.rows) == ("stopped", handed)
    assert handed < 300_000


def test_what_the_reader_does_wrong_is_not_the_querys_failure(house: House) -> None:
    """An error of the caller's own passes through, and the token is given back."""
    with pytest.raises(ZeroDivisionError), house.gate.query("FROM silver.trips", "ada"):
        raise ZeroDivisionError
    assert (house.last.outcome, house.last.error, house.catalog.tokens) == ("stopped", None, {})


def test_refused_statements_are_on_record(house: House) -> None:
    """With the code, and no session was opened for them."""
    with pytest.raises(AccessError):
        house.ask("DROP TABLE silver.trips")
    assert (house.last.outcome, house.last.error, house.last.rows) == ("refused", "MP-8002", None)
    assert house.engine.seen == []


def test_a_table_that_the_policy_denies_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Before anything is read; other tables stay readable."""
    house = build(tmp_path, Denying())
    with pytest.raises(AccessError, match="nothing allows it") as caught:
        house.ask("SELECT * FROM silver.trips, silver.riders")
    assert (caught.value.code, str(caught.value.finding.where)) == ("MP-8015", "<query>:1:29")
    assert house.engine.seen == []
    assert house.ask("SELECT count(*) AS n FROM silver.trips") == [{"n": 300_000}]
    house.audit.close()


def test_a_decision_that_hides_a_part_is_never_widened(tmp_path: Path) -> None:
    """What cannot be hidden is not shown at all."""
    house = build(tmp_path, Hiding())
    with pytest.raises(AccessError) as caught:
        house.ask("FROM silver.riders")
    assert (caught.value.code, house.engine.seen) == ("MP-8017", [])
    house.audit.close()


def test_without_an_audit_nothing_is_read(tmp_path: Path) -> None:
    """A read that cannot be recorded is refused before the engine is asked."""
    (tmp_path / "audit.db").write_text("no database at all, and long enough to be looked into" * 40)
    house = build(tmp_path, OwnerPolicy())
    with pytest.raises(AccessError) as caught:
        house.ask("FROM silver.riders")
    assert (caught.value.code, house.engine.seen) == ("MP-8014", [])


@pytest.mark.parametrize(
    ("sql", "place", "suggestion"),
    [
        ("SELECT 'é',\n  nme FROM silver.riders", "<query>:2:3", "name"),
        ("SELECT sum(name) AS s FROM silver.riders", "<query>:1:8", None),
        ("SELECT name + bike AS s FROM silver.riders, silver.trips", "<query>:1:13", None),
    ],
)
def test_what_the_engine_refuses_has_its_place_in_the_statement(
    house: House, sql: str, place: str, suggestion: str | None
) -> None:
    """The message is a short one, without the engine's inside."""
    with pytest.raises(EngineError) as caught:
        house.ask(sql)
    found = caught.value.finding
    assert (str(found.where), found.suggestion) == (place, suggestion)
    assert "lake" not in found.message
    assert len(found.message) < 400
    assert (house.last.outcome, house.last.error) == ("failed", found.code)


def test_what_fails_while_rows_are_made_is_on_record(house: House) -> None:
    """The error reaches the reader as ours, the audit has its code and the rows before it."""
    with (
        pytest.raises(MillpondError),
        house.gate.query("SELECT (text || 'x')::INTEGER AS x FROM silver.trips", "ada") as answer,
    ):
        answer.reader.read_all()
    assert (house.last.outcome, house.last.error is not None) == ("failed", True)
    assert "299" not in str(replace(house.last, at=START, policy_hash="", seconds=None, id=""))


def test_a_preview_is_a_query_like_any_other(house: House) -> None:
    """Through all five steps."""
    with house.gate.preview(TRIPS, 5, "ada") as answer:
        assert answer.reader.read_all().num_rows == 5
    assert house.last.tables == (TRIPS,)
