"""Sorted runs of key hashes: what they hold, and that nothing that is not as it was written is relied on."""

from __future__ import annotations

from array import array
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond.tables import keys
from millpond.tables.keys import FANOUT, KeyRuns

hashes = st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1), st.just(2**64 - 1))


def add(runs: KeyRuns, held: list[int]) -> None:
    """One more run, in two parts."""
    held = sorted(held)
    half = len(held) // 2
    runs.add([memoryview(array("Q", held[:half])), memoryview(array("Q", held[half:]))])


@settings(max_examples=150)
@given(st.lists(st.lists(hashes, max_size=12), max_size=9), st.lists(hashes, max_size=30), st.sampled_from([1, 2, 512]))
def test_runs_tell_what_was_added(added: list[list[int]], wanted: list[int], page: int) -> None:
    """However they were merged, and read again by another process."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "PAGE", page)
        runs = KeyRuns(Path(folder))
        for number, held in enumerate(added):
            add(runs, held)
            runs.keep({"number": number})
        again = KeyRuns(Path(folder))
        assert again.state() == ({"number": len(added) - 1} if added else None)
        known = {one for held in added for one in held}
        assert again.among(sorted(set(wanted))) == sorted(known & set(wanted))
        assert len(list(Path(folder).glob("*.keys"))) <= max(1, len(added))


def test_many_small_runs_become_few(tmp_path: Path) -> None:
    """Their number grows with the logarithm of the keys'."""
    runs = KeyRuns(tmp_path)
    for number in range(64):
        add(runs, [number])
        runs.keep({})
    assert len(list(tmp_path.glob("*.keys"))) <= 8
    assert runs.among(list(range(70))) == list(range(64))


@pytest.mark.parametrize("place", [0, 4000, -1, -10, -40, -60, -100])
def test_a_flipped_bit_is_told(tmp_path: Path, place: int) -> None:
    """In the hashes that are looked at, in the first hashes of pages, in the checksums and in the description."""
    runs = KeyRuns(tmp_path)
    add(runs, list(range(1, 2000)))
    runs.keep({})
    (path,) = tmp_path.glob("*.keys")
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    assert runs.among(list(range(1, 2000))) is None


def test_a_missing_or_torn_file_leaves_nothing_known(tmp_path: Path) -> None:
    """Neither a run that is gone, nor one cut short, nor half of the list of them."""
    for harm in ("gone", "short", "state"):
        runs = KeyRuns(tmp_path / harm)
        add(runs, [1, 2, 3])
        runs.keep({"commit": 5})
        (path,) = (tmp_path / harm).glob("*.keys")
        if harm == "gone":
            path.unlink()
        elif harm == "short":
            path.write_bytes(path.read_bytes()[:-3])
        else:
            path.with_name("state.json").write_bytes(path.with_name("state.json").read_bytes()[:-3])
        again = KeyRuns(tmp_path / harm)
        assert again.state() is None or again.among([1]) is None


def test_a_run_that_is_damaged_when_it_is_merged_leaves_nothing_known(tmp_path: Path) -> None:
    """What its keys were is not told any more, so that none may count as unknown."""
    runs = KeyRuns(tmp_path)
    for number in range(FANOUT - 1):
        add(runs, [number])
    runs.keep({})
    path = min(tmp_path.glob("*.keys"))
    content = bytearray(path.read_bytes())
    content[0] ^= 4
    path.write_bytes(content)
    again = KeyRuns(tmp_path)
    assert again.state() == {}
    add(again, [FANOUT])
    assert again.among([0]) is None
    again.keep({})
    assert KeyRuns(tmp_path).state() is None
