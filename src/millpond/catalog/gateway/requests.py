"""Reading what clients send: tolerant of what they add, clear about what they lack."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from millpond.catalog import shapes
from millpond.catalog.staging import TableChange
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.records import frozen

Json = Mapping[str, Any]

LEVELS = "\x1f"
"""What stands between the levels of a namespace in a path; in its name here a dot does."""

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""What may be half a character, which no answer could be written with."""

_NUL = re.compile(rb"(?<!\\)(\\\\)*\\u0000")
"""The one character that no text of the pointer store can hold."""

_LONGEST_NAME = 200
_MOST_LEVELS = 10


def malformed(reason: str) -> CatalogError:
    """The refusal of a request that is not as the specification says."""
    return CatalogError(
        "MP-3020", f"Malformed request: {reason}", next_step="send what the REST catalog specification describes"
    )


@frozen
class Call:
    """One request: the names in its path, the words of its query, its headers, its body as sent."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> Json:
        """The body as a JSON object. Raises CatalogError MP-3020."""
        try:
            content = json.loads(self.raw or b"{}", parse_constant=_no_number)
            if _HALF.search(self.raw):
                json.dumps(content, ensure_ascii=False).encode()
        except ValueError as wrong:
            raise malformed(f"the body is no JSON: {wrong}") from wrong
        except RecursionError as deep:
            raise malformed("the body is nested too deeply") from deep
        if not isinstance(content, dict):
            raise malformed("the body is no JSON object")
        if _NUL.search(self.raw):
            raise malformed("the character NUL is refused in every text")
        return content

    def namespace(self) -> str:
        """The namespace in the path."""
        return joined(self.path["namespace"])

    def table(self) -> TableName:
        """The table in the path."""
        return TableName(self.namespace(), self.path["table"])

    def view(self) -> TableName:
        """The view in the path."""
        return TableName(self.namespace(), self.path["view"])

    def flag(self, word: str) -> bool:
        """Whether a word of the query says true."""
        return self.query.get(word, "").lower() == "true"


def _no_number(word: str) -> float:
    """Refuse what Python takes for a number and other readers of metadata do not."""
    raise ValueError(f"{word} is no number")


def text(body: Json, member: str) -> str:
    """A member that must be a text. Raises CatalogError MP-3020."""
    value = body.get(member)
    if not isinstance(value, str):
        raise malformed(f"{member} must be a text")
    return value


def optional_text(body: Json, member: str) -> str | None:
    """A member that may be absent or null and else is a text. Raises CatalogError MP-3020."""
    return None if body.get(member) is None else text(body, member)


def mapping(body: Json, member: str) -> Json:
    """A member that must be an object. Raises CatalogError MP-3020."""
    value = body.get(member)
    if not isinstance(value, dict):
        raise malformed(f"{member} must be an object")
    return value


def optional_mapping(body: Json, member: str) -> Json | None:
    """A member that may be absent or null and else is an object. Raises CatalogError MP-3020."""
    return None if body.get(member) is None else mapping(body, member)


def properties(body: Json, member: str = "properties") -> dict[str, str]:
    """A member that maps texts to texts; absent or null is empty. Raises CatalogError MP-3020."""
    words = optional_mapping(body, member) or {}
    if not all(isinstance(value, str) for value in words.values()):
        raise malformed(f"every value of {member} must be a text")
    return dict(words)


def optional_flag(body: Json, member: str) -> bool:
    """A member that may be absent or null, which is false, and else is true or false. Raises CatalogError MP-3020."""
    value = body.get(member)
    if value is not None and not isinstance(value, bool):
        raise malformed(f"{member} must be true or false")
    return bool(value)


def rows(body: Json, member: str) -> tuple[Json, ...]:
    """A member that lists objects; absent or null is empty. Raises CatalogError MP-3020."""
    value = body.get(member)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise malformed(f"{member} must be a list of objects")
    return tuple(value)


def words(body: Json, member: str) -> tuple[str, ...]:
    """A member that lists texts; absent or null is empty. Raises CatalogError MP-3020."""
    value = body.get(member)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(row, str) for row in value):
        raise malformed(f"{member} must be a list of texts")
    return tuple(value)


def new_name(name: str, what: str) -> str:
    """A name for something new. Raises CatalogError MP-3006 for one that cannot be kept or shown safely."""
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or name in (".", "..") or "/" in name:
        raise CatalogError(
            "MP-3006",
            f"{name[:_LONGEST_NAME]!r} is no name for a {what}",
            next_step=f"use up to {_LONGEST_NAME} printable characters and no slash",
        )
    return name


def joined(sent: str) -> str:
    """A namespace's name from how a path or query writes it."""
    return sent.replace(LEVELS, ".")


def levels(namespace: str) -> list[str]:
    """A namespace's name as clients read it: a list of levels."""
    return namespace.split(".")


def namespace_of(body: Json) -> str:
    """The namespace that a body names. Raises CatalogError MP-3020."""
    named = words(body, "namespace")
    if not named:
        raise malformed("namespace must be a list with at least one name")
    return ".".join(named)


def new_namespace(body: Json) -> str:
    """A namespace to be made. Raises CatalogError MP-3020, MP-3006 for a level that cannot be kept or shown safely."""
    named = words(body, "namespace")
    if len(named) > _MOST_LEVELS:
        raise malformed(f"a namespace has at most {_MOST_LEVELS} levels")
    for level in named:
        new_name(level, "namespace")
        if "." in level:
            raise CatalogError(
                "MP-3006",
                f"{level!r} is no name for a namespace: a dot stands between levels",
                next_step="leave the dot out, or make a namespace inside a namespace",
            )
    return namespace_of(body)


def identifier(body: Json, member: str) -> TableName:
    """A table or view that a body names. Raises CatalogError MP-3020."""
    named = mapping(body, member)
    return TableName(namespace_of(named), text(named, "name"))


def change(body: Json, name: TableName, at: str = "") -> TableChange:
    """A commit on one table; `at` is where it stands in the request. Raises CatalogError MP-3020."""
    demands, updates = rows(body, "requirements"), rows(body, "updates")
    told = [shapes.requirement(demand, f"{at}requirements[{place}]") for place, demand in enumerate(demands)]
    told += [shapes.update(update, f"{at}updates[{place}]") for place, update in enumerate(updates)]
    wrong = next(filter(None, told), None)
    if wrong is not None:
        raise malformed(wrong)
    return TableChange(name, demands, updates)


def shaped(body: Json, member: str, check: shapes.Check) -> Json:
    """A member that must be an object of a shape. Raises CatalogError MP-3020."""
    value = mapping(body, member)
    wrong = check(value, member)
    if wrong is not None:
        raise malformed(wrong)
    return value


def optional_shaped(body: Json, member: str, check: shapes.Check) -> Json | None:
    """A member that may be absent or null and else is an object of a shape. Raises CatalogError MP-3020."""
    return None if body.get(member) is None else shaped(body, member, check)
