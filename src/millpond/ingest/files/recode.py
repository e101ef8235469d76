"""Copies of files that the engine cannot read as they are: plain UTF-8, without junk, in the scratch folder."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from millpond.ingest.files.compression import Contents
from millpond.ingest.files.examine import Examined


def recoded(path: Path, examined: Examined, target: Path) -> int:
    """Write the uncompressed text of `path` to `target` as UTF-8 without a BOM; the number of its lines.

    Junk lines before a header are left out. Parquet files are only uncompressed.
    """
    lines, returns, last = 0, 0, b"\n"
    with path.open("rb", buffering=0) as source, target.open("wb") as copy:
        pieces: Iterator[bytes] = iter(Contents(source, examined.compression))
        if examined.format != "parquet":
            pieces = _utf8(pieces, examined.encoding)
            pieces = _without_lines(pieces, examined.dialect.skip if examined.dialect else 0)
        for piece in pieces:
            copy.write(piece)
            lines += piece.count(b"\n")
            returns += piece.count(b"\r")
            last = piece[-1:] or last
    return (lines or returns) + (last not in (b"\n", b"\r"))


def _utf8(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
    first = True
    for piece in pieces:
        text = decoder.decode(piece)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        yield text.encode("utf-8", "backslashreplace")
    yield decoder.decode(b"", final=True).encode("utf-8", "backslashreplace")


def _without_lines(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        rest, line_end = piece, b"\n" if b"\n" in piece else b"\r"
        while count and rest:
            _, end, rest = rest.partition(line_end)
            count -= bool(end)
        if rest:
            yield rest
