"""The difference of a table between two moments, against a full comparison in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.catalog.gateway.server import Gateway
from millpond.core.errors import AccessError, CatalogError, EngineError, Location
from millpond.core.names import TableName
from millpond.governance.audit import Audit
from millpond.testing import TemporaryLake, temporary_lake
from tests.catalog.clients import stock_duckdb

PROJECT = {"millpond.yaml": "version: 1\nname: things\n"}

Row = tuple[Any, ...]


class Written:
    """A lake with one table that stock DuckDB writes, and what the table held at each commit."""

    def __init__(self, lake: TemporaryLake) -> None:
        self.lake = lake
        self.catalog = lake.lakehouse.catalog
        self.door = Gateway(lake.lakehouse.catalog, open_access=True)
        self.duck = stock_duckdb(self.door.start())
        self.duck.execute("CREATE SCHEMA lake.silver")
        self.held: dict[int, Counter[Row]] = {}

    def do(self, sql: str) -> None:
        """Run a statement and note what the table holds after it."""
        self.duck.execute(sql)
        self.note()

    def note(self) -> None:
        """Remember the rows as of the newest commit, as the gate gives them."""
        rows = self.lake.rows("SELECT k, v FROM silver.t")
        self.held[self.catalog.head()] = Counter((row["k"], row["v"]) for row in rows)

    def diff(self, at: int, to: int, key: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """What the gate says."""
        return self.lake.lakehouse.tables.difference("silver.t", at, to, key=key).rows()

    def close(self) -> None:
        """End the clients."""
        self.duck.close()
        self.door.stop()


@pytest.fixture
def written() -> Iterator[Written]:
    """A lake without tables."""
    with temporary_lake(PROJECT) as lake:
        made = Written(lake)
        yield made
        made.close()


def check(written: Written, at: int, to: int) -> None:
    """The difference is what remains when equal rows are cancelled, with a key and without."""
    old, new = written.held[at], written.held[to]
    plain = written.diff(at, to)
    assert Counter(_row(row["after"]) for row in plain if row["change"] == "inserted") == new - old
    assert Counter(_row(row["before"]) for row in plain if row["change"] == "deleted") == old - new
    assert {row["change"] for row in plain} <= {"inserted", "deleted"}
    keyed = written.diff(at, to, ("k",))
    changed = [row for row in keyed if row["change"] == "changed"]
    assert all(row["before"]["k"] == row["after"]["k"] for row in changed)
    came = Counter(_row(row["after"]) for row in keyed if row["after"] is not None)
    went = Counter(_row(row["before"]) for row in keyed if row["before"] is not None)
    assert (came, went) == (new - old, old - new)
    alone = {row["after"]["k"] for row in keyed if row["change"] == "inserted"}
    assert not alone & {row["before"]["k"] for row in keyed if row["change"] == "deleted"}


def asked(written: Written, since: int, until: int) -> tuple[Counter[Row], Counter[Row]]:
    """The rows that came and went, as a query of changes() gives them."""
    rows = written.lake.rows(f"SELECT _change, k, v FROM changes('silver.t', since => {since}, until => {until})")
    sides = (Counter[Row](), Counter[Row]())
    for row in rows:
        sides[("inserted", "deleted").index(row["_change"])][_row(row)] += 1
    return sides


def _row(side: dict[str, Any]) -> Row:
    return (side["k"], side["v"])


statements = st.one_of(
    st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"])).map(lambda r: f"INSERT INTO lake.silver.t VALUES {r}"),
    st.just("INSERT INTO lake.silver.t VALUES (NULL, 'n'), (NULL, 'n')"),
    st.integers(0, 3).map(lambda k: f"DELETE FROM lake.silver.t WHERE k = {k}"),
    st.integers(0, 3).map(lambda k: f"UPDATE lake.silver.t SET v = v || '!' WHERE k = {k}"),
    st.just("UPDATE lake.silver.t SET v = v"),
    st.just("ALTER TABLE lake.silver.t SET ('note' = 'x')"),
)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.lists(statements, min_size=1, max_size=6))
def test_a_difference_is_a_full_comparison(work: list[str]) -> None:
    """Inserts, deletes, updates, rewrites of equal rows and metadata-only commits; each pair of commits, both ways."""
    with temporary_lake(PROJECT) as lake:
        written = Written(lake)
        try:
            written.do("CREATE TABLE lake.silver.t AS SELECT 1::BIGINT AS k, 'a' AS v")
            for statement in work:
                written.do(statement)
            numbers = sorted(written.held)
            for at, to in {
                (numbers[0], numbers[-1]),
                (numbers[-1], numbers[0]),
                (numbers[len(numbers) // 2], numbers[-1]),
            }:
                check(written, at, to)
                since, until = sorted((at, to))
                old, new = written.held[since], written.held[until]
                assert asked(written, since, until) == (new - old, old - new)
        finally:
            written.close()


def test_rewritten_rows_and_metadata_are_no_difference(written: Written) -> None:
    """A commit that rewrites rows as they were, renames a column or adds one changes no row."""
    written.do("CREATE TABLE lake.silver.t AS SELECT i AS k, 'v' AS v FROM range(5) AS r(i)")
    first = written.catalog.head()
    written.do("UPDATE lake.silver.t SET v = v")
    written.duck.execute("ALTER TABLE lake.silver.t ADD COLUMN more INTEGER")
    written.duck.execute("ALTER TABLE lake.silver.t RENAME COLUMN v TO w")
    assert written.diff(first, written.catalog.head()) == []


def test_a_table_made_anew_is_compared_by_names(written: Written) -> None:
    """Another table of the same name has other files and column ids; its equal rows still cancel."""
    written.do("CREATE TABLE lake.silver.t AS SELECT i::INTEGER AS k, 'v' AS v FROM range(3) AS r(i)")
    first = written.catalog.head()
    written.duck.execute("DROP TABLE lake.silver.t")
    gone = written.catalog.head()
    written.duck.execute("CREATE TABLE lake.silver.t AS SELECT 'v' AS v, i::BIGINT AS k FROM range(4) AS r(i)")
    assert written.diff(first, written.catalog.head()) == [
        {"change": "inserted", "before": None, "after": {"v": "v", "k": "3"}}
    ]
    assert [row["change"] for row in written.diff(first, gone)] == ["deleted"] * 3
    assert [row["change"] for row in written.diff(gone, first)] == ["inserted"] * 3
    with pytest.raises(CatalogError) as refused:
        written.diff(gone, gone)
    assert refused.value.code == "MP-3001"


def test_a_type_that_grew_is_read_both_ways(written: Written) -> None:
    """Going from the wider column back to the narrower one, the old values are shown whole."""
    written.do("CREATE TABLE lake.silver.t AS SELECT 1::INTEGER AS k, 'v' AS v")
    first = written.catalog.head()
    written.duck.execute("ALTER TABLE lake.silver.t ALTER COLUMN k TYPE BIGINT")
    written.do("INSERT INTO lake.silver.t VALUES (5000000000, 'v')")
    (gone,) = written.diff(written.catalog.head(), first)
    assert (gone["change"], gone["before"]["k"]) == ("deleted", 5_000_000_000)


def test_a_difference_is_audited_like_any_read(written: Written) -> None:
    """Who compared what at which commit is written down; a refused one too."""
    written.do("CREATE TABLE lake.silver.t AS SELECT 1 AS k, 'v' AS v")
    head = written.catalog.head()
    written.diff(0, head)
    with pytest.raises(AccessError):
        written.diff(0, head + 5)
    audit = Audit(written.lake.folder / ".millpond" / "audit.db")
    refused, done, *_ = audit.recent()
    audit.close()
    assert (refused.outcome, refused.error) == ("refused", "MP-8016")
    assert (done.outcome, done.sql, done.commit) == ("done", f"DIFF silver.t AT 0 TO {head}", head)
    assert [str(table) for table in done.tables] == ["silver.t"]


def test_awkward_names_and_nested_values_are_compared(written: Written) -> None:
    """Columns that bear the comparison's own words, quotes and nested values are rows like any other."""
    names = (
        '"range" BIGINT, "side" VARCHAR, "Change" INTEGER[], "be""fore" STRUCT(a INTEGER, b VARCHAR), "it\'s" DOUBLE'
    )
    written.duck.execute(f"CREATE TABLE lake.silver.t ({names})")
    first = written.catalog.head()
    row = "1, 's', [1, NULL], {'a': 1, 'b': 'x'}, 'nan'::DOUBLE"
    written.duck.execute(f"INSERT INTO lake.silver.t VALUES ({row}), ({row}), (2, NULL, NULL, NULL, -0.0)")
    second = written.catalog.head()
    came = written.diff(first, second, ("range",))
    assert [(row["change"], row["after"]["range"]) for row in came] == [
        ("inserted", 1),
        ("inserted", 1),
        ("inserted", 2),
    ]
    assert came[0]["after"]['be"fore'] == {"a": 1, "b": "x"}
    written.duck.execute("DELETE FROM lake.silver.t WHERE range = 1")
    written.duck.execute(f"INSERT INTO lake.silver.t VALUES ({row}), ({row.replace('NULL', '5')})")
    (changed,) = written.diff(second, written.catalog.head(), ("range",))
    assert (changed["change"], changed["before"]["Change"], changed["after"]["Change"]) == (
        "changed",
        [1, None],
        [1, 5],
    )


