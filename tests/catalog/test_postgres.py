"""The pointer store on Postgres: what only a server has. Its contract is tested together with SQLite's."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from millpond.catalog import postgres as vendor
from millpond.catalog import records
from millpond.catalog.catalog import Catalog, open_stage
from millpond.catalog.client_tokens import WRITE, ClientTokens
from millpond.catalog.commits import Commit
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.relations import SCHEMA as TABLES
from millpond.catalog.store import Store
from millpond.core.clock import SystemClock
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from tests.services.postgres import Server
from tests.services.wire import Cut, Wire

from .clients import SCHEMA, step

MOST_PIECES = 400


@pytest.fixture
def schema(postgres: Server) -> str:
    return postgres.schema()


@pytest.fixture
def wire(postgres: Server) -> Iterator[Wire]:
    with Wire(postgres.port) as made:
        yield made


@pytest.fixture
def lake(wire: Wire, postgres: Server, schema: str, tmp_path: Path) -> Iterator[Catalog]:
    """A catalog whose connections pass through the wire."""
    opened = Catalog.open(postgres.url(schema=schema, port=wire.port), str(tmp_path / "lake"), "prod", SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def truth(lake: Catalog, postgres: Server, schema: str) -> Iterator[Catalog]:
    """The same catalog, by a connection that nothing cuts."""
    opened = Catalog.open(postgres.url(schema=schema), lake.warehouse.root, "prod", SystemClock())
    yield opened
    opened.close()


def by_step(lake: Catalog, number: int) -> Callable[[], int]:
    """A step of the runner that makes a table; publishing it gives the commit's number."""
    stage = lake.begin(f"step {number}")
    stage.create_table(TableName("silver", f"t{number}"), SCHEMA)
    return lambda: stage.publish(step(f"step {number}")).number


def by_client(lake: Catalog, number: int) -> Callable[[], int]:
    """The same by a direct commit, which no step key names."""
    stage = open_stage(lake, "", lake.head(), "client")
    stage.create_table(TableName("silver", f"t{number}"), SCHEMA)
    return lambda: stage.publish(Commit("", "external", "spark")).number


