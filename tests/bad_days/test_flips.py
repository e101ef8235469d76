"""One bit changed in each kind of file: doctor finds and locates it, and nobody reads other rows without a word."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog import avro, checksums, manifests
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.lakehouse import open_lakehouse
from millpond.pipeline.doctor import diagnose
from tests.bad_days.doom import Nursery, nursery
from tests.bad_days.reading import TABLE
from tests.bad_days.small import GOOD, check_answers, small_project
from tests.bad_days.test_at_once import served
from tests.catalog.clients import stock_duckdb

PROJECT = "version: 1\nname: rows\nengine: {memory: 300MB, threads: 1}\n"
OF_THE_TABLE = ("metadata", "list", "manifest", "delete manifest", "delete", "data")
STORE = "store"
SHORT_LIVED = ("access_tokens", "answers", "reports")
"""Tables of the pointer store whose rows are of use for hours: a bit changed there may go unseen."""


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Where `tests.bad_days.reading` runs, each time in a process that has read nothing before."""
    scratch = tmp_path_factory.mktemp("readers")
    with nursery(scratch, None, modules=("tests.bad_days.reading", "pyiceberg.io.pyarrow")) as born:
        yield born


class Lake:
    """A lake with one table, in files by two clients, some of its rows deleted; and what it is made of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "millpond.yaml").write_text(PROJECT)
        with served(folder, None, "--no-upkeep") as door:
            lake = stock_duckdb(door)
            lake.execute("CREATE SCHEMA lake.bronze")
            lake.execute("CREATE TABLE lake.bronze.t (n BIGINT, word VARCHAR)")
            lake.execute("INSERT INTO lake.bronze.t SELECT range, 'w' || range % 7 FROM range(100)")
            lake.execute("INSERT INTO lake.bronze.t SELECT range, 'v' || range % 7 FROM range(1000, 1100)")
            lake.execute("DELETE FROM lake.bronze.t WHERE n % 50 = 3")
            rows = pa.table({"n": [7, 8], "word": ["x", "y"]})
            load_catalog("lake", type="rest", uri=door, warehouse="prod").load_table(str(TABLE)).append(rows)
        with open_lakehouse(folder) as opened:
            opened.tags.add("kept", 3, "me")
            self.files = self._files(opened.catalog)

    def _files(self, catalog: Any) -> dict[str, list[Path]]:
        entry = catalog.table(TABLE)
        snapshot = catalog.metadata(entry).current_snapshot
        found: dict[str, list[Path]] = {kind: [] for kind in OF_THE_TABLE}
        found["metadata"].append(Path(entry.metadata_location))
        found["list"].append(Path(snapshot["manifest-list"]))
        for manifest in manifests.of_snapshot(snapshot):
            found["manifest" if manifest.content == "data" else "delete manifest"].append(Path(manifest.path))
            for file in manifests.files(manifest):
                found["data" if file.content == manifests.DATA else "delete"].append(Path(file.path))
        return found | {STORE: [self.folder / ".millpond" / "catalog.db"]}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that is put back after each flip."""
    return Lake(tmp_path_factory.mktemp("flips") / "lake")


@contextmanager
def flipped(path: Path, place: int, bit: int) -> Iterator[None]:
    """One bit is another one inside the block."""
    content = path.read_bytes()
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    path.write_bytes(changed)
    try:
        yield
    finally:
        for left in path.parent.glob(f"{path.name}-*"):
            left.unlink()
        path.write_bytes(content)


def read(readers: Nursery, lake: Lake) -> dict[str, Any]:
    """What doctor finds, and what each reader says: rows, or the words of its error; None for a process that ended."""
    ended = readers.command(lake.folder, program="tests.bad_days.reading:main")
    lines = [json.loads(line) for line in ended.out.splitlines() if line.startswith('{"by"')]
    told = {line["by"]: line.get("rows", line.get("error")) for line in lines}
    refused = {line["by"] for line in lines if "error" in line}
    return {"told": told, "refused": refused, "out": ended.out}


def places(path: Path, count: int, seed: int) -> list[tuple[int, int]]:
    """Some bits of a file, one in each part of it."""
    chance = random.Random(f"{path.suffix}{seed}")
    part = path.stat().st_size / count
    return [(int(part * (number + chance.random())), chance.randrange(8)) for number in range(count)]


def check_flip(kind: str, path: Path, readers: Nursery, lake: Lake, right: dict[str, Any]) -> None:
    """Doctor says which file of which table it is; readers are right or refuse, but for the data itself."""
    found = read(readers, lake)
    told, refused = found["told"], found["refused"]
    assert "doctor" not in refused, found["out"]
    located = [message for _, message in told["doctor"] if str(path) in message and f"{TABLE} (prod)" in message]
    assert located, found["out"]
    if kind != "data":
        for reader in ("gate", "pyiceberg", "duckdb"):
            assert reader in refused or told.get(reader) == right["told"][reader], (reader, found["out"])
        assert told.keys() == right["told"].keys(), f"a reader ended the process: {found['out']}"
    if "gate" in refused:
        assert told["gate"][0].startswith("MP-")


