"""Which files are rewritten while a table is written, and after: few files stay, and no row is rewritten often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond.catalog.layout import DEFAULT_TARGET, TARGET_SIZE
from millpond.catalog.manifests import DATA, POSITION_DELETES, DataFile
from millpond.catalog.metadata import TableMetadata
from millpond.tables.compaction import Box, Choice, Live, by_level, by_share, everything, many_deletes, target_size
from millpond.tables.deletes import Deletes
from millpond.tables.slices import FileSlice

MIB = 1024**2
_names = count(1)


def file(size: int, records: int = 1000, content: int = DATA, referenced: str | None = None) -> DataFile:
    """A file as a manifest tells of it; newer ones have higher sequence numbers."""
    number = next(_names)
    return DataFile(
        path=f"/lake/{number:09}.parquet",
        content=content,
        format="parquet",
        sequence_number=number,
        file_sequence_number=number,
        snapshot_id=1,
        status=1,
        records=records,
        size=size,
        spec_id=0,
        partition=(),
        lower_bounds={},
        upper_bounds={},
        null_counts={},
        manifest="m",
        referenced=referenced,
    )


def box(files: Sequence[DataFile], deletes: Sequence[DataFile] = ()) -> Box:
    """Files of one partition that nobody wants sorted."""
    return Box(files, (), Deletes(deletes), {one.path: one.records for one in deletes}, 128 * MIB, False)


def rewritten(files: list[DataFile], choose: Choice) -> tuple[list[DataFile], int]:
    """What is left after the choice was carried out, and how many bytes it wrote."""
    wrote = 0
    for pack in choose(box(files)):
        gone = {one.path for one in pack}
        size = sum(one.size for one in pack)
        files = [one for one in files if one.path not in gone] + [file(size)]
        wrote += size
    return files, wrote


@settings(max_examples=10)
@given(sizes=st.lists(st.integers(2_000, 60_000), min_size=1, max_size=40))
def test_steady_writing_keeps_few_files_and_rewrites_each_row_a_few_times(sizes: list[int]) -> None:
    """Thousands of small commits, looked at after every sixteenth."""
    files: list[DataFile] = []
    wrote = came = 0
    for number in range(2000):
        size = sizes[number % len(sizes)]
        files.append(file(size))
        came += size
        if number % 16 == 15:
            files, more = rewritten(files, by_level)
            wrote += more
    assert len(files) < 96
    assert sum(one.size for one in files) == came
    assert wrote < 6 * came


@given(bursts=st.lists(st.lists(st.integers(2_000, 5 * MIB), min_size=1, max_size=30), min_size=1, max_size=60))
def test_a_pause_leaves_files_that_are_each_much_larger_than_the_next(bursts: list[list[int]]) -> None:
    """However the bursts come; and the bytes of each are not rewritten at every pause."""
    files: list[DataFile] = []
    wrote = came = 0
    for burst in bursts:
        files += map(file, burst)
        came += sum(burst)
        files, more = rewritten(files, by_share)
        wrote += more
        sizes = sorted(one.size for one in files if one.size < 96 * MIB)
        assert all(sum(sizes[:place]) * 4 < size for place, size in enumerate(sizes) if place), sizes
    assert sum(one.size for one in files) == came
    assert wrote <= came * 12


@pytest.mark.parametrize("choose", [by_level, by_share, everything])
def test_a_file_that_lost_many_rows_is_rewritten_alone(choose: Choice) -> None:
    """Whatever its size; one that lost few is left."""
    worn, fine = file(500 * MIB), file(500 * MIB)
    deletes = [file(1, 300, POSITION_DELETES, worn.path), file(1, 3, POSITION_DELETES, fine.path)]
    assert list(choose(box([worn, fine], deletes))) == [[worn]]


@pytest.mark.parametrize("choose", [by_level, by_share, everything])
def test_single_small_files_are_left(choose: Choice) -> None:
    """Nothing is gained by writing one anew."""
    assert list(choose(box([file(10_000), file(500 * MIB)]))) == []


def test_deletes_from_before_a_data_file_came_back_are_not_put_together_with_those_since() -> None:
    """A file that went whole and was added again has every row: what was deleted in its first life is there."""
    path = "/lake/again.parquet"
    before = [file(10, content=POSITION_DELETES, referenced=path) for _ in range(3)]
    again = replace(file(MIB), path=path)
    since = [file(10, content=POSITION_DELETES, referenced=path) for _ in range(2)]
    wide = file(10, content=POSITION_DELETES)
    live = Live((again,), (*before, *since, wide), {})
    assert many_deletes(live, (), 2) == (FileSlice(path, tuple(one.path for one in since)),)
    assert many_deletes(live, (), 3) == ()


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "²", "٣", "9" * 5000])
def test_a_size_that_is_none_leaves_the_usual_one(text: str) -> None:
    """A client may set anything: upkeep of the other tables goes on."""
    assert target_size(TableMetadata({"properties": {TARGET_SIZE: text}})) == DEFAULT_TARGET
    assert target_size(TableMetadata({"properties": {TARGET_SIZE: "1048576"}})) == 1048576
