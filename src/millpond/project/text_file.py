"""Reading what an author wrote by hand: UTF-8 text, whatever the line ends."""

from __future__ import annotations

import codecs
from pathlib import Path

from millpond.core.errors import Location, ProjectError

LARGEST = 4 * 1024 * 1024
"""Bytes; nobody writes more than this by hand."""


def read(path: Path) -> str:
    """The file's text with `\\n` line ends and without a byte order mark.

    Raises ProjectError MP-1002 when it cannot be read, MP-1003 when it is not UTF-8 text, MP-1029 when it is too large.
    """
    try:
        if not path.is_file():
            raise ProjectError(
                "MP-1002",
                "this is not a file that can be read" if path.exists() else "this file does not exist",
                next_step="put a plain text file here, or remove it",
                where=Location(path),
            )
        if path.stat().st_size > LARGEST:
            raise ProjectError(
                "MP-1029",
                f"this file is larger than {LARGEST // (1024 * 1024)} MB",
                next_step="keep data out of sources/ and models/; put it under data/ and name it in a source",
                where=Location(path),
            )
        raw = path.read_bytes()
    except OSError as failure:
        raise ProjectError(
            "MP-1002",
            f"this file cannot be read: {failure.strerror or failure}",
            next_step="check that the file exists and that you may read it",
            where=Location(path),
        ) from failure
    return _decode(raw, path)


def _decode(raw: bytes, path: Path) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ProjectError(
            "MP-1003", "this file is UTF-16, not UTF-8", next_step="save it as UTF-8", where=Location(path, 1)
        )
    zero = raw.find(b"\x00")
    if zero >= 0:
        raise ProjectError(
            "MP-1003",
            "this is a binary file, not text",
            next_step="put a UTF-8 text file here, or move this one out of the project's folders",
            where=Location(path, raw.count(b"\n", 0, zero) + 1),
        )
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as failure:
        before = normalise(raw[: failure.start].decode("utf-8"))
        line, column = line_and_column(before, len(before))
        raise ProjectError(
            "MP-1003",
            f"this is not UTF-8 text: byte 0x{raw[failure.start]:02x}",
            next_step="save the file as UTF-8",
            where=Location(path, line, column),
        ) from failure
    return normalise(text)


def normalise(text: str) -> str:
    """The text with every line end as `\\n`, so that lines and columns are those of an editor."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def line_and_column(text: str, index: int) -> tuple[int, int]:
    """The place of a character, both counted from 1."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
