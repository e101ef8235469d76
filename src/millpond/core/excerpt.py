"""A finding as plain text: code and place, the author's line with a caret, what may have been meant, one next step.

error[MP-1006]: unknown key "pths"                          sources/orders.yaml:2:1
  2 | pths: [data/*.csv]
    | ^^^^ did you mean "paths"?
  fix: the keys here are kind, paths, format
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from millpond.core.errors import Finding, Location

_HEAD = 58
_WIDEST = 120
_TAB = "    "


def render(finding: Finding, *, folder: Path) -> str:
    """The finding as lines of text without colour; paths under `folder` are shown relative to it."""
    head = f"{finding.severity}[{finding.code}]: {_plain(finding.message)}"
    if finding.where is not None:
        head = f"{head:<{_HEAD}}  {_place(finding.where, folder)}"
    hint = f'did you mean "{_plain(finding.suggestion)}"?' if finding.suggestion else ""
    excerpt = _excerpt(finding.where, hint)
    if not excerpt and hint:
        excerpt = [f"  {hint}"]
    return "\n".join([head, *excerpt, f"  fix: {_plain(finding.next_step)}"])


def shown_path(path: Path, folder: Path) -> str:
    """The path relative to `folder` with forward slashes where it lies inside, else as it is."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _place(where: Location, folder: Path) -> str:
    path = _plain(shown_path(where.path, folder))
    return str(Location(Path(path), where.line, where.column))


def _excerpt(where: Location | None, hint: str) -> list[str]:
    if where is None or not where.line:
        return []
    line = _line(where)
    if line is None:
        return []
    number = str(where.line)
    gutter = " " * len(number)
    if not where.column:
        tail = [f"  {gutter} | {hint}"] if hint else []
        return [f"  {number} | {_visible(line)[:_WIDEST]}", *tail]
    before, marked = line[: where.column - 1], line[where.column - 1 : where.column - 1 + where.length]
    text, indent = _visible(line), _width(_visible(before))
    start = max(0, len(_visible(before)) - _WIDEST // 2)
    if start:
        text, indent = "..." + text[start:], _width("..." + _visible(before)[start:])
    caret = "^" * max(1, min(_width(_visible(marked)), _WIDEST))
    under = f"{' ' * indent}{caret} {hint}".rstrip()
    shown = text if len(text) <= _WIDEST else text[:_WIDEST] + "..."
    return [f"  {number} | {shown}".rstrip(), f"  {gutter} | {under}"]


def _line(where: Location) -> str | None:
    try:
        text = where.path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[where.line - 1] if where.line <= len(lines) else None


def _visible(text: str) -> str:
    """Tabs as spaces; characters that a terminal would obey rather than show, as a replacement sign."""
    return "".join(
        _TAB if sign == "\t" else sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def _plain(text: str) -> str:
    return "".join(
        sign if sign.isprintable() else " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
