"""Made-up data follows its seed and its share of dirt, and is never written over anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import ProjectError
from millpond.project.simulation.city import ZONES, zone_at
from millpond.project.simulation.mobility import Simulation, make, write


def test_the_seed_decides() -> None:
    """Another seed makes other data, the same seed the same."""
    assert make(Simulation(seed=7, days=1)).files != make(Simulation(seed=8, days=1)).files
    assert make(Simulation(seed=7, days=1)) == make(Simulation(seed=7, days=1))


def test_without_dirt_nothing_is_rejected_or_repeated() -> None:
    """What happened is what is delivered."""
    made = make(Simulation(days=1, dirt=0))
    assert made.answers["rejected rows by rule"] == {}
    assert made.answers["bronze.telemetry"] == made.answers["silver.telemetry"] == 48 * 40
    assert made.answers["bronze.bookings"] == made.answers["silver.bookings"] == 300
    assert not any("html" in text for text in made.files.values())


@pytest.mark.parametrize("percent", [1, 5, 20])
def test_the_stated_share_gets_a_fault(percent: int) -> None:
    """Of readings and of rides, each fault in a row of its own."""
    made = make(Simulation(days=2, dirt=percent / 100))
    faults = sum(n for rule, n in made.answers["rejected rows by rule"].items() if rule != "key_conflict")
    assert faults == round(percent / 100 * 2 * 48 * 40) + round(percent / 100 * 2 * 300)


def test_zones_meet_and_do_not_overlap() -> None:
    """A point within is in one zone, and its centre is in its own."""
    for zone in ZONES:
        middle = tuple(sum(corner[axis] for corner in zone.corners) / 4 for axis in (0, 1))
        assert zone_at((middle[0], middle[1])) == zone.zone_id
        assert sum(all(side > 0 for side in other.sides((middle[0], middle[1]))) for other in ZONES) == 1
    assert zone_at((8.9, 53.14)) is None


@pytest.mark.parametrize("taken", ["data/old.csv", "answers.json"])
def test_nothing_is_written_over(tmp_path: Path, taken: str) -> None:
    """A folder with something in it, or a file of answers, is refused."""
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("mine")
    with pytest.raises(ProjectError) as caught:
        write(make(Simulation(days=1)), tmp_path / "data", tmp_path / "answers.json")
    assert caught.value.code == "MP-1131"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(taken).name]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The system's own words are kept."""
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError) as caught:
        write(make(Simulation(days=1)), tmp_path / "file" / "data", tmp_path / "answers.json")
    assert caught.value.code == "MP-1132"
