"""What a translation gives: checks, and what is left with its reason. Nothing is dropped without a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from millpond.core.errors import Finding, Location
from millpond.core.records import frozen
from millpond.project.check_text import read_back

Entry = Mapping[str, Any]

_NOT_RE2 = re.compile(r"\(\?(?:[=!>(|]|<[=!])|\\[1-9]|\(\?P=|[*+?}]\+")


@frozen
class Translated:
    """A check for a model (None: the file does not say which), what it was made from, and where that stands.

    `note` says in what the check differs from it; `rules` are the names that verdicts call it by; `description` is what
    the author said of it.
    """

    model: str | None
    entry: Entry
    origin: str
    where: Location
    note: str | None = None
    rules: tuple[str, ...] = ()
    description: str | None = None


@frozen
class Left:
    """Something that was not translated, and why."""

    model: str | None
    origin: str
    reason: str
    where: Location
    next_step: str = "write it by hand; docs/guides/quality.md tells what has no translation"

    def finding(self) -> Finding:
        """The warning about it."""
        of_model = f" of {self.model}" if self.model else ""
        told = f"{self.origin}{of_model} is not translated: {self.reason}"
        return Finding("MP-6410", told, self.next_step, self.where, severity="warning")


Result = Translated | Left


class UntranslatableError(ValueError):
    """Why something cannot be translated, for the loop that goes on with the rest."""


def checked(model: str | None, entry: Entry, origin: str, where: Location, note: str | None = None) -> Result:
    """The check, when a model may have it; else what is wrong with it."""
    read = read_back(entry)
    if isinstance(read, str):
        return Left(model, origin, read, where)
    return Translated(model, entry, origin, where, note, tuple(check.rule for check in read))


def told_apart(results: Iterable[Result]) -> tuple[Result, ...]:
    """The same, each check of a model with a name of its own: what is said twice is left, two of one name get names."""
    found: list[Result] = []
    seen: dict[str | None, dict[str, Entry]] = {}
    for result in results:
        if isinstance(result, Left):
            found.append(result)
            continue
        known = seen.setdefault(result.model, {})
        if result.entry in known.values():
            found.append(Left(result.model, result.origin, "the same check came before", result.where, "nothing to do"))
            continue
        apart = _named(result, len(known) + 1) if known.keys() & set(result.rules) else result
        known |= dict.fromkeys(apart.rules, result.entry)
        found.append(apart)
    return tuple(found)


def pattern(text: object) -> str:
    """A regular expression that the engine reads too. Raises UntranslatableError for what only others know."""
    if not isinstance(text, str) or not text:
        raise UntranslatableError("its pattern is no text")
    if _NOT_RE2.search(text):
        raise UntranslatableError("its pattern looks around, refers back or is possessive, which RE2 patterns cannot")
    return text


def bounds(given: Mapping[str, Any], low: str = "min_value", high: str = "max_value") -> list[Any]:
    """Lowest and highest, at least one of them. Raises UntranslatableError where they are none or computed."""
    found = [given.get(low), given.get(high)]
    if found == [None, None]:
        raise UntranslatableError("it has no bounds")
    if any(isinstance(bound, Mapping | list) for bound in found):
        raise UntranslatableError("its bounds are computed when it runs")
    return found


def _named(result: Translated, number: int) -> Translated:
    named = {**result.entry, "name": f"imported_{number}"}
    again = checked(result.model, named, result.origin, result.where, result.note)
    assert isinstance(again, Translated)  # noqa: S101 - a name makes no check wrong
    return replace(again, description=result.description)
