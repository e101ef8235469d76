"""`@millpond.model(...)`: marks the function of a Python model. What it says is read from the file's text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def model(**_declared: Any) -> Callable[[F], F]:
    """Declare that a function makes the table of its file: `models/gold/scores.py` makes `gold.scores`.

    Takes what the front matter of a SQL model takes, and `inputs`, the table that each argument reads. All is written
    out, for it is read without running the file.
    """

    def unchanged(function: F) -> F:
        return function

    return unchanged
