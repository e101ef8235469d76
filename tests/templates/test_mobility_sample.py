"""The sample data of the mobility template is what the simulation makes when it is told nothing more."""

from __future__ import annotations

import gzip
from pathlib import Path

from millpond.project import scaffold
from millpond.project.simulation.mobility import Simulation, make, write

DATA = Path(scaffold.__file__).parents[1] / "templates" / "mobility" / "data"


def contents(folder: Path) -> dict[str, bytes]:
    """What each file says, by its path; archives are opened, since their bytes depend on the zlib at hand."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = gzip.decompress(data) if path.suffix == ".gz" else data
    return found


def test_the_files_are_what_the_simulation_makes(tmp_path: Path) -> None:
    """Nobody edited the sample by hand, and any machine makes the same."""
    write(make(Simulation()), tmp_path / "data", tmp_path / "answers.json")
    assert contents(tmp_path / "data") == contents(DATA)


def test_the_sample_is_small_and_dirty() -> None:
    """It travels with the package, and shows every way of a row into quarantine."""
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 300_000
    kinds = {rule.split(":")[0] for rule in make(Simulation()).answers["rejected rows by rule"]}
    assert kinds >= {"between", "in", "regex", "not_null", "sql", "cast", "key_conflict", "null_key"}
