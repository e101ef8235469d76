"""The sample data of the mobility template is what its script makes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from scripts.make_mobility_sample import ANSWERS, DATA, make, write


def contents(folder: Path) -> dict[str, bytes]:
    """What each file says, by its path; archives are opened, since their bytes depend on the zlib at hand."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = gzip.decompress(data) if path.suffix == ".gz" else data
    return found


def test_the_files_are_what_the_script_makes(tmp_path: Path) -> None:
    """Nobody edited the sample by hand, and any machine makes the same."""
    write(make(), tmp_path / "data", tmp_path / "answers.json")
    assert contents(tmp_path / "data") == contents(DATA)
    assert (tmp_path / "answers.json").read_bytes() == ANSWERS.read_bytes()


def test_the_sample_is_small_and_dirty() -> None:
    """It travels with the package, and shows every way of a row into quarantine."""
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 300_000
    rules = json.loads(ANSWERS.read_text(encoding="utf-8"))["rejected rows by rule"]
    kinds = {rule.split(":")[0] for rule in rules}
    assert kinds >= {"between", "in", "regex", "not_null", "sql", "cast", "key_conflict"}


def test_another_seed_makes_another_sample() -> None:
    """The seed is what decides."""
    assert make(7).files != make(8).files
    assert make(7).files == make(7).files
