"""Writes days of events of a conversion service, dirt included, and the answers that a run over them must give.

    python make_events.py [FOLDER [SEED]]

The same seed makes the same files, by `random()` alone. The events lie in `FOLDER/data/`. `FOLDER/answers.json` is told
by plain Python from what was meant, before it was spoilt, delivered late and delivered twice.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

Event = dict[str, Any]

FIRST_DAY = datetime(2026, 2, 26)  # noqa: DTZ001 - the service speaks UTC
DAYS = 7
EVENTS_A_DAY = 120
USERS = [f"u{number:03d}" for number in range(1, 26)]
NO_NUMBERS = ("IIII", "0", "4000", "VX", "-7", "MMMM", "12.5", "")
VALUES = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
LETTERS = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")


def roman(number: int) -> str:
    """The numeral of a number, by taking away the largest letter that fits."""
    numeral = ""
    for value, letters in zip(VALUES, LETTERS, strict=True):
        while number >= value:
            numeral, number = numeral + letters, number - value
    return numeral


def meant(chance: random.Random) -> list[Event]:
    """Everything that happened, in order of time: users change their plans and countries now and then."""
    below = lambda limit: int(chance.random() * limit)  # noqa: E731
    state = {user: {"plan": "free", "country": ("DE", "FR", "IT")[below(3)]} for user in USERS}
    moments = sorted(
        (day * 86_400_000 + below(86_400) * 1000 + n, USERS[below(len(USERS))])
        for day in range(DAYS)
        for n in range(EVENTS_A_DAY)
    )
    events = []
    for number, (ms, user) in enumerate(moments, 1):
        if chance.random() < 0.06:
            state[user] = {**state[user], "plan": ("free", "pro", "team")[below(3)]}
        if chance.random() < 0.02:
            state[user] = {**state[user], "country": ("DE", "FR", "IT", "PL")[below(4)]}
        arabic, to_roman, refused = 1 + below(3999), chance.random() < 0.6, chance.random() < 0.08
        given, made = (str(arabic), roman(arabic)) if to_roman else (roman(arabic), str(arabic))
        events.append(
            {
                "event_id": f"e{number:05d}",
                "event_time": (FIRST_DAY + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds"),
                "user_id": user,
                **state[user],
                "direction": "to_roman" if to_roman else "to_arabic",
                "status": "refused" if refused else "ok",
                "input": NO_NUMBERS[below(len(NO_NUMBERS))] if refused else given,
                "output": None if refused else made,
                "duration_ms": 1 + below(40),
            }
        )
    return events


def spoil(events: list[Event]) -> tuple[dict[int, Event], dict[str, int]]:
    """The events that get a fault, one each, by their place, and how many each rule must find."""
    good = [n for n, event in enumerate(events) if event["status"] == "ok" and event["direction"] == "to_roman"]
    faults: list[tuple[str, Event]] = [
        ("sql:converted_right", {"output": "MCMXCIX", "input": "2000"}),
        ("sql:converted_right", {"output": "V", "input": "6"}),
        ("regex:numeral", {"output": "IIII", "input": "4"}),
        ("between:number", {"output": "", "input": "0"}),
        ("cast:number", {"input": "forty"}),
        ("in:direction", {"direction": "to_greek"}),
        ("not_null:user_id", {"user_id": None}),
        ("between:duration_ms", {"duration_ms": -3}),
        ("null_key", {"event_id": None}),
    ]
    places = good[5 :: len(good) // len(faults)]
    spoilt = {place: {**events[place], **fault} for place, (_, fault) in zip(places, faults, strict=False)}
    return spoilt, dict(Counter(rule for rule, _ in faults))


def answers(kept: list[Event], quarantine: dict[str, int], copies: int) -> dict[str, Any]:
    """What must come of the events that are kept."""
    days: defaultdict[str, list[Event]] = defaultdict(list)
    users: defaultdict[str, list[Event]] = defaultdict(list)
    for event in sorted(kept, key=lambda event: event["event_time"]):
        days[event["event_time"][:10]].append(event)
        users[event["user_id"]].append(event)
    versions = {}
    for user, of in users.items():
        changes = [(event["plan"], event["country"], event["event_time"]) for event in of]
        versions[user] = [c for n, c in enumerate(changes) if n == 0 or c[:2] != changes[n - 1][:2]]
    return {
        "silver.fact_conversions": len(kept),
        "copies": copies,
        "quarantine": quarantine,
        "silver.dim_users": {user: [list(version) for version in of] for user, of in sorted(versions.items())},
        "gold.daily_conversion_metrics": [
            {
                "day": day,
                "conversions": len(of),
                "to_roman": sum(event["direction"] == "to_roman" for event in of),
                "to_arabic": sum(event["direction"] == "to_arabic" for event in of),
                "refused": sum(event["status"] == "refused" for event in of),
                "users": len({event["user_id"] for event in of}),
                "mean_ms": round(sum(event["duration_ms"] for event in of) / len(of), 2),
                "slowest_ms": max(event["duration_ms"] for event in of),
            }
            for day, of in sorted(days.items())
        ],
        "gold.user_activity_summary": [
            {
                "user_id": user,
                "plan": of[-1]["plan"],
                "country": of[-1]["country"],
                "first_seen": of[0]["event_time"],
                "last_seen": of[-1]["event_time"],
                "active_days": len({event["event_time"][:10] for event in of}),
                "conversions": len(of),
                "refused": sum(event["status"] == "refused" for event in of),
                "versions": len(versions[user]),
            }
            for user, of in sorted(users.items())
        ],
    }


def write(folder: Path, seed: int = 2026) -> dict[str, Any]:
    """Put a file for each day of arrival into `folder/data`, and the answers beside it."""
    chance = random.Random(seed)
    events = meant(chance)
    spoilt, quarantine = spoil(events)
    arrivals: defaultdict[int, list[Event]] = defaultdict(list)
    copies = 0
    for place, event in enumerate(events):
        day = (datetime.fromisoformat(event["event_time"]) - FIRST_DAY).days
        late = 1 + int(chance.random() * 3) if chance.random() < 0.1 else 0
        arrivals[day + late].append(spoilt.get(place, event))
        if place not in spoilt and chance.random() < 0.05:
            arrivals[day + 1].append(event)
            copies += 1
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for day, came in arrivals.items():
        lines = [json.dumps(event, separators=(",", ":")) for event in sorted(came, key=lambda _: chance.random())]
        if day == 2:
            lines.insert(50, lines[49][:40])  # the connection was lost in the middle of a line
        name = f"events-{FIRST_DAY + timedelta(days=day):%Y-%m-%d}.ndjson"
        (folder / "data" / name).write_text("\n".join(lines) + "\n", "utf-8")
    told = answers([event for place, event in enumerate(events) if place not in spoilt], quarantine, copies)
    (folder / "answers.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return told


if __name__ == "__main__":
    words = sys.argv[1:]
    write(Path(words[0]) if words else Path(__file__).parent, int(words[1]) if len(words) > 1 else 2026)
