"""Second names for the files of new commits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.keeper import FOLDER, Keeper, recover
from millpond.catalog.metadata import TableMetadata

from .clients import NAME, SCHEMA, files_under, step

Duck = Callable[..., duckdb.DuckDBPyConnection]


class Hands:
    """A clock in seconds whose hands a test moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        """What they show."""
        return self.time


class Quiet(Keeper):
    """A keeper that looks only when it is told to."""

    def _run(self) -> None:
        return


@pytest.fixture
def written(catalog: Catalog, closed_door: str, duck: Duck) -> TableMetadata:
    """A table with one data file."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    duck(closed_door, stage.token).execute("INSERT INTO lake.silver.positions VALUES (1, 'x')")
    stage.publish(step("a"))
    return catalog.metadata(catalog.table(NAME))


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def keeper(catalog: Catalog, hands: Hands) -> Iterator[Keeper]:
    made = Quiet(catalog.warehouse.roots, lambda _location, _snapshots: True, hands, hold=100.0)
    yield made
    made.close()


def data(metadata: TableMetadata) -> Path:
    """The table's data file."""
    (found,) = files_under(Path(metadata.location), "*.parquet")
    return found


def test_a_deleted_file_is_put_back_when_its_time_to_look_comes(
    keeper: Keeper, written: TableMetadata, hands: Hands
) -> None:
    """Looks come soon at first and then ever more seldom."""
    file = data(written)
    content = file.read_bytes()
    keeper.watch([keeper.hold(None, written)])
    file.unlink()
    assert keeper.look() == pytest.approx(0.25)
    assert not file.exists()
    hands.time += 0.25
    assert keeper.look() == pytest.approx(0.25)
    assert file.read_bytes() == content
    hands.time += 1
    assert keeper.look() == pytest.approx(1.25)


def test_whoever_opens_the_table_finds_it_whole(keeper: Keeper, written: TableMetadata, hands: Hands) -> None:
    """A fresh commit is checked at once; an older one only when its client asked again."""
    held = keeper.hold(None, written)
    keeper.watch([held])
    file = data(written)
    file.unlink()
    keeper.mend("/elsewhere")
    assert not file.exists()
    keeper.mend(written.location)
    assert file.exists()
    hands.time += 10
    file.unlink()
    keeper.mend(written.location)
    assert not file.exists()
    keeper.repeated(written.location)
    keeper.mend(written.location)
    assert file.exists()


def test_files_of_a_refused_commit_are_let_go(keeper: Keeper, written: TableMetadata) -> None:
    """Its client deletes them, and they stay deleted."""
    keeper.release([keeper.hold(None, written)])
    file = data(written)
    file.unlink()
    keeper.mend(written.location)
    assert not file.exists()
    assert not [path for path in Path(written.location).parents[1].glob(f"{FOLDER}/*/*") if path.is_file()]


def test_files_that_no_table_names_any_more_stay_deleted(catalog: Catalog, written: TableMetadata) -> None:
    """Maintenance may delete what nothing reaches."""
    keeper = Quiet(catalog.warehouse.roots, lambda _location, _snapshots: False)
    keeper.watch([keeper.hold(None, written)])
    file = data(written)
    file.unlink()
    keeper.mend(written.location)
    keeper.close()
    assert not file.exists()


def test_nothing_is_held_for_ever(keeper: Keeper, written: TableMetadata, hands: Hands) -> None:
    """After the time of every client's retries the second names are gone."""
    held = keeper.hold(None, written)
    keeper.watch([held])
    assert all(Path(link).exists() for _, link in held.pairs)
    hands.time += 101
    assert keeper.look() is None
    assert not any(Path(link).exists() for _, link in held.pairs)


def test_the_end_checks_once_more_and_leaves_no_trace(keeper: Keeper, written: TableMetadata) -> None:
    """What was deleted is put back, and the folder of second names is gone."""
    keeper.watch([keeper.hold(None, written)])
    file = data(written)
    file.unlink()
    keeper.close()
    assert file.exists()
    assert not Path(written.location).parents[1].joinpath(FOLDER).exists()


def test_only_what_is_new_is_held(keeper: Keeper, written: TableMetadata) -> None:
    """A commit without new snapshots holds nothing."""
    assert keeper.hold(written, written).pairs == ()
    assert len(keeper.hold(None, written).pairs) == 3


def test_the_next_process_goes_on_with_what_a_killed_one_held(
    catalog: Catalog, written: TableMetadata, keeper: Keeper
) -> None:
    """What its clients have deleted is put back at once, and what they delete later too, until their time is over."""
    held = keeper.hold(None, written)
    file = data(written)
    file.unlink()
    hands = Hands()
    following = Quiet(catalog.warehouse.roots, lambda _location, _snapshots: False, hands, 100.0)
    following.inherit()
    assert file.exists()
    file.unlink()
    hands.time += 1
    following.look()
    assert file.exists()
    hands.time += 101
    assert following.look() is None
    assert not any(Path(name).exists() for name in (*(link for _, link in held.pairs), held.index))


def test_files_that_are_held_can_be_recovered_without_a_gateway(
    catalog: Catalog, written: TableMetadata, keeper: Keeper
) -> None:
    """By who repairs the lake."""
    keeper.hold(None, written)
    file = data(written)
    file.unlink()
    assert recover(catalog.warehouse.roots) == (str(file),)
    assert file.exists()
    assert recover(catalog.warehouse.roots) == ()


def test_what_a_killed_process_left_is_swept(catalog: Catalog, written: TableMetadata) -> None:
    """Old second names of others are removed, young ones are not."""
    root = Path(catalog.warehouse.root) / FOLDER
    for name, age in (("old", 10_000), ("young", 10)):
        (root / name).mkdir(parents=True)
        (root / name / "x").write_text("x")
        moment = (root / name).stat().st_mtime - age
        os.utime(root / name, (moment, moment))
    Quiet(catalog.warehouse.roots, lambda _location, _snapshots: True).sweep()
    assert [path.name for path in root.iterdir()] == ["young"]
