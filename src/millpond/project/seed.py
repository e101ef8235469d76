"""A file under `seeds/`: small reference data in CSV, kept in the project and landed in a bronze table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from millpond.core.errors import Location
from millpond.core.records import frozen
from millpond.project.findings import Findings
from millpond.project.source import CsvOptions, FilesSource
from millpond.project.text_file import read

_FIELD = re.compile(r'("(?:[^"]|"")*"|[^",\r\n][^,\r\n]*|)(,|\r?\n|\r|\Z)')


@frozen
class _Field:
    text: str
    where: Location
    broken: bool = False
    """Whether the text cannot be read on from here."""


def settings(path: Path, folder: Path) -> FilesSource:
    """What a source would say of the seed: comma-separated, with a header, replaced whole when the file changes."""
    return FilesSource(
        kind="files",
        paths=(path.relative_to(folder).as_posix(),),
        format="csv",
        compression="none",
        csv=CsvOptions(delimiter=",", quote='"', escape='"', header=True, skip=0, encoding="utf-8"),
        on_change="replace",
        settle_seconds=0,
    )


def check_seed(path: Path, findings: Findings) -> bool:
    """Whether a seed can be landed whole, with what is wrong in `findings`.

    Raises ProjectError where the file cannot be read at all.
    """
    records = _records(read(path), path, findings)
    header = next(records, None)
    if header is None:
        findings.add(
            "MP-1300",
            "this seed has no header",
            next_step="name the columns in the first line, separated by commas",
            where=Location(path, 1),
        )
        return False
    sound = _check_header(header, findings)
    for record in records:
        if record[-1].broken:
            return False
        if len(record) != len(header):
            sound = False
            extra = len(record) > len(header)
            findings.add(
                "MP-1302",
                f"this record has {len(record)} fields, and the header names {len(header)} columns",
                next_step="put a field that holds a comma in double quotes" if extra else "write the missing fields",
                where=record[len(header)].where if extra else record[-1].where,
            )
    return sound and not header[-1].broken


def _check_header(header: list[_Field], findings: Findings) -> bool:
    seen: set[str] = set()
    sound = True
    for field in header:
        name = field.text.lower()
        if field.broken:
            return False
        if not name or name in seen or name.startswith("_"):
            told = (
                "has no name"
                if not name
                else f'"{field.text}" ' + ("is there twice" if name in seen else "is reserved")
            )
            findings.add(
                "MP-1301",
                f"a column of this seed {told}" if not name else f"the column {told}",
                next_step="give the column a name of its own that does not begin with _",
                where=field.where,
            )
            sound = False
        seen.add(name)
    return sound


def _records(text: str, path: Path, findings: Findings) -> Iterator[list[_Field]]:
    """The records with the place of each field; blank lines are none. A broken field ends what cannot be read on."""
    at, line, begin = 0, 1, 0
    record: list[_Field] = []
    while at < len(text) or record:
        found = _FIELD.match(text, at)
        where = Location(path, line, at - begin + 1)
        if found is None:
            findings.add(
                "MP-1303",
                "a double quote is not closed here, or other text follows it",
                next_step="close it before the next comma, and write a double quote inside as two",
                where=where,
            )
            yield [*record, _Field("", where, broken=True)]
            return
        written, end = found.groups()
        quoted = written.startswith('"')
        record.append(_Field(written[1:-1].replace('""', '"') if quoted else written, where))
        at = found.end()
        newlines = found.group().count("\n")
        if newlines:
            line += newlines
            begin = text.rfind("\n", 0, at) + 1
        if end == ",":
            continue
        if len(record) > 1 or written:
            yield record
        record = []