def test_what_is_no_longer_kept_is_said_to_be(written: Written) -> None:
    """A version whose metadata was given up is refused by name and number, in a query and in a difference."""
    written.do("CREATE TABLE lake.silver.t AS SELECT 1 AS k, 'v' AS v")
    old = written.catalog.table(TableName("silver", "t"))
    written.do("INSERT INTO lake.silver.t VALUES (2, 'w')")
    Path(old.metadata_location).unlink()
    for ask in (
        lambda: written.diff(old.commit, written.catalog.head()),
        lambda: written.lake.rows("FROM silver.t", at=old.commit),
    ):
        with pytest.raises(CatalogError, match=f"silver.t as of commit {old.commit} is no longer kept") as refused:
            ask()
        assert refused.value.code == "MP-3076"
    assert len(written.lake.rows("FROM silver.t")) == 2


def test_changes_are_a_relation_like_any_other(written: Written) -> None:
    """They are joined, named, filtered and read twice in one query; text around them keeps its places."""
    written.do("CREATE TABLE lake.silver.t AS SELECT i AS k, 'v' AS v FROM range(3) AS r(i)")
    first = written.catalog.head()
    written.do("UPDATE lake.silver.t SET v = 'w' WHERE k = 1")
    second = written.catalog.head()
    rows = written.lake.rows(
        f"WITH c0 AS (SELECT 1 AS k) SELECT changes.v, c.v AS old, t.v AS now "
        f"FROM changes('silver.t', since => {first}) "
        f"JOIN changes ( 'silver.t' , SINCE := {first}, until => '{second}' ) AS c USING (k) "
        "JOIN silver.t USING (k) JOIN c0 USING (k) WHERE changes._change = 'inserted' AND c._change = 'deleted'"
    )
    assert rows == [{"v": "w", "old": "v", "now": "w"}]
    with pytest.raises(EngineError) as refused:
        written.lake.rows(f"SELECT *\nFROM changes('silver.t',\n since => {first})\nWHERE nope")
    assert refused.value.finding.where == Location(Path("<query>"), 4, 7, 4)


