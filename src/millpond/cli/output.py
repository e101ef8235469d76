"""How values are printed: aligned text for people, JSON lines for programs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from millpond.core.encoding import encoded, shown

_WIDEST = 60


def line(text: str = "") -> None:
    """Print one line to standard output."""
    sys.stdout.write(text + "\n")


def said(text: str) -> None:
    """Print one line to standard error: what is said beside the result."""
    sys.stderr.write(text + "\n")


def json_line(values: dict[str, object]) -> None:
    """Print one JSON object on a line."""
    line(encoded(values))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, indent: str = "") -> None:
    """Print rows under their column names; numbers to the right, wide text cut."""
    rows = [list(row) for row in rows]
    texts = [[_cut(shown(value)) for value in row] for row in rows]
    right = [all(_numeric(row[i]) for row in rows) and bool(rows) for i in range(len(columns))]
    widths = [max([len(name), *(len(row[i]) for row in texts)]) for i, name in enumerate(columns)]
    fitting = _fitting(widths, len(indent))
    for row in [list(columns), ["-" * width for width in widths], *texts]:
        cells = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row[:fitting], widths, right, strict=False)
        ]
        line((indent + "  ".join(cells)).rstrip())
    if fitting < len(columns):
        line(f"{indent}and {counted(len(columns) - fitting, 'more column')}: {', '.join(columns[fitting:])}")


def counted(number: int, word: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _fitting(widths: Sequence[int], indent: int) -> int:
    """How many columns a terminal has room for, at least one; all of them where nobody watches."""
    if not sys.stdout.isatty():
        return len(widths)
    room = shutil.get_terminal_size().columns - indent
    for count in range(len(widths), 1, -1):
        if sum(widths[:count]) + 2 * (count - 1) <= room:
            return count
    return 1


def _numeric(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _cut(text: str) -> str:
    flat = text.replace("\n", "\\n")
    return flat if len(flat) <= _WIDEST else flat[: _WIDEST - 1] + "…"
