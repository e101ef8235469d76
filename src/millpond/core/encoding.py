"""Values as text: exact JSON for programs, plain words for people, and JSON read without losing a digit."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


def encoded(value: Any) -> str:
    """A value as JSON: numbers as exact numbers, times in ISO 8601, bytes as hex, NaN and infinities as text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {encoded(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(encoded(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else json.dumps(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(str(value))
    if isinstance(value, str | int | float | None):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return json.dumps(value.hex())
    return json.dumps(shown(value))


def shown(value: Any) -> str:
    """A value as text for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta | str):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | dict):
        return encoded(value)
    return str(value)


def decoded(text: str) -> Any:
    """What a JSON text says, numbers exact: whole ones as int, others as Decimal. Raises ValueError for no JSON."""
    return json.loads(text, parse_float=Decimal)