def test_changes_of_a_compacted_table_are_none(written: Written) -> None:
    """Files that were only rewritten are not read, and the rows that came before and after are exact."""
    written.do("CREATE TABLE lake.silver.t AS SELECT 0 AS k, 'v' AS v")
    first = written.catalog.head()
    for number in range(1, 6):
        written.do(f"INSERT INTO lake.silver.t VALUES ({number}, 'v')")
    written.do("DELETE FROM lake.silver.t WHERE k = 3")
    before = written.catalog.head()
    written.lake.lakehouse.upkeep.run()
    written.note()
    after = written.catalog.head()
    assert after > before
    assert asked(written, before, after) == (Counter(), Counter())
    assert asked(written, first, after) == (Counter({(k, "v"): 1 for k in (1, 2, 4, 5)}), Counter())


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("changes('silver.t', since => 99)", "MP-8016"),
        ("changes('silver.t', since => 'never')", "MP-8010"),
        ("changes('silver.t', since => 1, until => 0)", "MP-8020"),
        ("changes('silver.t')", "MP-8019"),
        ("changes(silver.t, since => 1)", "MP-8019"),
        ("changes('silver.t', since => 1 + 1)", "MP-8019"),
        ("changes('silver.t', /* a */ since => 1)", "MP-8019"),
        ("changes('sil' || 'ver.t', since => 1)", "MP-8019"),
        ("\"changes\"('silver.t', since => 1)", "MP-8019"),
        ("changes('main.t', since => 1)", "MP-8004"),
        ("changes('t', since => 1)", "MP-8004"),
        ("changes('silver.nothing', since => 1)", "MP-8005"),
        ("(SELECT changes('silver.t', since => 1))", "MP-8006"),
    ],
)
def test_changes_of_another_form_are_refused_at_their_place(written: Written, call: str, code: str) -> None:
    """What is no moment, no table, or not written out; the error stands at the call and gives the next step."""
    written.do("CREATE TABLE lake.silver.t AS SELECT 0 AS k, 'v' AS v")
    with pytest.raises(AccessError) as refused:
        written.lake.rows(f"SELECT * FROM {call}")
    assert (refused.value.code, bool(refused.value.finding.next_step)) == (code, True)
    assert refused.value.finding.where is not None


def test_changes_of_a_query_of_the_past_end_there(written: Written) -> None:
    """`at` is the end of what is seen; what came later is refused."""
    written.do("CREATE TABLE lake.silver.t AS SELECT 0 AS k, 'v' AS v")
    first = written.catalog.head()
    written.do("INSERT INTO lake.silver.t VALUES (1, 'v')")
    second = written.catalog.head()
    written.do("INSERT INTO lake.silver.t VALUES (2, 'v')")
    tables = written.lake.lakehouse.tables
    assert tables.query(f"SELECT k FROM changes('silver.t', since => {first})", at=second).rows() == [{"k": 1}]
    with pytest.raises(AccessError) as refused:
        tables.query(f"FROM changes('silver.t', since => {first}, until => {second + 1})", at=second)
    assert refused.value.code == "MP-8020"
