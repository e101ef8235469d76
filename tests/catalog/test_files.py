"""Metadata files on a disk: whole or not there, and on the disk before anyone is told."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from millpond.catalog import files
from millpond.core.errors import CatalogError
from tests.catalog.test_metadata import grown


class Disk:
    """Notes what is synced; fails with `failing` when it is asked to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[str] = []
        self.failing: OSError | None = None
        self._real = os.fsync
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, handle: int) -> None:
        if self.failing:
            raise self.failing
        self.synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        self._real(handle)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk, watched."""
    return Disk(monkeypatch)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """The same document, with its path."""
    path = files.write(grown(2), str(tmp_path / "metadata"), 7)
    assert Path(path).name.startswith("00007-")
    assert path.endswith(".metadata.json")
    found = files.read(path)
    assert (found.document, found.path) == (grown(2).document, path)
    assert files.read(f"file://{path}").document == found.document


def test_a_file_is_synced_before_it_has_its_name_and_its_folder_after(tmp_path: Path, disk: Disk) -> None:
    """A power loss leaves the old state or the new one."""
    path = files.write(grown(1), str(tmp_path), 0)
    assert len(disk.synced) == 2
    assert disk.synced[0].endswith(".tmp")
    assert disk.synced[1] == str(tmp_path)
    assert list(tmp_path.iterdir()) == [Path(path)]


def test_two_writes_of_one_version_never_meet(tmp_path: Path) -> None:
    """Each has a name of its own."""
    assert files.write(grown(1), str(tmp_path), 3) != files.write(grown(1), str(tmp_path), 3)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, disk: Disk) -> None:
    """The error says what to do; no half file stays."""
    disk.failing = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(CatalogError, match="No space left") as failed:
        files.write(grown(1), str(tmp_path), 0)
    assert failed.value.code == "MP-3039"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "metadata").write_text("in the way")
    with pytest.raises(CatalogError) as failed:
        files.write(grown(1), str(tmp_path / "metadata"), 0)
    assert failed.value.code == "MP-3039"


def test_a_missing_file_is_told_in_java_s_words(tmp_path: Path) -> None:
    """Clients look for the text."""
    path = str(tmp_path / "gone.metadata.json")
    with pytest.raises(CatalogError) as failed:
        files.read(path)
    assert failed.value.code == "MP-3032"
    assert failed.value.finding.message.startswith(f"Failed to open input stream for file: {path}")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format-version": 2}', json.dumps({"schema": 3}).encode()]
)
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    """Empty, torn, no JSON, no table."""
    path = tmp_path / "v1.metadata.json"
    path.write_bytes(content)
    with pytest.raises(CatalogError) as failed:
        files.read(str(path))
    assert failed.value.code == "MP-3033"
    assert str(path) in failed.value.finding.message


def test_each_file_and_folder_is_synced_once(tmp_path: Path, disk: Disk) -> None:
    """Folders follow their files, up to the one that holds the table's."""
    table = tmp_path / "layer" / "t-1"
    paths = [
        table / "data" / "p=1" / "a",
        table / "data" / "p=1" / "b",
        table / "data" / "p=2" / "c",
        table / "metadata" / "m",
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    files.fsync_files(map(str, paths), str(table))
    folders = [table / "data" / "p=1", table / "data" / "p=2", table / "data", table / "metadata", table, table.parent]
    assert sorted(disk.synced) == sorted(map(str, [*paths, *folders]))
    assert set(disk.synced[: len(paths)]) == set(map(str, paths))


def test_without_a_root_only_the_folder_of_a_file_is_synced(tmp_path: Path, disk: Disk) -> None:
    """For files whose folder is old."""
    (tmp_path / "a").write_bytes(b"x")
    files.fsync_files([str(tmp_path / "a")])
    assert disk.synced == [str(tmp_path / "a"), str(tmp_path)]


def test_nothing_to_sync_is_no_work(disk: Disk) -> None:
    """An empty list is fine."""
    files.fsync_files([])
    assert disk.synced == []


def test_a_missing_or_failing_file_stops_the_commit(tmp_path: Path, disk: Disk) -> None:
    """Which of both is told apart."""
    with pytest.raises(CatalogError) as missing:
        files.fsync_files([str(tmp_path / "none")])
    (tmp_path / "a").write_bytes(b"x")
    disk.failing = OSError(errno.EIO, "Input/output error")
    with pytest.raises(CatalogError) as failing:
        files.fsync_files([str(tmp_path / "a")])
    assert (missing.value.code, failing.value.code) == ("MP-3034", "MP-3039")