@pytest.mark.parametrize("kind", OF_THE_TABLE)
def test_a_flipped_bit_in_a_file_of_a_table_is_found(kind: str, readers: Nursery, lake: Lake) -> None:
    """In a file of each kind, at some places."""
    right = read(readers, lake)
    assert right["told"]["doctor"] == []
    assert not right["refused"]
    path = lake.files[kind][-1]
    for place, bit in places(path, 2, seed=2):
        with flipped(path, place, bit):
            check_flip(kind, path, readers, lake, right)


@pytest.mark.long
@pytest.mark.parametrize("kind", OF_THE_TABLE)
def test_every_flipped_bit_in_a_file_of_a_table_is_found(kind: str, readers: Nursery, lake: Lake) -> None:
    """Every 23rd byte of every file."""
    right = read(readers, lake)
    for path in lake.files[kind]:
        for place, bit in places(path, path.stat().st_size // 23, seed=3):
            with flipped(path, place, bit):
                check_flip(kind, path, readers, lake, right)


def rows_of(store: Path, scratch: Path) -> dict[str, list[Any]] | None:
    """Every row of the pointer store that lasts; None when SQLite cannot read them."""
    copy = scratch / "copy.db"
    shutil.copyfile(store, copy)
    try:
        with closing(sqlite3.connect(copy)) as db:
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            lasting = [name for name in names if name not in SHORT_LIVED]
            return {name: sorted(map(repr, db.execute(f'SELECT * FROM "{name}"'))) for name in lasting}
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def check_store_flip(readers: Nursery, lake: Lake, scratch: Path, right: dict[str, Any]) -> bool:
    """Doctor finds that the catalog is damaged, or not a row of it changed; whether it found anything."""
    found = read(readers, lake)
    told, refused = found["told"], found["refused"]
    seen = "doctor" in refused or bool(told.get("doctor"))
    (store,) = lake.files[STORE]
    if "doctor" in refused:
        assert told["doctor"][0].startswith("MP-"), found["out"]
    if not seen:
        assert rows_of(store, scratch) == right["rows"], "changed rows that doctor did not find"
    for reader in ("gate", "pyiceberg", "duckdb"):
        assert reader in refused or told.get(reader) == right["told"][reader], (reader, found["out"])
    return seen


def used(store: Path, count: int, seed: int) -> list[tuple[int, int]]:
    """Some bits of the store's file that are not zero with all of their neighbours: where something is written."""
    content = store.read_bytes()
    chance = random.Random(seed)
    written = [place for place in range(64, len(content)) if any(content[place - 4 : place + 4])]
    return [(chance.choice(written), chance.randrange(8)) for _ in range(count)]


def test_a_flipped_bit_in_the_pointer_store_is_found(readers: Nursery, lake: Lake, tmp_path: Path) -> None:
    """Where something is written; what is found says so of the catalog, and readers are right or refuse."""
    (store,) = lake.files[STORE]
    right = read(readers, lake) | {"rows": rows_of(store, tmp_path)}
    assert right["rows"]["commits"]
    seen = 0
    for place, bit in used(store, 6, seed=4):
        with flipped(store, place, bit):
            seen += check_store_flip(readers, lake, tmp_path, right)
    assert seen >= 3


@pytest.mark.parametrize(
    ("words", "skip"),
    [("tablepointers", 0), ("tablepointers", 5), ("tablealembic_version", 8), ("environment VARCHAR", 13)],
)
def test_a_flipped_bit_in_the_stores_list_of_its_tables_is_found(words: str, skip: int, lake: Lake) -> None:
    """SQLite reads small letters as large ones there, and rows as before: the kind of an entry, its name, a type."""
    (store,) = lake.files[STORE]
    place = store.read_bytes().index(words.encode()) + skip
    with flipped(store, place, 5), open_lakehouse(lake.folder) as opened:
        found = diagnose(opened.project, opened.catalog, opened.engine).findings
    assert {finding.code for finding in found} == {"MP-3195"}
    with open_lakehouse(lake.folder) as opened:
        assert diagnose(opened.project, opened.catalog, opened.engine).findings == ()


@pytest.mark.long
@pytest.mark.parametrize("share", range(6))
def test_many_flipped_bits_in_the_pointer_store_are_found(
    share: int, readers: Nursery, lake: Lake, tmp_path: Path
) -> None:
    """The same for a thousand of them."""
    (store,) = lake.files[STORE]
    right = read(readers, lake) | {"rows": rows_of(store, tmp_path)}
    for place, bit in used(store, 170, seed=5 + share):
        with flipped(store, place, bit):
            check_store_flip(readers, lake, tmp_path, right)


def test_every_value_that_a_commit_wrote_is_vouched_for(tmp_path: Path) -> None:
    """Whatever column of whatever table changes, doctor names the commit, or the index that says otherwise."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    store = tmp_path / ".millpond" / "catalog.db"
    with open_lakehouse(tmp_path) as lake:
        assert lake.runner.run().ok
        lake.tags.add("kept", 3, "me")
        assert diagnose(lake.project, lake.catalog, lake.engine).sound
    saved = store.read_bytes()
    for table, column, change in (
        ("commits", "ledger", "replace(ledger, '\"inserted\": ', '\"inserted\": 1')"),
        ("commits", "at", "at + 1"),
        ("commits", "principal", "principal || 'x'"),
        ("cursors", "number", "number - 1"),
        ("source_files", "records", "records + 1"),
        ("verdicts", "failed", "failed + 1"),
        ("model_states", "definition", "definition || ' '"),
        ("lineage", "input_column", "input_column || 'x'"),
        ("pointers", "created", "created + 1"),
        ("pointers", "kind", "'uable'"),
    ):
        with closing(sqlite3.connect(store)) as db, db:
            changed = f'UPDATE {table} SET "{column}" = {change} WHERE rowid = (SELECT max(rowid) FROM {table})'
            assert db.execute(changed).rowcount == 1
        with open_lakehouse(tmp_path) as lake:
            found = diagnose(lake.project, lake.catalog, lake.engine).findings
            assert "MP-3195" in {finding.code for finding in found}, (table, column)
        store.write_bytes(saved)


def rotten(store: Path, word: bytes, near: int = 0) -> bytes:
    """The store's content, a byte of each place of a word no longer UTF-8."""
    content = store.read_bytes()
    assert word in content
    changed = bytearray(content)
    at = content.find(word)
    while at >= 0:
        changed[at + near] |= 0x80
        at = content.find(word, at + 1)
    return bytes(changed)


def test_text_of_the_catalog_that_is_no_utf_8_is_told_as_damage(tmp_path: Path) -> None:
    """In its schema, which SQLite's own words quote, and in a row: who opens it hears what is damaged."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    store = tmp_path / ".millpond" / "catalog.db"
    with open_lakehouse(tmp_path) as lake:
        assert lake.runner.run().ok
    saved = store.read_bytes()
    for word, near in ((b"CREATE TABLE commits", 7), (b"CREATE TABLE commits", 13), (b"silverrides", 2)):
        store.write_bytes(rotten(store, word, near))
        with pytest.raises(CatalogError) as refused, open_lakehouse(tmp_path) as lake:
            diagnose(lake.project, lake.catalog, lake.engine)
        assert refused.value.code == "MP-3053", (word, near)
        store.write_bytes(saved)


def test_a_value_of_the_catalog_that_became_bytes_or_nothing_is_told(tmp_path: Path) -> None:
    """A bit of its type changed: doctor goes through, and names the damage."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    store = tmp_path / ".millpond" / "catalog.db"
    with open_lakehouse(tmp_path) as lake:
        assert lake.runner.run().ok
    saved = store.read_bytes()
    for change in ("principal = CAST(principal AS BLOB)", "at = NULL"):
        with closing(sqlite3.connect(store)) as db, db:
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'commits'")
        with closing(sqlite3.connect(store)) as db, db:
            db.execute(f"UPDATE commits SET {change} WHERE number = 2")
        with open_lakehouse(tmp_path) as lake:
            found = diagnose(lake.project, lake.catalog, lake.engine).findings
            assert "MP-3195" in {finding.code for finding in found}, change
        store.write_bytes(saved)


def test_a_catalog_that_lost_its_newest_commits_is_told(tmp_path: Path) -> None:
    """An older copy stands in for a write-ahead log that was cut off by a changed bit."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    store = tmp_path / ".millpond" / "catalog.db"
    with open_lakehouse(tmp_path) as lake:
        assert lake.runner.run().ok
    older = store.read_bytes()
    arrivals.arrive()
    with open_lakehouse(tmp_path) as lake:
        assert lake.runner.run().ok
    store.write_bytes(older)
    with open_lakehouse(tmp_path) as lake:
        found = diagnose(lake.project, lake.catalog, lake.engine).findings
        assert [finding.code for finding in found if finding.severity == "error"] == ["MP-3210"]


def test_a_large_file_gets_its_checksum_by_upkeep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits do not wait for it; from then on a bit changed inside a column is found."""
    monkeypatch.setattr(checksums, "LARGEST", 100)
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    with open_lakehouse(tmp_path) as lake:
        assert lake.runner.run().ok
        facts = dict(diagnose(lake.project, lake.catalog, lake.engine).facts)
        assert facts["data files known by size and footer only"]
        planned = {step.work for step in lake.upkeep.plan().steps}
        assert planned == {"sum"}
        report = lake.upkeep.run()
        assert report.ok
        assert {done.step.work for done in report.done} == {"sum"}
        assert lake.upkeep.plan().steps == ()
        facts = dict(diagnose(lake.project, lake.catalog, lake.engine).facts)
        assert facts["data files known by size and footer only"] == 0
        path = data_file(lake.catalog, GOOD)
        with flipped(path, path.stat().st_size // 3, 2):
            (found,) = diagnose(lake.project, lake.catalog, lake.engine).findings
            assert found.code == "MP-3192"
            assert str(path) in found.message


def data_file(catalog: Any, table: TableName) -> Path:
    """A data file of a table."""
    snapshot = catalog.metadata(catalog.table(table)).current_snapshot
    return Path(manifests.files(manifests.of_snapshot(snapshot)[0])[0].path)


def misnamed(path: Path) -> bytes:
    """A manifest that is whole, and names a file by another name: one changed bit in an uncompressed one does it."""
    found = avro.contents(str(path))
    for record in found.records:
        record["data_file"]["file_path"] = record["data_file"]["file_path"].replace(".parquet", ".qarquet")
    other = path.with_suffix(".other")
    avro.write(str(other), json.loads(found.schema), found.records, found.header)
    content = other.read_bytes()
    other.unlink()
    return content


def test_upkeep_neither_rewrites_nor_deletes_on_the_word_of_a_changed_file(tmp_path: Path) -> None:
    """A rewrite would vouch for the changed bit, and a changed path makes a file that is needed look needless."""
    arrivals = small_project(tmp_path)
    settings = tmp_path / "millpond.yaml"
    settings.write_text(settings.read_text() + "retention: {all: 0m, hourly: 0m, daily: 0m, orphans: 0m}\n")
    with open_lakehouse(tmp_path) as lake:
        for _ in range(5):
            arrivals.arrive()
            assert lake.runner.run().ok
        path = data_file(lake.catalog, GOOD)
        snapshot = lake.catalog.metadata(lake.catalog.table(GOOD)).current_snapshot
        manifest = Path(manifests.of_snapshot(snapshot)[0].path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 2
    for changed, other in ((path, bytes(content)), (manifest, misnamed(manifest))):
        saved = changed.read_bytes()
        changed.write_bytes(other)
        with open_lakehouse(tmp_path) as lake:
            report = lake.upkeep.run()
            failed = {(step.work, step.table): error.code for step, error in report.failures}
            assert failed[("compact", GOOD)] == "MP-3192"
            assert changed == path or failed[("clean", None)] == "MP-3192"
        assert path.exists()
        changed.write_bytes(saved)
    with open_lakehouse(tmp_path) as lake:
        assert lake.upkeep.run().ok
        assert lake.runner.run().ok
        check_answers(lake, arrivals)
        assert diagnose(lake.project, lake.catalog, lake.engine).sound


def test_a_changed_view_is_told(tmp_path: Path) -> None:
    """Its metadata has a checksum as well."""
    lake = Lake(tmp_path / "lake")
    column = {"id": 1, "name": "n", "required": False, "type": "long"}
    view = {
        "name": "v",
        "schema": {"type": "struct", "schema-id": 0, "fields": [column]},
        "view-version": {
            "version-id": 1, "schema-id": 0, "timestamp-ms": 1, "summary": {}, "default-namespace": ["bronze"],
            "representations": [{"type": "sql", "sql": "SELECT n FROM bronze.t", "dialect": "duckdb"}],
        },
        "properties": {},
    }  # fmt: skip
    with served(lake.folder) as door:
        owner: Any = load_catalog("lake", type="rest", uri=door, warehouse="prod")
        answer = owner._session.post(f"{door}/v1/prod/namespaces/bronze/views", json=view)
        assert answer.status_code == 200, answer.text
    path = Path(answer.json()["metadata-location"])
    with flipped(path, path.read_bytes().index(b"SELECT n") + 7, 0), open_lakehouse(lake.folder) as opened:
        (found,) = diagnose(opened.project, opened.catalog, opened.engine).findings
        assert (found.code, "bronze.v (prod)" in found.message) == ("MP-3192", True)
        stage = opened.catalog.begin("look")
        with pytest.raises(CatalogError) as refused:
            stage.views.metadata(TableName("bronze", "v"))
        assert refused.value.code == "MP-3192"
        stage.discard()
