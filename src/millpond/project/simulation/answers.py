"""The tables that must come of what truly happened, told by plain Python and by no SQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from millpond.project.simulation.city import Row, vehicles, zone_at

Table = list[dict[str, Any]]


def battery_status(battery: int) -> str:
    """How full a battery is, in a word."""
    return "critical" if battery < 10 else "low" if battery < 30 else "medium" if battery < 70 else "good"


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text).removesuffix("Z"))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return _rounded(sum(listed) / len(listed), 2)


def _rounded(value: float, digits: int) -> float:
    """Halves go up, as SQL rounds them, and not to the even neighbour."""
    scale = float(10**digits)
    return math.floor(value * scale + 0.5) / scale


def _cents(row: Row) -> int:
    euros, cents = str(row["price"]).split(".")
    return int(euros) * 100 + int(cents)


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _minutes(row: Row) -> float:
    return (_moment(row["ended_at"]) - _moment(row["started_at"])).total_seconds() / 60


def tables(readings: list[Row], rides: list[Row]) -> dict[str, Table]:
    """Every gold table, in the order of its key."""
    return {
        "gold.battery_health_weekly": battery_health_weekly(readings),
        "gold.customer_journey": customer_journey(rides),
        "gold.demand_by_zone_hour": demand_by_zone_hour(readings, rides),
        "gold.revenue_by_vehicle_type_daily": revenue_by_vehicle_type_daily(rides),
        "gold.vehicle_utilization_daily": vehicle_utilization_daily(rides),
    }


def demand_by_zone_hour(readings: list[Row], rides: list[Row]) -> Table:
    """Each zone and hour in which something was booked or seen."""
    booked: defaultdict[tuple[str, datetime], list[Row]] = defaultdict(list)
    seen: defaultdict[tuple[str, datetime], list[Row]] = defaultdict(list)
    for ride in rides:
        booked[str(ride["zone_id"]), _moment(ride["started_at"]).replace(minute=0, second=0)].append(ride)
    for reading in readings:
        zone = zone_at((float(str(reading["longitude"])), float(str(reading["latitude"]))))
        if zone is not None:
            seen[zone, _moment(reading["ts"]).replace(minute=0, second=0)].append(reading)
    first = min(hour for _, hour in {**booked, **seen}).replace(hour=0)

    def mean_of(zone: str, hour: datetime, days: int) -> float | None:
        """The mean of the same hour on the days before, as far as there are any."""
        back = min(days, (hour - first).days)
        before = [len(booked.get((zone, hour - timedelta(days=day)), ())) for day in range(1, back + 1)]
        return _mean(before) if before else None

    made = []
    for zone, hour in sorted({**booked, **seen}):
        here, there = booked.get((zone, hour), []), seen.get((zone, hour), [])
        moved = {ride["vehicle_id"] for ride in here}
        known = moved | {reading["vehicle_id"] for reading in there}
        ready = {r["vehicle_id"] for r in there if battery_status(int(str(r["battery"]))) != "critical"}
        made.append(
            {
                "zone_id": zone,
                "hour": str(hour),
                "bookings": len(here),
                "users": len({ride["user_id"] for ride in here}),
                "mean_minutes": _mean(map(_minutes, here)) if here else None,
                "revenue": _money(sum(map(_cents, here))),
                "available_vehicles": len(ready),
                "mean_battery": _mean(int(str(r["battery"])) for r in there) if there else None,
                "mean_7_days": mean_of(zone, hour, 7),
                "mean_28_days": mean_of(zone, hour, 28),
                "utilization": _rounded(len(moved) / len(known), 4),
            }
        )
    return made


def vehicle_utilization_daily(rides: list[Row]) -> Table:
    """Each vehicle on each day on which rides with it began."""
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for ride in rides:
        groups[str(ride["vehicle_id"]), str(ride["started_at"])[:10]].append(ride)
    return [
        {
            "vehicle_id": vehicle,
            "day": day,
            "bookings": len(of),
            "minutes": round(sum(map(_minutes, of))),
            "distance_m": sum(int(str(ride["distance_m"])) for ride in of),
            "revenue": _money(sum(map(_cents, of))),
            "utilization": _rounded(sum(map(_minutes, of)) / 1440, 4),
        }
        for (vehicle, day), of in sorted(groups.items())
    ]


def revenue_by_vehicle_type_daily(rides: list[Row]) -> Table:
    """Each type of vehicle on each day."""
    types = {vehicle: kind for kind, vehicle, _ in vehicles()}
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for ride in rides:
        groups[types[str(ride["vehicle_id"])], str(ride["started_at"])[:10]].append(ride)
    return [
        {
            "vehicle_type": kind,
            "day": day,
            "bookings": len(of),
            "vehicles": len({ride["vehicle_id"] for ride in of}),
            "revenue": _money(sum(map(_cents, of))),
        }
        for (kind, day), of in sorted(groups.items())
    ]


def battery_health_weekly(readings: list[Row]) -> Table:
    """Each vehicle in each week, which begins on a Monday."""
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for reading in readings:
        day = _moment(reading["ts"]).date()
        monday = day - timedelta(days=day.weekday())
        groups[str(reading["vehicle_id"]), str(monday)].append(int(str(reading["battery"])))
    return [
        {
            "vehicle_id": vehicle,
            "week": week,
            "readings": len(of),
            "mean_battery": _mean(of),
            "lowest_battery": min(of),
            "critical_readings": sum(battery_status(battery) == "critical" for battery in of),
            "low_readings": sum(battery_status(battery) == "low" for battery in of),
        }
        for (vehicle, week), of in sorted(groups.items())
    ]


def customer_journey(rides: list[Row]) -> Table:
    """Each ride of each user, with its number and what came before."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for ride in sorted(rides, key=lambda ride: (str(ride["started_at"]), str(ride["booking_id"]))):
        groups[str(ride["user_id"])].append(ride)
    types = {vehicle: kind for kind, vehicle, _ in vehicles()}
    made = []
    for user, of in sorted(groups.items()):
        spent = 0
        for number, ride in enumerate(of, 1):
            spent += _cents(ride)
            before = of[number - 2] if number > 1 else None
            gap = _moment(ride["started_at"]) - _moment(before["started_at"]) if before else None
            made.append(
                {
                    "user_id": user,
                    "ride": number,
                    "booking_id": ride["booking_id"],
                    "started_at": ride["started_at"],
                    "vehicle_type": types[str(ride["vehicle_id"])],
                    "from_zone": before["zone_id"] if before else None,
                    "zone_id": ride["zone_id"],
                    "hours_since_last": _rounded(gap.total_seconds() / 3600, 2) if gap else None,
                    "spent_so_far": _money(spent),
                }
            )
    return made
