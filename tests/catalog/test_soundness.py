"""Files that are not what was written any more are told before anyone reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import RESTError

from millpond.catalog import manifests
from millpond.catalog.cache import Compared, MetadataCache
from millpond.catalog.catalog import Catalog, in_environment
from millpond.catalog.soundness import whole
from millpond.catalog.tokens import Tokens
from millpond.core.errors import CatalogError
from millpond.core.names import TableName

from .clients import rows

Duck = Callable[..., duckdb.DuckDBPyConnection]
NAME = TableName("s", "t")


@pytest.fixture
def worn(open_door: str, duck: Duck) -> str:
    """The endpoint of a gateway with a table of which a row was deleted."""
    lake = duck(open_door)
    lake.execute("CREATE SCHEMA lake.s")
    lake.execute("CREATE TABLE lake.s.t AS SELECT range AS id FROM range(9)")
    lake.execute("DELETE FROM lake.s.t WHERE id = 4")
    return open_door


def afresh(catalog: Catalog) -> Catalog:
    """The catalog as another process finds it."""
    return Catalog(catalog.store, catalog.warehouse, "prod", catalog.clock, Tokens(), MetadataCache())


def parts(catalog: Catalog) -> dict[str, Path]:
    """A file of each kind that says which rows the table has."""
    entry = catalog.table(NAME)
    snapshot = catalog.metadata(entry).current_snapshot
    assert snapshot is not None
    found = {"metadata": Path(entry.metadata_location), "list": Path(snapshot["manifest-list"])}
    for manifest in manifests.of_snapshot(snapshot):
        found[f"{manifest.content} manifest"] = Path(manifest.path)
        if manifest.content == "deletes":
            found["deletes"] = Path(manifests.files(manifest)[0].path)
    return found


def change(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["list", "data manifest", "deletes manifest", "deletes"])
def test_a_changed_file_is_told_before_it_is_read(kind: str, worn: str, catalog: Catalog) -> None:
    """By its path, and to another environment as well."""
    path = parts(catalog)[kind]
    change(path)
    other = in_environment(afresh(catalog), "dev")
    for one in (afresh(catalog), other):
        with pytest.raises(CatalogError) as told:
            whole(one, catalog.table(NAME))
        assert told.value.code == "MP-3192"
        assert str(path) in str(told.value)


def test_changed_metadata_is_told_though_it_can_be_parsed(worn: str, catalog: Catalog) -> None:
    """Such as another number in it."""
    path = parts(catalog)["metadata"]
    path.write_text(path.read_text().replace('"last-sequence-number":2', '"last-sequence-number":3'))
    with pytest.raises(CatalogError) as told:
        afresh(catalog).metadata(catalog.table(NAME))
    assert told.value.code == "MP-3192"


def test_clients_hear_of_it_instead_of_reading(worn: str, catalog: Catalog, duck: Duck) -> None:
    """DuckDB would end its process on many a changed manifest, and read other rows by others."""
    change(parts(catalog)["deletes manifest"])
    catalog.cache.compared = Compared()
    catalog.soundness._compared = catalog.cache.compared
    with pytest.raises(duckdb.Error, match="checksum differs"):
        rows(duck(worn), "SELECT id FROM lake.s.t")
    with pytest.raises(RESTError, match="checksum differs"):
        load_catalog("lake", type="rest", uri=worn, warehouse="prod").load_table("s.t")


def test_a_file_is_compared_once(worn: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process published is not compared at all; the first look of another takes in all, the next nothing."""
    asked: list[str] = []
    fresh = afresh(catalog)
    for one in (catalog, fresh):
        compare = one.soundness.check_now
        monkeypatch.setattr(one.soundness, "check_now", lambda paths, c=compare: (asked.extend(paths), c(paths)))
    whole(catalog, catalog.table(NAME))
    assert asked == []
    whole(fresh, catalog.table(NAME))
    assert set(asked) >= {str(path) for path in parts(catalog).values()}
    asked.clear()
    whole(fresh, catalog.table(NAME))
    assert asked == []


def test_what_has_no_checksum_or_is_gone_passes(catalog: Catalog, tmp_path: Path) -> None:
    """Whoever reads it tells of it."""
    (tmp_path / "file").write_text("x")
    catalog.soundness.check((str(tmp_path / "file"), str(tmp_path / "nothing")))


def test_what_was_compared_is_forgotten_at_last() -> None:
    """The least recently compared first."""
    compared = Compared(most=2)
    compared.add(["a", "b"])
    compared.add(["a", "c"])
    assert compared.others(["a", "b", "c", "b"]) == ["b"]
    compared.forget("a")
    assert compared.others(["a"]) == ["a"]