@pytest.mark.parametrize("way", [by_step, by_client])
@pytest.mark.parametrize("side", ["both", "client"])
def test_a_cut_at_any_piece_ends_in_done_once(
    way: Callable[[Catalog, int], Callable[[], int]], side: str, lake: Catalog, truth: Catalog, wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Before each piece that goes to the server and each that comes back: the commit is in, exactly once.

    With `client` the server hears what was sent last, later, and is not told that its client is gone.
    """
    monkeypatch.setattr(vendor, "_IDLE_S", 1.0)
    number = 0
    for number in range(1, MOST_PIECES):
        publish = way(lake, number)
        wire.cut = cut = Cut(number - 1, side, late=0.05)  # type: ignore[arg-type]
        assert publish() == number
        wire.cut = None
        assert (truth.head(), len(truth.tables())) == (number, number)
        if not cut.done:
            break
    assert 5 < number < MOST_PIECES
    assert sorted(record.number for record in truth.history(limit=1000)) == list(range(1, number + 1))
    assert len(list(Path(lake.warehouse.root).glob("silver/*/metadata/*.metadata.json"))) == number


def test_a_commit_that_is_still_on_its_way_is_waited_for(
    lake: Catalog, truth: Catalog, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gets COMMIT half a second after the client lost its connection: the look takes place after it."""
    sent: list[float] = []
    publish = by_client(lake, 1)
    original = psycopg.Connection.commit

    def late(connection: psycopg.Connection) -> None:
        wire.cut = Cut(0, "client", late=0.5)
        sent.append(time.monotonic())
        original(connection)

    monkeypatch.setattr(psycopg.Connection, "commit", _first_write(late, original))
    assert publish() == 1
    assert time.monotonic() - sent[0] >= 0.5
    assert [record.number for record in truth.history()] == [1]


def test_an_outcome_that_cannot_be_told_is_unknown_and_nothing_is_removed(
    lake: Catalog, truth: Catalog, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes COMMIT and then stays away: the client hears of doubt, and the files stay, as they are live."""
    monkeypatch.setattr(vendor, "WAIT_S", 0.3)
    publish = by_client(lake, 1)
    original = psycopg.Connection.commit

    def last(connection: psycopg.Connection) -> None:
        wire.cut = Cut(1, "client")
        wire.refuse()
        original(connection)

    monkeypatch.setattr(psycopg.Connection, "commit", _first_write(last, original))
    with pytest.raises(CatalogError) as unknown:
        publish()
    assert unknown.value.code == "MP-3015"
    assert truth.metadata(truth.tables()[0]).uuid == truth.tables()[0].uuid


def _first_write(
    other: Callable[[psycopg.Connection[Any]], None], original: Callable[[psycopg.Connection[Any]], None]
) -> Callable[[psycopg.Connection[Any]], None]:
    """Commit the first transaction that may write in another way, and all others as ever."""
    todo = [other]

    def either(connection: psycopg.Connection[Any]) -> None:
        (todo.pop() if todo and not connection.read_only else original)(connection)

    return either


def test_numbers_are_seen_in_their_order_and_without_gaps(postgres: Server, schema: str, tmp_path: Path) -> None:
    """While two gateways commit from eight threads, whoever looks sees 1 to n, for a growing n."""
    lakes = [Catalog.open(postgres.url(schema=schema), str(tmp_path / "lake"), "prod", SystemClock()) for _ in "ab"]
    threads = [
        threading.Thread(target=lambda lake=lake, first=first: [by_client(lake, first + i)() for i in range(6)])
        for first, lake in ((100 * position, lakes[position % 2]) for position in range(8))
    ]
    seen: list[list[int]] = []
    with psycopg.connect(postgres.url(schema=schema), autocommit=True) as watcher:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            seen.append([row[0] for row in watcher.execute("SELECT number FROM commits ORDER BY number")])
    for thread in threads:
        thread.join()
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen)
    assert len({len(numbers) for numbers in seen}) > 5
    assert sorted(record.number for record in lakes[0].history(limit=1000)) == list(range(1, 49))
    for lake in lakes:
        lake.close()


def test_a_restarted_server_is_found_again(postgres: Server, schema: str, tmp_path: Path) -> None:
    """Connections that died while nobody used them are no error; a server that is away is one, with a next step."""
    lake = Catalog.open(postgres.url(schema=schema), str(tmp_path / "lake"), "prod", SystemClock())
    assert by_step(lake, 1)() == 1
    postgres.stop()
    try:
        assert not lake.store.ready()
        with pytest.raises(CatalogError) as away:
            lake.head()
        assert away.value.code == "MP-3080"
    finally:
        postgres.start()
    assert by_step(lake, 2)() == 2
    lake.close()


def test_a_gateway_without_its_server_answers_503(postgres: Server, schema: str, tmp_path: Path) -> None:
    """Also where a token is to be looked up: nothing is refused or let in by mistake."""
    lake = Catalog.open(postgres.url(schema=schema), str(tmp_path / "lake"), "prod", SystemClock())
    secret, _ = ClientTokens(lake).create("spark", WRITE, "owner")
    gateway = Gateway(lake, outside=True)
    door = gateway.start()
    headers = {"Authorization": f"Bearer {secret}"}
    form = {"grant_type": "client_credentials", "client_secret": secret}
    assert httpx.get(f"{door}/v1/config", headers=headers).status_code == 200
    postgres.stop()
    try:
        answer = httpx.get(f"{door}/v1/config", headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "ServiceUnavailableException")
        assert httpx.post(f"{door}/v1/oauth/tokens", data=form).status_code == 503
        assert httpx.get(door.replace("/iceberg", "/health/ready")).status_code == 503
    finally:
        postgres.start()
    assert httpx.post(f"{door}/v1/oauth/tokens", data=form).status_code == 200
    gateway.stop()
    lake.close()


def test_a_new_schema_is_what_the_tables_say(lake: Catalog) -> None:
    """The migrations lead to exactly the tables that the code uses, and are not loaded once they are there."""
    with lake.store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), TABLES) == []


def test_names_are_sorted_by_code_point_in_every_language(postgres: Server, lake: Catalog, schema: str) -> None:
    """As in SQLite, whatever collation the database has."""
    query = (
        "SELECT DISTINCT collation_name FROM information_schema.columns"
        " WHERE table_schema = %s AND data_type LIKE 'char%%'"
        " AND table_name IN ('pointers', 'commit_tables', 'namespaces', 'source_files', 'cursors', 'client_tokens')"
    )
    with psycopg.connect(postgres.url()) as connection:
        assert connection.execute(query, (schema,)).fetchall() == [("C",)]


def test_many_may_open_a_new_schema_at_once(postgres: Server, schema: str) -> None:
    """The first one makes the tables; the others wait and find them."""
    opened: list[Store] = []
    threads = [
        threading.Thread(target=lambda: opened.append(Store.open(postgres.url(schema=schema)))) for _ in "abcdef"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.ready() for store in opened] == [True] * 6
    for store in opened:
        store.close()


def test_a_reader_sees_one_state_and_cannot_write(lake: Catalog, truth: Catalog) -> None:
    """What another connection commits meanwhile is not seen inside a read."""
    with lake.store.read() as reader:
        assert records.head(reader) == 0
        assert by_step(truth, 1)() == 1
        assert records.head(reader) == 0
    assert lake.head() == 1
    with pytest.raises(CatalogError, match="read-only"), lake.store.read() as reader:
        reader.exec_driver_sql("DELETE FROM pointers")


def test_a_writer_that_does_not_end_is_reported(lake: Catalog, truth: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another process, by the lock; of this one, by the turn."""
    monkeypatch.setattr(vendor, "WAIT_S", 0.1)
    for other in (truth, lake):
        with other.store.write(), pytest.raises(CatalogError) as refused, lake.store.write():
            pass
        assert refused.value.code == "MP-3054"


def test_a_process_that_stops_in_a_commit_does_not_stop_the_others(
    lake: Catalog, truth: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction ends after a while; what it then wants to commit is not in, and is done anew."""
    monkeypatch.setattr(vendor, "_IDLE_S", 0.5)

    def stopped(connection: Connection) -> None:
        assert by_client(truth, 1)() == 1
        connection.exec_driver_sql("DELETE FROM pointers")

    with pytest.raises(CatalogError) as ended, lake.store.write() as connection:
        stopped(connection)
    assert ended.value.code == "MP-3082"
    assert len(truth.tables()) == 1


SECRET = "hunter2/x"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://keeper:hunter2%2Fx@127.0.0.1:{port}/lake", "MP-3081"),
        ("postgres://postgres:hunter2%2Fx@127.0.0.1:{port}/nowhere", "MP-3081"),
        ("postgresql://nobody:hunter2%2Fx@127.0.0.1:{port}/lake?connect_timeout=3", "MP-3081"),
        ("postgresql://keeper@127.0.0.1:{port}/lake?password=hunter2%2Fx", "MP-3081"),
        ("postgresql://keeper:hunter2%2Fx@127.0.0.1:1/lake", "MP-3080"),
        ("postgresql://keeper:hunter2%2Fx@no.such.host.invalid/lake", "MP-3080"),
        ("postgresql://keeper:hunter2/x@127.0.0.1:{port}/lake", "MP-3081"),
        ("postgresql://keeper:hunter2%2Fx@127.0.0.1:port/lake", "MP-3083"),
        ("postgresql://keeper@127.0.0.1:{port}/lake", "MP-3081"),
        ("postgresql://postgres:hunter2%2Fx@127.0.0.1:{port}/lake?hunter2=x", "MP-3083"),
        ("postgresql://postgres:hunter2%2Fx@127.0.0.1:{port}/lake?options=-csearch_path%3Dnowhere", "MP-3018"),
        ("mysql://keeper:hunter2%2Fx@127.0.0.1/lake", "MP-3056"),
    ],
)
def test_a_store_that_cannot_be_opened_says_why_and_not_the_password(url: str, code: str, postgres: Server) -> None:
    """Nor does anything in the chain of causes, which --debug prints."""
    with pytest.raises(CatalogError) as refused:
        Store.open(url.format(port=postgres.port))
    assert refused.value.code == code
    told = "".join(traceback.format_exception(refused.value))
    assert SECRET not in told
    assert "hunter2%2Fx" not in told


@pytest.mark.parametrize("password", ["x@hunter2", "x@hunter2/y", "x@y/hunter2", "x:@hunter2"])
def test_a_password_with_an_at_is_no_host(password: str) -> None:
    """What follows it would be looked for in the network, and told as the place of the catalog."""
    with pytest.raises(CatalogError) as refused:
        Store.open(f"postgresql://keeper:{password}@127.0.0.1:1/lake")
    assert refused.value.code == "MP-3083"
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_a_database_that_was_emptied_beneath_its_tables_is_not_begun_anew(
    lake: Catalog, postgres: Server, tmp_path: Path
) -> None:
    """A catalog that lies elsewhere than the tables remember is told, before another one is made."""
    by_step(lake, 1)()
    with pytest.raises(CatalogError) as gone:
        Catalog.open(postgres.url(schema=postgres.schema()), lake.warehouse.root, "prod", SystemClock())
    assert gone.value.code == "MP-3057"


def test_the_driver_is_loaded_for_postgres_only(tmp_path: Path) -> None:
    """Who keeps a file does not need it."""
    script = (
        "import sys; from pathlib import Path; from millpond.catalog.store import Store;"
        "Store.open(Path(sys.argv[1])).close(); print('psycopg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "c.db"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
