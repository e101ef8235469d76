"""Files that are deleted, cut, overwritten or have a bit flipped: a clear error, and right again once they are back."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from millpond.catalog import avro, manifests
from millpond.core.errors import MillpondError
from millpond.lakehouse import open_lakehouse
from tests.bad_days.doom import Ended, Nursery
from tests.bad_days.scene import Scene
from tests.bad_days.small import GOOD

ROWS = "SELECT sum(ride), sum(minutes) FROM silver.rides"


def delete(path: Path) -> None:
    """Gone."""
    path.unlink()


def cut(path: Path) -> None:
    """The second half is gone."""
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    """Nothing is left in it."""
    os.truncate(path, 0)


def junk(path: Path) -> None:
    """Something else is in it."""
    path.write_bytes(bytes(range(256)) * 40)


def folder(path: Path) -> None:
    """A folder lies in its place."""
    path.unlink()
    path.mkdir()


def table_files(project: Path) -> dict[str, Path]:
    """A file of each kind that the table of good rides is made of."""
    with open_lakehouse(project) as lake:
        entry = lake.catalog.table(GOOD)
        snapshot = lake.catalog.metadata(entry).current_snapshot
        assert snapshot is not None
        listed = manifests.manifests(snapshot["manifest-list"])
        return {
            "data": Path(manifests.files(listed[0])[0].path),
            "manifest": Path(listed[0].path),
            "list": Path(snapshot["manifest-list"]),
            "metadata": Path(entry.metadata_location),
        }


def state_files(project: Path) -> dict[str, Path]:
    """The files that a project is declared in, and those of its state."""
    state = project / ".millpond"
    return {
        "project": project / "millpond.yaml",
        "source": project / "sources" / "rides_raw.yaml",
        "model": project / "models" / "silver" / "rides.sql",
        "catalog": state / "catalog.db",
        "runs": state / "runs.db",
        "audit": state / "audit.db",
        "lock": state / "run.lock",
    }


def refused_by(commands: Nursery, project: Path) -> dict[str, Ended]:
    """The commands that end with an error while a file is damaged; each error must be a clear one."""
    ended = {
        "query": commands.command(project, "query", ROWS, "--json"),
        "run": commands.command(project, "run", "--json"),
    }
    for each in ended.values():
        each.check_clear()
    return {name: each for name, each in ended.items() if each.code}


@contextmanager
def damaged(path: Path, harm: Callable[[Path], None]) -> Iterator[None]:
    """The file is damaged inside the block, and as it was afterwards."""
    content, told = path.read_bytes(), path.stat()
    harm(path)
    yield
    if path.is_dir():
        path.rmdir()
    path.write_bytes(content)
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))


@pytest.mark.parametrize("kind", ["data", "manifest", "list", "metadata"])
def test_a_damaged_file_of_a_table_is_told_and_mended_by_its_return(
    kind: str, commands: Nursery, tmp_path: Path
) -> None:
    """Reading says which file it is; a run fails without doing harm; with the file back the next run is right."""
    scene = Scene(tmp_path, later=True)
    path = table_files(scene.folder)[kind]
    for harm in (delete, cut, junk):
        scene.put_back()
        with damaged(path, harm):
            refused = refused_by(commands, scene.folder)
        assert set(refused) == {"query", "run"}, harm.__name__
        assert path.name in refused["query"].complaints[0]["message"]
    scene.mend()


BOTH, NEITHER = frozenset({"query", "run"}), frozenset[str]()
RUN, QUERY = frozenset({"run"}), frozenset({"query"})
STATE = {
    "project": {cut: BOTH, empty: BOTH, junk: BOTH, delete: BOTH},
    "source": {cut: RUN, empty: RUN, junk: RUN},
    "model": {cut: RUN, junk: RUN, delete: RUN},
    "catalog": {cut: BOTH, empty: BOTH, junk: BOTH, delete: BOTH, folder: BOTH},
    "runs": {cut: RUN, junk: RUN, folder: RUN, delete: NEITHER},
    "audit": {cut: QUERY, junk: QUERY, folder: QUERY, delete: NEITHER},
    "lock": {junk: NEITHER, folder: RUN, delete: NEITHER},
}
"""Which commands a damage stops. A deleted run log or audit begins anew; nobody holds a lock that is only a file."""


@pytest.mark.parametrize("kind", STATE)
def test_a_damaged_file_of_the_project_is_told_and_mended_by_its_return(
    kind: str, commands: Nursery, tmp_path: Path
) -> None:
    """Only what needs the file is stopped, with a clear error; with the file back the next run is right."""
    scene = Scene(tmp_path, later=True)
    path = state_files(scene.folder)[kind]
    for harm, stopped in STATE[kind].items():
        scene.put_back()
        with damaged(path, harm):
            assert refused_by(commands, scene.folder).keys() == stopped, harm.__name__
        for left in scene.folder.glob(f".millpond/{path.name}-*"):
            left.unlink()
    scene.mend()


def flips(path: Path, count: int, seed: int) -> Iterator[Callable[[Path], None]]:
    """Harms that flip one bit each."""
    chance = random.Random(seed)
    for _ in range(count):
        position, bit = chance.randrange(path.stat().st_size), 1 << chance.randrange(8)

        def flip(file: Path, position: int = position, bit: int = bit) -> None:
            content = bytearray(file.read_bytes())
            content[position] ^= bit
            file.write_bytes(content)

        yield flip


def read_all(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a table with nothing of it in memory; what is wrong with it must be an error of ours."""
    with monkeypatch.context() as patch:
        patch.setattr(manifests, "_KEPT_LISTS", avro.Kept(1000))
        patch.setattr(manifests, "_KEPT_FILES", avro.Kept(1000))
        with open_lakehouse(project) as lake, suppress(MillpondError):
            lake.tables.query(ROWS).rows()


@pytest.mark.parametrize("kind", ["data", "manifest", "list", "metadata"])
def test_a_flipped_bit_never_ends_the_process(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, or it changes nothing that matters; a value in a data page may be read wrongly, as Parquet has it."""
    scene = Scene(tmp_path, later=True)
    path = table_files(scene.folder)[kind]
    for flip in flips(path, 8, seed=4):
        with damaged(path, flip):
            read_all(scene.folder, monkeypatch)
    scene.mend()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["data", "manifest", "list", "metadata"])
def test_many_flipped_bits_never_end_the_process(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for hundreds of them."""
    scene = Scene(tmp_path, later=True)
    path = table_files(scene.folder)[kind]
    for flip in flips(path, 300, seed=5):
        with damaged(path, flip):
            read_all(scene.folder, monkeypatch)
    scene.mend()
