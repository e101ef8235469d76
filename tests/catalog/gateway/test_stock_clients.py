"""Stock PyIceberg and stock DuckDB with views and with namespaces of several levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import httpx
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import NamespaceNotEmptyError, NoSuchViewError, ViewAlreadyExistsError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField
from pyiceberg.view.metadata import SQLViewRepresentation, ViewVersion

from tests.catalog.clients import loaded_duckdb, rows

from .talk import made, seen

Duck = Callable[..., duckdb.DuckDBPyConnection]
COLUMNS = Schema(NestedField(0, "id", LongType(), required=False))


@pytest.fixture
def remote(open_door: str, web: httpx.Client) -> RestCatalog:
    """Stock PyIceberg, with lists in pages."""
    catalog = load_catalog("lake", type="rest", uri=open_door, warehouse="prod", **{"rest-page-size": "2"})
    assert isinstance(catalog, RestCatalog)
    return catalog


def version(text: str) -> ViewVersion:
    """A version of a view as PyIceberg makes it."""
    return ViewVersion(
        version_id=1,
        schema_id=0,
        timestamp_ms=1_700_000_000_000,
        summary={},
        representations=[SQLViewRepresentation(type="sql", sql=text, dialect="spark")],
        default_namespace=("s",),
    )


def test_pyiceberg_makes_lists_registers_and_drops_views(remote: RestCatalog) -> None:
    """All that it can do with views."""
    view = remote.create_view("s.v", COLUMNS, version("SELECT 1 AS id"))
    assert view.metadata.versions[0].representations[0].root.sql == "SELECT 1 AS id"
    assert remote.view_exists("s.v")
    with pytest.raises(ViewAlreadyExistsError):
        remote.create_view("s.v", COLUMNS, version("SELECT 2 AS id"))
    for number in range(4):
        remote.create_view(f"s.v{number}", COLUMNS, version("SELECT 1 AS id"))
    assert remote.list_views("s") == [("s", "v"), *(("s", f"v{number}") for number in range(4))]
    remote.drop_view("s.v")
    assert not remote.view_exists("s.v")
    with pytest.raises(NoSuchViewError):
        remote.load_view("s.v")
    with pytest.raises(NoSuchViewError):
        remote.drop_view("s.v")


def test_pyiceberg_registers_a_view(remote: RestCatalog, web: httpx.Client) -> None:
    """A dropped view gets its name back."""
    path = seen(web)["metadata-location"]
    remote.drop_view("s.v")
    assert remote.register_view("s.w", path).metadata.current_version_id == 1


def test_pyiceberg_walks_namespaces_of_several_levels(remote: RestCatalog) -> None:
    """Create, list by parent, tables inside, drop."""
    remote.create_namespace(("s", "a"))
    remote.create_namespace(("s", "a", "b"))
    assert remote.list_namespaces() == [("s",)]
    assert remote.list_namespaces(("s",)) == [("s", "a")]
    table = remote.create_table(("s", "a", "t"), pa.schema([("id", pa.int64())]))
    table.append(pa.table({"id": [1, 2]}))
    assert remote.list_tables(("s", "a")) == [("s", "a", "t")]
    assert remote.load_table(("s", "a", "t")).scan().to_arrow().num_rows == 2
    with pytest.raises(NamespaceNotEmptyError):
        remote.drop_namespace(("s", "a"))
    remote.drop_namespace(("s", "a", "b"))
    assert remote.namespace_exists(("s", "a"))


@pytest.fixture
def nested(open_door: str, web: httpx.Client) -> Iterator[duckdb.DuckDBPyConnection]:
    """Stock DuckDB that was told to look for namespaces inside namespaces."""
    connection = loaded_duckdb()
    connection.execute(
        f"ATTACH 'prod' AS lake (TYPE iceberg, ENDPOINT '{open_door}', AUTHORIZATION_TYPE 'none', "
        "SUPPORT_NESTED_NAMESPACES true)"
    )
    yield connection
    connection.close()


def test_duckdb_writes_in_namespaces_of_several_levels(
    nested: duckdb.DuckDBPyConnection, web: httpx.Client, open_door: str, duck: Duck
) -> None:
    """Told to look for them or not, a dot stands between the levels in its schema names."""
    assert web.post("/namespaces", json={"namespace": ["s", "a"]}).status_code == 200
    nested.execute('CREATE TABLE lake."s.a".t AS SELECT 1 AS id')
    nested.execute('INSERT INTO lake."s.a".t VALUES (2)')
    assert rows(duck(open_door), 'SELECT sum(id) FROM lake."s.a".t') == [(3,)]
    assert web.get("/namespaces/s%1Fa/tables").json()["identifiers"] == [{"namespace": ["s", "a"], "name": "t"}]


def test_duckdb_sees_tables_and_no_views(web: httpx.Client, open_door: str, duck: Duck) -> None:
    """A view is no table: it is not listed, not read, and its name is taken."""
    made(web)
    seen(web)
    lake = duck(open_door)
    listed = "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'lake'"
    assert rows(lake, listed) == [("t",)]
    with pytest.raises(duckdb.Error, match="does not exist"):
        lake.execute("SELECT * FROM lake.s.v")
    with pytest.raises(duckdb.Error, match="View with same name already exists"):
        lake.execute("CREATE TABLE lake.s.v (id BIGINT)")
    with pytest.raises(duckdb.Error, match="not empty"):
        lake.execute("DROP SCHEMA lake.s")
