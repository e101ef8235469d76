"""One look at all of a file's bytes: hash, integrity, encoding, line count and dialect, in bounded memory."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import replace
from pathlib import Path

from millpond.core.records import frozen
from millpond.ingest.files.compression import Contents, told_by
from millpond.ingest.files.problems import Problem
from millpond.ingest.files.sniff import (
    HEAD,
    Dialect,
    foreign,
    foreign_text,
    format_of,
    json_layout,
    sniff_csv,
)
from millpond.project.source import FilesSource

_ASCII = bytes(range(128))
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"


@frozen
class Examined:
    """What one look at a file told.

    `content` is the SHA-256 of its bytes; `lines` counts its lines, empty ones at the end left out; `recode` says that
    the engine cannot read the bytes as they are and needs a copy in plain UTF-8. `ended` is false where the last line,
    or JSON value, or compression does not end: the file may still be being written.
    """

    content: str
    compression: str
    format: str
    encoding: str = "utf-8"
    recode: bool = False
    lines: int = 0
    size: int = 0
    """Bytes without the compression."""
    empty: bool = False
    ended: bool = True
    dialect: Dialect | None = None
    layout: str = "lines"
    problem: Problem | None = None


class _Text:
    """Counts and judges a file's text as its pieces pass by."""

    def __init__(self) -> None:
        self.head = b""
        self.size = 0
        self.line_feeds = 0
        self.returns = 0
        self.tail = b""
        self.odd_bytes = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._pending = False
        self._good = 0
        self._bad = 0

    def take(self, piece: bytes) -> None:
        if len(self.head) < HEAD:
            self.head += piece[: HEAD - len(self.head)]
        self.size += len(piece)
        self.line_feeds += piece.count(b"\n")
        if not self.line_feeds:
            self.returns += piece.count(b"\r")
        self.tail = (self.tail + piece[-64:])[-64:]
        if self._pending or not piece.isascii():
            self._judge(piece)

    def _judge(self, piece: bytes) -> None:
        try:
            self._decoder.decode(piece)
            self._pending = bool(self._decoder.getstate()[0])
            self._good += len(piece.translate(None, _ASCII))
        except UnicodeDecodeError:
            self._decoder.reset()
            self._pending = False
            wrong = piece.decode("utf-8", "replace").count("\ufffd")
            self._bad += wrong
            self._good += len(piece.translate(None, _ASCII)) - wrong
            self.odd_bytes = self.odd_bytes or bool(piece.translate(None, _ASCII).strip() and _has(piece))

    def encoding(self) -> str:
        """utf-8 where that is what most of the bytes outside ASCII are, else a single-byte encoding."""
        for bom, name in _BOMS:
            if self.head.startswith(bom):
                return name
        if self.head[:200].count(0) * 3 > len(self.head[:200]) > 1:
            return "utf-16-le" if self.head[1:200:2].count(0) > self.head[0:200:2].count(0) else "utf-16-be"
        if not self._bad or self._good > 4 * self._bad:
            return "utf-8"
        return "latin-1" if self.odd_bytes else "cp1252"


def _has(piece: bytes) -> bool:
    return any(byte in piece for byte in _NOT_IN_CP1252)


def _empty_at_end(tail: bytes) -> int:
    ends = tail[len(tail.rstrip(b"\r\n")) :]
    return max((ends.count(b"\n") or ends.count(b"\r")) - 1, 0)


def examine(path: Path, settings: FilesSource) -> Examined:
    """Look at a whole file once. Raises OSError where it cannot be read."""
    digest, text = hashlib.sha256(), _Text()
    with path.open("rb", buffering=0) as stream:
        told = told_by(stream.read(4))
        stream.seek(0)
        contents = Contents(stream, settings.compression or told, digest)
        for piece in contents:
            text.take(piece)
    kind = settings.format or format_of(path.name, text.head)
    compression = settings.compression or told
    found = Examined(digest.hexdigest(), compression, kind, size=text.size, empty=not text.size)
    if contents.problem:
        return replace(found, problem=contents.problem, ended=not contents.problem.cut)
    if not text.size:
        return replace(found, ended=False)
    problem = foreign(text.head, kind)
    if problem or kind == "parquet":
        return _parquet(found, text, problem)
    return _text_file(found, text, settings, contents.padded)


def _parquet(found: Examined, text: _Text, problem: Problem | None) -> Examined:
    if problem or found.format != "parquet":
        return replace(found, problem=problem)
    if text.size < 12 or not text.tail.endswith(b"PAR1"):
        cut = Problem("damaged_parquet", "its Parquet footer is missing", cut=True)
        return replace(found, problem=cut, ended=False)
    return replace(found, recode=found.compression != "none")


def _text_file(found: Examined, text: _Text, settings: FilesSource, padded: bool) -> Examined:
    declared = settings.csv.encoding if found.format in ("csv", "tsv") else None
    encoding = declared or text.encoding()
    try:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
    except LookupError:
        return replace(found, problem=Problem("unknown_encoding", f"its declared encoding {encoding!r} is not known"))
    whole = text.size <= HEAD
    head = decoder.decode(text.head, whole)
    name = codecs.lookup(encoding).name
    plain = name == "utf-8" or (name == "utf-8-sig" and found.format in ("csv", "tsv"))
    unended = text.tail.rstrip(b"\0")[-1:] not in (b"\n", b"\r")
    found = replace(
        found,
        encoding=encoding,
        recode=padded or not plain,
        lines=(text.line_feeds or text.returns) + unended - _empty_at_end(text.tail),
        problem=foreign_text(head, found.format, whole),
    )
    if found.problem:
        return found
    if found.format in ("csv", "tsv"):
        dialect = sniff_csv(head, settings.csv, whole=whole, tabs=found.format == "tsv")
        return replace(found, dialect=dialect, recode=found.recode or dialect.odd_junk, ended=not unended)
    layout = "lines" if found.format == "ndjson" else json_layout(head)
    end = text.tail.rstrip(b"\0 \t\r\n")[-1:]
    closed = end in (b"}", b"]", b"")
    if layout == "array" and end not in (b"]", b""):  # the engine takes an open array for a whole one
        cut = Problem("cut_json", "its JSON array is never closed", cut=True)
        return replace(found, layout=layout, problem=cut, ended=False)
    return replace(found, layout=layout, ended=not unended if layout == "lines" else closed)
