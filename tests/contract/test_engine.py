"""What every engine must do. A new engine is added to ENGINES and to nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Commit, Ledger
from millpond.catalog.gateway.server import Gateway
from millpond.core.clock import SystemClock
from millpond.core.errors import ConflictError, EngineError
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.engines.duckdb import DuckDBEngine, Limits
from millpond.engines.engine import Engine, Session

ENGINES: dict[str, Callable[[Path], Engine]] = {
    "duckdb": lambda folder: DuckDBEngine(Limits(memory=500_000_000, threads=2, scratch=folder)),
}

TABLE = TableName("silver", "numbers")
SCHEMA = Schema((Column("n", "BIGINT"), Column("word", "VARCHAR")))


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """One of the engines."""
    made = ENGINES[request.param](tmp_path / "scratch")
    yield made
    made.close()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty lake."""
    opened = Catalog.open(f"sqlite:///{tmp_path}/catalog.db", str(tmp_path / "lake"), "prod", SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def endpoint(catalog: Catalog) -> Iterator[str]:
    """The lake's gateway."""
    gateway = Gateway(catalog)
    yield gateway.start()
    gateway.stop()


def publish(catalog: Catalog, engine: Engine, endpoint: str, key: str, rows: int) -> int:
    """Insert some rows under a step's token and publish them."""
    stage = catalog.begin(key)
    if catalog.find(TABLE) is None:
        stage.create_table(TABLE, SCHEMA)
    with engine.session(endpoint, stage.token) as session:
        insert = f'INSERT INTO "lake"."silver"."numbers" SELECT range, \'w\' || range FROM range({rows})'
        assert session.execute(insert) == rows
    return stage.publish(Commit(key, "test", "tester", ledger=Ledger(rows, rows))).number


def add_and_fail(session: Session) -> None:
    """A transaction that inserts a row and then meets an error."""
    with session.transaction():
        session.execute('INSERT INTO "lake"."silver"."numbers" VALUES (99, \'x\')')
        session.execute("SELECT nonsense")


def test_a_statement_tells_how_many_rows_it_changed(engine: Engine) -> None:
    """INSERT, UPDATE and DELETE answer with their count."""
    with engine.session() as session:
        session.execute("CREATE TEMP TABLE t AS SELECT range AS n FROM range(10)")
        assert session.execute("DELETE FROM t WHERE n < 3") == 3


def test_describe_gives_columns_without_running_the_query(engine: Engine) -> None:
    """A query that would fail at its first row can be described."""
    with engine.session() as session:
        described = session.describe("SELECT 1::BIGINT AS a, error('never') AS b")
    assert (described.names[0], described.columns[0].type) == ("a", "BIGINT")


def test_temporary_relations_end_with_their_session(engine: Engine) -> None:
    """The next session sees nothing of the one before."""
    with engine.session() as session:
        session.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a")
    with engine.session() as session, pytest.raises(EngineError):
        session.rows("SELECT * FROM mine")


def test_sessions_may_be_open_at_the_same_time(engine: Engine) -> None:
    """Each has its own relations."""
    with engine.session() as one, engine.session() as other:
        one.execute("CREATE TEMP TABLE t AS SELECT 1 AS a")
        other.execute("CREATE TEMP TABLE t AS SELECT 2 AS a")
        assert one.rows("SELECT a FROM t") == [(1,)]


def test_a_stream_gives_batches_as_they_are_read(engine: Engine) -> None:
    """A result larger than a batch comes in several."""
    with engine.session() as session:
        stream = session.stream("SELECT range AS n FROM range(300000)")
        sizes = [batch.num_rows for batch in stream.reader]
    assert sum(sizes) == 300_000
    assert len(sizes) > 1


def test_an_error_in_the_middle_of_a_stream_is_one_of_ours(engine: Engine) -> None:
    """What fails while rows are read is told like what fails before."""
    late = "SELECT CASE WHEN range = 250000 THEN error('late') ELSE 'x' END FROM range(300000)"
    with engine.session() as session, pytest.raises(EngineError):
        session.stream(late).reader.read_all()


def test_a_stream_tells_its_columns(engine: Engine) -> None:
    """Names and types are known before a row is read, nested ones as the engine writes them."""
    with engine.session() as session:
        stream = session.stream("SELECT ? AS a, 1.5::DECIMAL(9, 2) AS b, {'x': [1]} AS c", ["one"])
    assert stream.schema.columns == (
        Column("a", "VARCHAR"),
        Column("b", "DECIMAL(9,2)"),
        Column("c", "STRUCT(x INTEGER[])"),
    )


@pytest.mark.parametrize("sql", ["CREATE TABLE t (a INTEGER)", "SELECT 1; SELECT 2", ""])
def test_a_stream_is_of_one_query(engine: Engine, sql: str) -> None:
    """What gives no rows, or more than one answer, is refused before it runs."""
    with engine.session() as session, pytest.raises(EngineError, match="gives no rows"):
        session.stream(sql)


def test_a_refused_statement_tells_its_place(engine: Engine) -> None:
    """The position counts the characters before the word that is wrong."""
    with engine.session() as session, pytest.raises(EngineError) as refused:
        session.rows("SELECT nope FROM range(3)")
    assert refused.value.position == len("SELECT ")


def test_the_lake_is_seen_under_the_token_of_the_session(engine: Engine, catalog: Catalog, endpoint: str) -> None:
    """What was published is read by name, and an older commit by a token pinned to it."""
    first = publish(catalog, engine, endpoint, "one", 5)
    publish(catalog, engine, endpoint, "two", 5)
    with engine.session(endpoint, catalog.read_token()) as session:
        assert session.rows("SELECT count(*) FROM silver.numbers") == [(10,)]
    with engine.session(endpoint, catalog.read_token(first)) as session:
        assert session.rows("SELECT count(*) FROM silver.numbers") == [(5,)]


def test_a_transaction_that_fails_leaves_nothing(engine: Engine, catalog: Catalog, endpoint: str) -> None:
    """An error inside the block takes back what was done in it."""
    publish(catalog, engine, endpoint, "one", 5)
    stage = catalog.begin("two")
    with engine.session(endpoint, stage.token) as session:
        with pytest.raises(EngineError):
            add_and_fail(session)
        assert session.rows("SELECT count(*) FROM silver.numbers") == [(5,)]
    stage.discard()


def test_a_session_on_the_lake_leaves_nothing_to_the_next(engine: Engine, catalog: Catalog, endpoint: str) -> None:
    """Neither relations, nor settings, nor rows of a transaction that was never ended, nor a stream half read."""
    publish(catalog, engine, endpoint, "one", 5)
    stage = catalog.begin("two")
    with engine.session(endpoint, stage.token) as session:
        before = session.rows("SELECT current_setting('TimeZone'), current_schema()")
        session.execute("SET TimeZone = 'Asia/Tokyo'")
        session.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a")
        session.execute("BEGIN")
        session.execute('INSERT INTO "lake"."silver"."numbers" VALUES (99, \'x\')')
        half = session.stream('SELECT * FROM "lake"."silver"."numbers", range(300000)')
        half.reader.read_next_batch()
    with engine.session(endpoint, catalog.read_token()) as session:
        assert session.rows("SELECT count(*) FROM silver.numbers") == [(5,)]
        assert session.rows("SELECT current_setting('TimeZone'), current_schema()") == before
        with pytest.raises(EngineError):
            session.rows("SELECT * FROM mine")
    stage.discard()


def test_sessions_on_the_lake_at_the_same_time_have_tokens_of_their_own(
    engine: Engine, catalog: Catalog, endpoint: str
) -> None:
    """One sees what its step staged while the other sees what is published, whoever came first."""
    publish(catalog, engine, endpoint, "one", 5)
    stage = catalog.begin("two")
    count = "SELECT count(*) FROM silver.numbers"
    for _ in range(2):
        with (
            engine.session(endpoint, stage.token) as writing,
            engine.session(endpoint, catalog.read_token()) as reading,
        ):
            writing.execute('INSERT INTO "lake"."silver"."numbers" VALUES (99, \'x\')')
            assert writing.rows(count) > reading.rows(count) == [(5,)]
    stage.discard()


def test_two_steps_on_one_table_conflict(engine: Engine, catalog: Catalog, endpoint: str) -> None:
    """The second to publish what it computed from the same state is told that another came first."""
    publish(catalog, engine, endpoint, "one", 5)
    slow, fast = catalog.begin("slow"), catalog.begin("fast")
    for stage in (slow, fast):
        with engine.session(endpoint, stage.token) as session:
            session.execute('DELETE FROM "lake"."silver"."numbers" WHERE n = 1')
    fast.publish(Commit("fast", "test", "tester", ledger=Ledger(1, deleted=1)))
    with pytest.raises(ConflictError):
        slow.publish(Commit("slow", "test", "tester", ledger=Ledger(1, deleted=1)))


@pytest.mark.long
def test_a_query_larger_than_memory_finishes(engine: Engine) -> None:
    """A sort of about 1.5 GB under 500 MB spills to the scratch folder."""
    with engine.session() as session:
        session.execute("CREATE TEMP TABLE big AS SELECT md5(range::VARCHAR) AS h, range AS n FROM range(25000000)")
        session.execute("CREATE TEMP TABLE ordered AS SELECT * FROM big ORDER BY h")
        assert session.rows("SELECT count(*) FROM ordered") == [(25_000_000,)]
