"""SQL text put together from what authors wrote: each of its characters knows its place in a file."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from millpond.core.errors import Location
from millpond.core.records import frozen
from millpond.project.sql_file import SqlFile


@frozen
class Piece:
    """A part of a text: a file's own characters from `start`, or, where `at` is given, what was put in for that place.

    `via` is where the author of the text called the macro that the piece comes from.
    """

    text: str
    file: SqlFile | None = None
    start: int = 0
    at: Location | None = None
    via: Location | None = None

    def place(self, offset: int, length: int) -> Location:
        """Where a part of the piece was written."""
        if self.file is None or self.at is not None:
            return self.at or Location(Path())
        room = max(1, min(length, len(self.text) - offset))
        return self.file.authored(locate(self.file.sql, self.file.path, self.start + offset, room))

    def cut(self, start: int, end: int) -> Piece:
        """A part of the piece."""
        return replace(self, text=self.text[start:end], start=self.start + start)


@frozen
class Written:
    """A text in pieces."""

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, file: SqlFile) -> Written:
        """A file's own text."""
        return cls((Piece(file.sql, file),))

    @cached_property
    def sql(self) -> str:
        """The whole text."""
        return "".join(piece.text for piece in self.pieces)

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(accumulate(len(piece.text) for piece in self.pieces))

    def place(self, offset: int, length: int = 1) -> Location:
        """Where a part of the text was written; the call, for what reaches over the end of a macro's own words."""
        index, begin = self._find(offset)
        piece = self.pieces[index]
        if piece.via is not None and self._find(offset + length - 1)[0] != index:
            return piece.via
        return piece.place(offset - begin, length)

    def place_of_byte(self, position: int) -> Location:
        """Where the byte of a position was written, counted in UTF-8 as the engine's binder does."""
        before = self.sql.encode()[: max(position, 0)].decode(errors="ignore")
        return self.place(len(before))

    def authored(self, where: Location) -> Location:
        """Where a line and column of the whole text were written."""
        if not where.column:
            return where
        start = 0
        for _ in range(where.line - 1):
            start = self.sql.find("\n", start) + 1
        return self.place(start + max(where.column - 1, 0), where.length)

    def cut(self, start: int, end: int) -> tuple[Piece, ...]:
        """The pieces of a part of the text."""
        found, begin = [], 0
        for piece, stop in zip(self.pieces, self._ends, strict=True):
            if begin < end and stop > start:
                found.append(piece.cut(max(start - begin, 0), min(end, stop) - begin))
            begin = stop
        return tuple(found)

    def _find(self, offset: int) -> tuple[int, int]:
        """The piece that holds an offset, and where it begins."""
        index = min(bisect_right(self._ends, offset), len(self.pieces) - 1)
        return index, self._ends[index] - len(self.pieces[index].text)


def locate(sql: str, path: Path, offset: int, length: int = 1) -> Location:
    """The place of an offset in a text; a length never reaches over the end of its line."""
    line = sql.count("\n", 0, offset) + 1
    begin = sql.rfind("\n", 0, offset) + 1
    end = sql.find("\n", offset)
    room = (len(sql) if end < 0 else end) - offset
    return Location(path, line, offset - begin + 1, max(1, min(length, room)))
