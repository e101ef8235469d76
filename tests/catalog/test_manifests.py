"""Manifests and their lists: those of other writers read, own lists readable by others."""

from __future__ import annotations

import dataclasses
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    read_manifest_list,
    write_manifest,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema as PySchema
from pyiceberg.typedef import Record

from millpond.catalog import avro, checksums, files, manifests
from millpond.catalog.metadata import TableMetadata, apply
from millpond.core.errors import CatalogError
from tests.catalog.test_metadata import snapshot, table

IO = PyArrowFileIO()


@pytest.fixture(scope="module")
def foreign(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables that Spark, PyIceberg and BigQuery wrote."""
    folder = tmp_path_factory.mktemp("iceberg")
    with tarfile.open(shared_data / "formats" / "iceberg_tables.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def moved(path: str, near: Path) -> Path | None:
    """Where a file of a table now lies that was written on another machine."""
    return next(iter(sorted(near.rglob(Path(path).name))), None)


def test_tables_of_other_writers_are_read_as_pyiceberg_reads_them(foreign: Path) -> None:
    """Versions 1 to 3: statuses, inherited sequence numbers, counts, bounds and partitions are the same."""
    compared = 0
    for path in sorted(foreign.rglob("*.metadata.json")):
        found = files.read(str(path))
        root = path.parent.parent
        current = found.current_snapshot
        listed = moved(current["manifest-list"], root) if current else None
        if listed is None:
            continue
        ours = manifests.manifests(str(listed))
        theirs = list(read_manifest_list(IO.new_input(str(listed))))
        assert [row.path for row in ours] == [row.manifest_path for row in theirs]
        for one, other in zip(ours, theirs, strict=True):
            same_manifest(one, other)
            here = moved(one.path, root)
            if here is None:
                continue
            other[0] = str(here)
            entries = manifests.entries(dataclasses.replace(one, path=str(here)))
            compared += same_entries(entries, other.fetch_manifest_entry(IO, discard_deleted=False))
    assert compared > 30


def same_manifest(one: manifests.Manifest, other: ManifestFile) -> None:
    """A list's row, as both read it."""
    assert one.content == ("deletes" if other.content else "data")
    assert one.sequence_number == (other.sequence_number or 0)
    assert one.added_snapshot_id == other.added_snapshot_id
    assert (one.length, one.partition_spec_id) == (other.manifest_length, other.partition_spec_id)
    assert one.added_files == (-1 if other.added_files_count is None else other.added_files_count)


def same_entries(ours: Any, theirs: list[ManifestEntry]) -> int:
    """A manifest's entries, as both read them; how many."""
    for one, other in zip(ours, theirs, strict=True):
        row = other.data_file
        assert (one.path, one.status, one.content) == (row.file_path, other.status.value, int(row.content))
        assert (one.records, one.size) == (row.record_count, row.file_size_in_bytes)
        assert one.format == row.file_format.value.lower()
        assert one.sequence_number == (other.sequence_number or 0)
        assert one.snapshot_id == other.snapshot_id
        assert one.lower_bounds == (row.lower_bounds or {})
        assert one.upper_bounds == (row.upper_bounds or {})
        assert one.equality_ids == tuple(row.equality_ids or ())
    return len(theirs)


class Written:
    """Manifests written by PyIceberg into a table's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lists = 0
        for name in ("data", "metadata"):
            (folder / name).mkdir(parents=True)

    def data(self, name: str) -> str:
        """A data file."""
        path = self.folder / "data" / name
        path.write_bytes(b"rows")
        return str(path)

    def manifest(
        self, name: str, paths: list[str], status: ManifestEntryStatus = ManifestEntryStatus.ADDED, number: int = 1
    ) -> manifests.Manifest:
        """A manifest of files of 10 rows each."""
        path = f"{self.folder}/metadata/{name}.avro"
        spec, schema = UNPARTITIONED_PARTITION_SPEC, PySchema.model_validate(table().schema_document)
        with write_manifest(2, spec, schema, IO.new_output(path), number, "null") as writer:
            for data in paths:
                row = DataFile.from_args(
                    content=DataFileContent.DATA,
                    file_path=data,
                    file_format=FileFormat.PARQUET,
                    partition=Record(),
                    record_count=10,
                    file_size_in_bytes=100,
                    lower_bounds={1: b"\x01"},
                )
                if status == ManifestEntryStatus.ADDED:
                    writer.add(ManifestEntry.from_args(status=status, snapshot_id=number, data_file=row))
                else:
                    numbers = {"sequence_number": 1, "file_sequence_number": 1}
                    writer.existing(ManifestEntry.from_args(status=status, snapshot_id=1, data_file=row, **numbers))
        record = {
            "manifest_path": path,
            "manifest_length": Path(path).stat().st_size,
            "partition_spec_id": 0,
            "added_snapshot_id": number,
            "added_files_count": len(paths),
            "added_rows_count": 10 * len(paths),
            "sequence_number": 3,
            "min_sequence_number": 3,
        }
        return manifests.manifest_of(record)

    def table(self, *snapshots: list[manifests.Manifest]) -> TableMetadata:
        """A table with these manifests in each of its snapshots."""
        found = TableMetadata({**table().document, "location": str(self.folder)})
        for number, listed in enumerate(snapshots, 1):
            self.lists += 1
            path = f"{self.folder}/metadata/list-{self.lists}.avro"
            rows = [dict(row.record) for row in listed]
            manifests.write_list(path, rows, snapshot_id=number, parent_id=None, sequence_number=number)
            sent = {**snapshot(number, number, number - 1 or None), "manifest-list": path}
            main = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": number}
            found = apply(found, [{"action": "add-snapshot", "snapshot": sent}, main], 2000 + number)
        return found


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """An empty table's folder."""
    return Written(tmp_path / "silver" / "t-1")


def codes(previous: TableMetadata | None, updated: TableMetadata) -> str:
    """The code with which a commit is refused."""
    with pytest.raises(CatalogError) as refused:
        checksums.synced(manifests.new_files(previous, updated), updated.location)
    return refused.value.code


def test_own_lists_are_read_by_pyiceberg(written: Written) -> None:
    """Every field, by field id; version 1 rows are completed."""
    first = written.manifest("m1", [written.data("a"), written.data("b")])
    old = {"manifest_path": "/x.avro", "manifest_length": 5, "partition_spec_id": 2, "added_data_files_count": 4}
    path = f"{written.folder}/metadata/list.avro"
    summary = [{"contains_null": False, "contains_nan": None, "lower_bound": b"\x01", "upper_bound": b"\x02"}]
    rows = [{**first.record, "partitions": summary}, old]
    manifests.write_list(path, rows, snapshot_id=5, parent_id=4, sequence_number=6)
    one, two = read_manifest_list(IO.new_input(path))
    assert (one.manifest_path, one.sequence_number, one.added_rows_count) == (first.path, 3, 20)
    assert one.partitions is not None
    assert (one.partitions[0].contains_null, one.partitions[0].upper_bound) == (False, b"\x02")
    assert (two.added_files_count, two.content, two.added_snapshot_id) == (4, 0, 0)
    assert [row.path for row in manifests.manifests(path)] == [first.path, "/x.avro"]


def test_an_empty_list_is_an_empty_table(written: Written) -> None:
    """Both readers see no manifests."""
    path = f"{written.folder}/metadata/list.avro"
    manifests.write_list(path, [], snapshot_id=5, parent_id=None, sequence_number=1)
    assert manifests.manifests(path) == ()
    assert list(read_manifest_list(IO.new_input(path))) == []


def test_an_added_file_inherits_the_numbers_of_its_manifest(written: Written) -> None:
    """A rebase changes the list's row alone, and the files follow."""
    manifest = written.manifest("m1", [written.data("a")])
    (entry,) = manifests.files(manifest)
    assert (entry.sequence_number, entry.file_sequence_number, entry.status) == (3, 3, manifests.ADDED)
    (later,) = manifests.files(dataclasses.replace(manifest, sequence_number=9))
    assert later.sequence_number == 9
    existing = written.manifest("m2", [written.data("b")], ManifestEntryStatus.EXISTING)
    assert manifests.files(existing)[0].sequence_number == 1


@pytest.mark.parametrize("content", [None, b"", b"Obj\x01torn", b"no avro at all"])
def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, torn, something else."""
    path = tmp_path / "m.avro"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CatalogError) as damaged:
        manifests.manifests(str(path))
    assert damaged.value.code == "MP-3036"


def test_every_bit_flip_is_told_or_harmless(written: Written) -> None:
    """A damaged manifest never ends in another kind of error."""
    manifest = written.manifest("m1", [written.data("a")])
    whole = Path(manifest.path).read_bytes()
    for place in range(0, len(whole), 7):
        other = written.folder / "metadata" / f"flip-{place}.avro"
        other.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            manifests.entries(dataclasses.replace(manifest, path=str(other)))
        except CatalogError as damaged:
            assert damaged.code == "MP-3036"  # noqa: PT017 - some flips do no harm


def test_an_avro_file_of_another_kind_is_told(written: Written) -> None:
    """A manifest is no manifest list."""
    manifest = written.manifest("m1", [written.data("a")])
    with pytest.raises(CatalogError, match="lack"):
        manifests.manifests(manifest.path)
    path = f"{written.folder}/metadata/list.avro"
    manifests.write_list(path, [dict(manifest.record)], snapshot_id=5, parent_id=None, sequence_number=1)
    with pytest.raises(CatalogError, match="lack"):
        manifests.entries(dataclasses.replace(manifest, path=path))


def test_what_a_commit_brings_is_told_by_name(written: Written) -> None:
    """Lists, manifests and data files of new snapshots, and nothing that was there before."""
    first, second = written.manifest("m1", [written.data("a")]), written.manifest("m2", [written.data("b")], number=2)
    before, after = written.table([first]), written.table([first], [first, second])
    folder = str(written.folder)
    assert manifests.new_files(before, after) == (f"{folder}/metadata/list-3.avro", second.path, f"{folder}/data/b")
    assert len(manifests.new_files(None, after)) == 6
    assert manifests.new_files(after, after) == ()


def test_checksums_are_those_of_the_files_that_were_synced(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each small file is put on the disk and has its checksum; a large one is put there alone."""
    paths = [written.data(name) for name in "abc"]
    large = tmp_path / "large"
    large.write_bytes(bytes(checksums.LARGEST + 1))
    seen: list[str] = []
    monkeypatch.setattr(checksums, "fsync_files", lambda paths, root: seen.extend([*paths, root]))
    found = checksums.synced([*paths, str(large)], str(tmp_path))
    assert seen == [*paths, str(large), str(tmp_path)]
    assert found == checksums.taken(paths) == tuple(map(checksums.of_file, paths))


@pytest.mark.parametrize("gone", ["metadata/list-1.avro", "metadata/m1.avro", "data/a"])
def test_a_commit_that_names_a_missing_file_is_refused(written: Written, gone: str) -> None:
    """List, manifest or data file."""
    made = written.table([written.manifest("m1", [written.data("a")])])
    (written.folder / gone).unlink()
    assert codes(None, made) == "MP-3034"


def test_a_commit_that_names_a_file_elsewhere_is_refused(written: Written, tmp_path: Path) -> None:
    """Outside, through `..`, through a link, by another scheme: added or said to be old."""
    outside = tmp_path / "secret"
    outside.write_bytes(b"x")
    (written.folder / "data" / "link").symlink_to(outside)
    (written.folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    inside = str(written.folder)
    paths = [
        str(outside),
        f"{inside}/../../secret",
        f"{inside}/data/link",
        f"{inside}/linked/secret",
        "s3://b/x",
        "data/a",
    ]
    for place, path in enumerate(paths):
        for status in (ManifestEntryStatus.ADDED, ManifestEntryStatus.EXISTING):
            made = written.table([written.manifest(f"m{place}-{status.value}", [path], status)])
            assert codes(None, made) == "MP-3035"


def test_statistics_files_must_be_the_table_s_own(written: Written) -> None:
    """Other engines open the paths that metadata names."""
    made = written.table([written.manifest("m1", [written.data("a")])])
    for path, code in (("/etc/passwd", "MP-3035"), (f"{written.folder}/metadata/none.puffin", "MP-3034")):
        sent = {"action": "set-statistics", "statistics": {"snapshot-id": 1, "statistics-path": path}}
        assert codes(made, apply(made, [sent], 5000)) == code
    Path(path).write_bytes(b"PFA1")
    assert manifests.new_files(made, apply(made, [sent], 5000)) == (path,)


def test_a_manifest_is_read_once(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never changes, so what was read is kept."""
    made = written.table([written.manifest("m1", [written.data("a"), written.data("b")])])
    first = [manifests.files(row) for row in manifests.of_snapshot(made.current_snapshot)]
    monkeypatch.setattr(avro, "read", lambda path: pytest.fail(f"{path} was read again"))
    assert [manifests.files(row) for row in manifests.of_snapshot(made.current_snapshot)] == first
    assert manifests.of_snapshot(None) == ()


def test_a_snapshot_without_a_list_is_told(written: Written) -> None:
    """Version 1 could name manifests in the snapshot itself; nobody writes that any more."""
    with pytest.raises(CatalogError) as refused:
        manifests.of_snapshot({"snapshot-id": 1, "manifests": ["/x"]})
    assert refused.value.code == "MP-3036"


def test_a_fork_may_go_on_naming_the_files_that_it_began_with(written: Written, tmp_path: Path) -> None:
    """Files that lie elsewhere stay, when the table named them before; new ones must be its own."""
    elsewhere = Written(tmp_path / "silver" / "original-1")
    old = elsewhere.manifest("m1", [elsewhere.data("a")])
    before = written.table([old])
    rewritten = written.manifest("m2", [f"{elsewhere.folder}/data/a"], ManifestEntryStatus.EXISTING, number=2)
    assert f"{elsewhere.folder}/data/a" not in manifests.new_files(before, written.table([old], [rewritten]))
    stranger = written.manifest("m3", [elsewhere.data("b")], ManifestEntryStatus.EXISTING, number=2)
    assert codes(before, written.table([old], [stranger])) == "MP-3035"


def test_what_is_kept_of_manifests_is_bounded() -> None:
    """The least recently used go first; what is asked for is always answered."""
    kept = avro.Kept(6)
    made: list[str] = []

    def make(path: str) -> Any:
        made.append(path)
        return [path] * 2

    for path in ("a", "b", "a", "c", "a", "b"):
        assert kept.get(path, lambda path=path: make(path)) == [path] * 2
    assert made == ["a", "b", "c", "b"]
    assert kept.get("huge", lambda: ["x"] * 100) == ["x"] * 100
