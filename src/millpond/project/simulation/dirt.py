"""What becomes of true rows on their way: a stated share gets a fault, and the same share is delivered twice."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.project.simulation.city import Dice, Row

Fault = tuple[str, str, object]
"""The rule that must find it, the field, and the value that is put there."""

TELEMETRY: tuple[Fault, ...] = (
    ("between:battery", "battery", 131),
    ("in:vehicle_type", "vehicle_type", "hoverboard"),
    ("regex:vehicle_id", "vehicle_id", "SC-99"),
    ("cast:ts", "ts", "not-a-date"),
    ("not_null:latitude", "latitude", None),
    ("between:battery", "battery", -4),
    ("null_key", "vehicle_id", None),
    ("in:vehicle_type", "vehicle_type", "SCOOTER"),
    ("cast:ts", "ts", "2026-13-45T00:00:00Z"),
    ("regex:vehicle_id", "vehicle_id", "sc000007"),
    ("cast:battery", "battery", "full"),
    ("regex:vehicle_id", "vehicle_id", "VN 00001"),
)
BOOKINGS: tuple[Fault, ...] = (
    ("sql:ends_after_start", "ended_at", "2026-05-01 00:00:00"),
    ("cast:started_at", "started_at", "31/02/2026 9:00"),
    ("between:price", "price", "9000.00"),
    ("not_null:vehicle_id", "vehicle_id", ""),
    ("cast:started_at", "started_at", "-"),
)
ERROR_PAGE = """<!DOCTYPE html>
<html><head><title>503 Service Unavailable</title></head>
<body><h1>Service Unavailable</h1><p>The telemetry export is being prepared. Try again later.</p></body></html>
"""


def places(dice: Dice, rows: int, share: float) -> list[int]:
    """Different places of rows, as many as the share says, in the order drawn."""
    drawn: dict[int, None] = {}
    while len(drawn) < round(rows * share):
        drawn[dice.below(rows)] = None
    return list(drawn)


def spoil(rows: list[Row], at: Sequence[int], faults: Sequence[Fault], counted: dict[str, int]) -> list[Row]:
    """The rows with one fault at each place, taken in turn; each is counted under its rule."""
    spoilt = list(rows)
    for turn, place in enumerate(at):
        rule, name, value = faults[turn % len(faults)]
        spoilt[place] = {**rows[place], name: value}
        counted[rule] = counted.get(rule, 0) + 1
    return spoilt
