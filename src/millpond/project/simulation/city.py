"""A made-up operator of scooters, e-bikes, cars and vans: its zones, its fleet, and what truly happened."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from millpond.core.records import frozen

T = TypeVar("T")
Point = tuple[float, float]
Row = dict[str, object]

FIRST_DAY = datetime(2026, 6, 1)  # noqa: DTZ001 - the operator's systems speak UTC and say so
SOUTH, NORTH, WEST, EAST = 53.04, 53.14, 8.74, 8.90
USERS = 220
RUSH = (7, 8, 8, 12, 16, 17, 17, 18, 19, 21)
"""Hours in which rides begin; what stands twice is twice as likely."""

FLEET = (("scooter", "SC", 18, 20), ("ebike", "EB", 12, 15), ("car", "CR", 6, 35), ("van", "VN", 4, 50))
"""Vehicle type, prefix of its ids, how many, and the price of a minute in cents."""

_NAMES = (
    *("Old Town", "Central Station", "Harbour", "Überseestadt", "University"),
    *("Market, east side", "Stadium", "Hospital", "Riverside", "Airport"),
)
_CORNERS: tuple[tuple[Point, ...], ...] = (
    ((8.750, 53.045), (8.782, 53.047), (8.808, 53.044), (8.842, 53.048), (8.868, 53.045), (8.890, 53.046)),
    ((8.752, 53.091), (8.779, 53.087), (8.813, 53.093), (8.839, 53.088), (8.871, 53.092), (8.888, 53.089)),
    ((8.751, 53.134), (8.781, 53.136), (8.810, 53.133), (8.841, 53.135), (8.869, 53.136), (8.891, 53.134)),
)
"""Rows of corners from south to north, each from west to east: two rows of five zones lie between them."""


@frozen
class Zone:
    """A part of the city with its corners, against the clock."""

    zone_id: str
    name: str
    corners: tuple[Point, ...]

    @property
    def boundary(self) -> str:
        """The corners as well-known text."""
        return "POLYGON((" + ", ".join(f"{x} {y}" for x, y in (*self.corners, self.corners[0])) + "))"

    def sides(self, point: Point) -> tuple[float, ...]:
        """On which side of each edge a point lies: above 0 inside of it, below 0 outside."""
        x, y = point
        edges = zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True)
        return tuple((bx - ax) * (y - ay) - (by - ay) * (x - ax) for (ax, ay), (bx, by) in edges)


def _zones() -> tuple[Zone, ...]:
    made = []
    for row, (below, above) in enumerate(pairwise(_CORNERS)):
        for at in range(len(below) - 1):
            number = row * (len(below) - 1) + at
            corners = (below[at], below[at + 1], above[at + 1], above[at])
            made.append(Zone(f"Z{number + 1:02d}", _NAMES[number], corners))
    return tuple(made)


ZONES = _zones()


@dataclass
class Dice:
    """Draws from `random()` alone, whose sequence is the same in every Python."""

    source: random.Random

    def below(self, limit: int) -> int:
        """A whole number in [0, limit)."""
        return int(self.source.random() * limit)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + self.source.random() * (high - low)

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]


def vehicles() -> list[tuple[str, str, int]]:
    """Type, id and price of a minute of every vehicle."""
    return [(kind, f"{prefix}{n:06d}", cents) for kind, prefix, count, cents in FLEET for n in range(1, count + 1)]


def place(dice: Dice) -> Point:
    """A point of the city, never so near to a border that its zone could be disputed."""
    while True:
        point = (round(dice.between(WEST, EAST), 5), round(dice.between(SOUTH, NORTH), 5))
        if all(abs(side) > 1e-7 for zone in ZONES for side in zone.sides(point)):
            return point


def zone_at(point: Point) -> str | None:
    """The zone in which a point lies, None outside of all."""
    return next((zone.zone_id for zone in ZONES if all(side > 0 for side in zone.sides(point))), None)


def readings(dice: Dice, days: int) -> list[list[Row]]:
    """A reading of every vehicle each half hour, by the day."""
    made: list[list[Row]] = []
    for day in range(days):
        made.append([])
        for half_hour in range(48):
            for kind, vehicle, _ in vehicles():
                moment = FIRST_DAY + timedelta(days=day, minutes=30 * half_hour, seconds=dice.below(1800))
                longitude, latitude = place(dice)
                made[-1].append(
                    {
                        "vehicle_id": vehicle,
                        "vehicle_type": kind,
                        "ts": moment.isoformat() + "Z",
                        "battery": 5 + dice.below(96),
                        "latitude": latitude,
                        "longitude": longitude,
                    }
                )
    return made


def rides(dice: Dice, days: int, a_day: int) -> list[Row]:
    """What was booked, in the order in which it was billed."""
    made: list[Row] = []
    for number in range(days * a_day):
        _, vehicle, cents = dice.pick(vehicles())
        start = FIRST_DAY + timedelta(days=dice.below(days), hours=dice.pick(RUSH), seconds=dice.below(3600))
        minutes = 3 + dice.below(45)
        price = 100 + minutes * cents
        made.append(
            {
                "booking_id": f"B{number + 1:06d}",
                "vehicle_id": vehicle,
                "user_id": f"U{1 + dice.below(USERS):04d}",
                "zone_id": dice.pick(ZONES[:6] if dice.below(3) else ZONES).zone_id,
                "started_at": str(start),
                "ended_at": str(start + timedelta(minutes=minutes)),
                "distance_m": minutes * (150 + dice.below(120)),
                "price": f"{price // 100}.{price % 100:02d}",
            }
        )
    return made
