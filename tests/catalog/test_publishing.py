"""Publications that the disk disturbs: what was written, what is told, what is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from millpond.catalog import files, manifests, publishing, recording
from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import SeenFile
from millpond.catalog.staging import Stage, TableChange, next_version
from millpond.catalog.store import Store
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.retry import Backoff

from .clients import NAME, OTHER, SCHEMA, files_under, step

BROKEN = CatalogError("MP-3018", "disk I/O error", next_step="look at the disk")


def metadata_files(catalog: Catalog) -> list[Path]:
    """Every metadata file under the warehouse."""
    return files_under(Path(catalog.warehouse.root), "*.metadata.json")


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is not in, its metadata files are removed, and the step can be tried again."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)

    @contextmanager
    def broken(_store: Store) -> Iterator[Connection]:
        raise BROKEN
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", broken)
        with pytest.raises(CatalogError) as failed:
            stage.publish(step("a"))
    assert failed.value.code == "MP-3018"
    assert metadata_files(catalog) == []
    assert stage.publish(step("a")).number == 1


def test_a_commit_that_is_in_is_found_although_the_disk_complained(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the end of the transaction fails but it went in, the answer is its number."""
    write = Store.write

    @contextmanager
    def complaining(store: Store) -> Iterator[Connection]:
        with write(store) as connection:
            yield connection
        raise BROKEN

    for key in ("a", ""):
        stage = catalog.begin(key)
        stage.create_table(NAME if key else OTHER, SCHEMA)
        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", complaining)
            assert stage.publish(step(key)).number == catalog.head()
    assert len(metadata_files(catalog)) == 2


def test_an_outcome_that_cannot_be_told_keeps_every_file(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store cannot be read back either, nothing is cleaned up."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)

    @contextmanager
    def broken(_store: Store) -> Iterator[Connection]:
        monkeypatch.setattr(Store, "settled", broken)
        raise BROKEN
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", broken)
        with pytest.raises(CatalogError) as failed:
            stage.publish(step("a"))
    assert failed.value.code == "MP-3015"
    assert len(metadata_files(catalog)) == 1


def test_a_full_disk_is_told_before_anything_is_changed(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two metadata files cannot be written: the first is removed, no pointer moves."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    stage.create_table(OTHER, SCHEMA)
    write = files.write_bytes

    def full(path: str, content: bytes) -> None:
        if "positions" in path:
            raise files.unwritable(path, OSError(28, "No space left on device"))
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_bytes", full)
        with pytest.raises(CatalogError, match="No space left"):
            stage.publish(step("a"))
    assert metadata_files(catalog) == []
    assert catalog.head() == 0
    assert stage.publish(step("a")).number == 1


@pytest.mark.sqlite
def test_a_store_without_room_is_told_and_left_as_it_was(catalog: Catalog) -> None:
    """SQLite's own refusal, met inside the transaction."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    with catalog.store.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    seen = tuple(SeenFile("s", f"{number}.csv", 1, 1, "c" * 64, "p", "loaded", 1) for number in range(2000))
    with pytest.raises(CatalogError, match="full") as full:
        stage.publish(step("a", files=seen))
    assert full.value.code == "MP-3018"
    assert (catalog.head(), catalog.seen_files("s"), metadata_files(catalog)) == (0, (), [])


@pytest.mark.sqlite
def test_a_store_that_is_damaged_while_open_says_so(catalog: Catalog) -> None:
    """Reading a file that somebody overwrote is an error with a next step."""
    catalog.begin("a").publish(step("a"))
    catalog.close()
    Path(catalog.store.place).write_bytes(b"overwritten" * 10_000)
    for question in (catalog.head, catalog.tables, catalog.history):
        with pytest.raises(CatalogError) as damaged:
            question()
        assert damaged.value.code == "MP-3053"


def test_an_append_that_is_overtaken_for_ever_ends_as_a_conflict(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tries are bounded."""
    monkeypatch.setattr(publishing, "Backoff", lambda: Backoff(tries=3, first=0.0, most=0.0))
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    tries = []

    def lost(*_: object) -> None:
        tries.append(1)
        raise recording.moved(NAME)

    monkeypatch.setattr(recording, "record", lost)
    with pytest.raises(ConflictError) as conflict:
        stage.publish(step("a", blind=True))
    assert conflict.value.code == "MP-3010"
    assert len(tries) == 3
    assert metadata_files(catalog) == []


def test_metadata_files_bear_the_next_number() -> None:
    """Names sort by age, as other catalogs write them."""
    assert next_version(None) == 0
    assert next_version("/a/metadata/00041-x.metadata.json") == 42
    assert next_version("/a/metadata/v3.metadata.json") == 0


def test_metadata_does_not_grow_with_every_commit(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old snapshots leave the metadata; the commits that made them can still be asked for."""
    monkeypatch.setattr(publishing, "KEPT_SNAPSHOTS", 3)
    first = catalog.begin("first")
    first.create_table(NAME, SCHEMA)
    first.publish(step("first"))
    for number in range(6):
        stage = catalog.begin(f"step {number}")
        seed = catalog.metadata(catalog.table(NAME))
        if seed.current_snapshot is None:
            _first_snapshot(catalog, stage)
        else:
            stage.truncate(NAME)
        stage.publish(step(f"step {number}"))
    newest = catalog.metadata(catalog.table(NAME))
    assert len(newest.snapshots) == 3
    old = catalog.metadata(catalog.table(NAME, at=3))
    assert len(old.snapshots) == 2


def _first_snapshot(catalog: Catalog, stage: Stage) -> None:
    """Give a table its first snapshot, an empty one."""
    location = catalog.table(NAME).location
    manifests.write_list(f"{location}/metadata/snap-1.avro", [], snapshot_id=1, parent_id=None, sequence_number=1)
    snapshot = {
        "snapshot-id": 1,
        "sequence-number": 1,
        "timestamp-ms": 1,
        "manifest-list": f"{location}/metadata/snap-1.avro",
        "summary": {"operation": "append"},
        "schema-id": 0,
    }
    updates = (
        {"action": "add-snapshot", "snapshot": snapshot},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 1},
    )
    stage.commit((TableChange(NAME, (), updates),))
