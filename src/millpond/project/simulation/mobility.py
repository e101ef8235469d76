"""The data of the `mobility` template: made, spoilt, and written with its answers.

The same words give the same files everywhere: only `random()` is drawn, and archives carry no time. The answers are
told by what happened before it was spoilt, never by the code that they judge.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from millpond.core.errors import ProjectError
from millpond.core.records import frozen
from millpond.project.simulation import dirt
from millpond.project.simulation.answers import tables
from millpond.project.simulation.city import FIRST_DAY, ZONES, Dice, Row, readings, rides

RIDES_A_DAY = 300
_AREAS = (1.4, 0.9, 3.2, 2.8, 4.1, 0.7, 1.9, 1.1, 2.2, 6.5)


@frozen
class Simulation:
    """What is asked for: the seed, how many days, and the share of rows that get a fault."""

    seed: int = 2026
    days: int = 3
    dirt: float = 0.005


@dataclass
class Made:
    """The files to be written, by name, and what a run over them must give."""

    files: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    quarantine: dict[str, int] = field(default_factory=dict)


def make(asked: Simulation) -> Made:
    """All of it as values."""
    made, dice = Made(), Dice(random.Random(asked.seed))  # noqa: S311 - made-up data, the same for each seed
    made.answers["asked"] = {"seed": asked.seed, "days": asked.days, "dirt": asked.dirt}
    _zones(made)
    kept_readings = _telemetry(made, dice, asked)
    kept_rides = _bookings(made, dice, asked)
    made.answers["rejected rows by rule"] = dict(sorted(made.quarantine.items()))
    made.answers["tables"] = tables(kept_readings, kept_rides)
    return made


def _zones(made: Made) -> None:
    lines = ["zone_id,name,area_km2,boundary"]
    for zone, area in zip(ZONES, _AREAS, strict=True):
        name = f'"{zone.name}"' if "," in zone.name else zone.name
        lines.append(f'{zone.zone_id},{name},{area},"{zone.boundary}"')
    made.files["zones.csv"] = "\n".join(lines) + "\n"
    made.answers["bronze.zones"] = made.answers["silver.zones"] = len(ZONES)


def _telemetry(made: Made, dice: Dice, asked: Simulation) -> list[Row]:
    """One file a day: faults, readings that are delivered again a day later, a line that breaks off, an error page."""
    true = readings(dice, asked.days)
    rows = [row for day in true for row in day]
    faulty = dirt.places(dice, len(rows), asked.dirt)
    spoilt = dirt.spoil(rows, faulty, dirt.TELEMETRY, made.quarantine)
    bad = set(faulty)
    repeated = [place for place in dirt.places(dice, len(rows), asked.dirt) if place not in bad]
    by_day = [spoilt[day * len(true[0]) : (day + 1) * len(true[0])] for day in range(asked.days)]
    for place in repeated:
        by_day[min(place // len(true[0]) + 1, asked.days - 1)].append(rows[place])
    for number, came in enumerate(by_day):
        lines = [json.dumps(row, separators=(",", ":")) for row in came]
        if asked.dirt and number == asked.days // 2:
            lines.insert(777, lines[776][:61])  # the device lost its connection in the middle of a line
        made.files[f"telemetry/{_file(number)}.ndjson.gz"] = "\n".join(lines) + "\n"
    if asked.dirt:
        made.files[f"telemetry/{_file(asked.days)}.ndjson"] = dirt.ERROR_PAGE
    made.answers["rejected records"] = made.answers["rejected files"] = int(asked.dirt > 0)
    made.answers["bronze.telemetry"] = len(rows) + len(repeated)
    made.answers["silver.telemetry"] = len(rows) - len(faulty)
    made.answers["deduplicated silver.telemetry"] = len(repeated)
    return [row for place, row in enumerate(rows) if place not in bad]


def _file(day: int) -> str:
    return f"telemetry-{FIRST_DAY.fromordinal(FIRST_DAY.toordinal() + day):%Y-%m-%d}"


def _bookings(made: Made, dice: Dice, asked: Simulation) -> list[Row]:
    """Two exports that overlap: faults, rides that are in both, and some that contradict themselves."""
    rows = rides(dice, asked.days, RIDES_A_DAY)
    faulty = dirt.places(dice, len(rows), asked.dirt)
    spoilt = dirt.spoil(rows, faulty, dirt.BOOKINGS, made.quarantine)
    bad = set(faulty)
    half = len(rows) // 2
    again = [place for place in range(half - max(1, half // 20), half) if place not in bad] if asked.dirt else []
    changed = again[:: max(1, len(again) // 4)][:2]
    copies = [rows[place] for place in again if place not in changed]
    contradictions = [{**rows[place], "distance_m": int(str(rows[place]["distance_m"])) + 400} for place in changed]
    for part, export in enumerate((spoilt[:half], [*copies, *spoilt[half:], *contradictions]), 1):
        lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in export)]
        made.files[f"bookings/bookings-part{part}.csv"] = "\n".join(lines) + "\n"
    if changed:
        made.quarantine["key_conflict"] = len(changed)  # the shorter way stays: rows are told apart by content
    made.answers["bronze.bookings"] = len(rows) + len(again)
    made.answers["silver.bookings"] = len(rows) - len(faulty)
    made.answers["deduplicated silver.bookings"] = len(copies)
    return [row for place, row in enumerate(rows) if place not in bad]


def write(made: Made, into: Path, answers: Path) -> tuple[Path, ...]:
    """Put the files into a folder that has none, and the answers where they are wanted; the paths, sorted.

    Raises ProjectError MP-1131 when something is there already, MP-1132 when it cannot be written.
    """
    if os.path.lexists(into) and (not into.is_dir() or any(into.iterdir())):
        raise ProjectError(
            "MP-1131", f"{into} is there already and not empty", next_step="choose another folder with --into"
        )
    if os.path.lexists(answers):
        raise ProjectError("MP-1131", f"{answers} is there already", next_step="choose another file with --answers")
    contents: Mapping[Path, bytes] = {
        **{into / name: _packed(text) if name.endswith(".gz") else text.encode() for name, text in made.files.items()},
        answers: (json.dumps(made.answers, indent=1, ensure_ascii=False) + "\n").encode(),
    }
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as failure:
        raise ProjectError(
            "MP-1132",
            f"the data cannot be written to {into}: {failure.strerror or failure}",
            next_step="check that the folder may be written and the disk has room",
        ) from failure
    return tuple(sorted(contents))


def _packed(text: str) -> bytes:
    """The text in gzip, without name and time."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as archive:
        archive.write(text.encode())
    return buffer.getvalue()
