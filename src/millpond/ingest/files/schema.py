"""Which columns the bronze table has, and how each file's fields fill them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from millpond.catalog.evolving import widens
from millpond.catalog.types import portable_problem, storable
from millpond.core.errors import CatalogError, IngestError
from millpond.core.names import closest
from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS, ORIGIN_SCHEMA, Column, Schema
from millpond.ingest.files.discovery import FoundFile
from millpond.ingest.files.problems import Problem
from millpond.project.model import Source
from millpond.sql.files import CsvScan, Filling, JsonScan, Landing, Scan

MOST_COLUMNS = 1000
"""Fields beyond this many columns are kept in `_rescued`: such files use field names as data."""


@frozen
class Readable:
    """A file whose fields are known: field i of `names` and `types` is field i of the scan."""

    file: FoundFile
    scan: Scan
    names: tuple[str, ...]
    types: tuple[str, ...]
    records: int | None = None
    bad: int = 0

    @property
    def nothing(self) -> bool:
        """Whether it holds neither fields nor records."""
        return not (self.names or self.records or self.bad)

    @property
    def folded(self) -> frozenset[str]:
        """The field names, as they are compared."""
        return frozenset(name.lower() for name in self.names)


def kept_type(kind: str) -> str:
    """The type of the column that keeps values of a file's type: its own, a wider one, or text where neither can be."""
    try:
        wider = storable(kind)
        return "VARCHAR" if portable_problem(wider) else wider
    except CatalogError:
        return "VARCHAR"


def user_columns(schema: Schema | None) -> tuple[Column, ...]:
    """The columns of a bronze table that come from its records."""
    return tuple(column for column in schema or () if column.name not in ORIGIN_COLUMNS)


def bronze_schema(columns: Sequence[Column]) -> Schema:
    """A bronze table's columns: those of its records, then where they came from."""
    return Schema((*columns, *ORIGIN_SCHEMA))


def with_known_header(readable: Readable, known: frozenset[str]) -> Readable:
    """A CSV file read anew with or without header, where the known columns tell that the first look was wrong."""
    dialect, scan = readable.file.examined.dialect, readable.scan
    if dialect is None or not isinstance(scan, CsvScan) or not known or readable.folded & known:
        return readable
    other = replace(dialect, header=not dialect.header)
    names = other.names
    shared = sum(name.lower() in known for name in names)
    if shared * 2 <= len(names):
        return readable
    return replace(readable, names=names, scan=replace(scan, header=other.header))


def strangers(readables: Sequence[Readable], known: frozenset[str]) -> dict[str, Problem]:
    """Files that share no column with the others (by path): they are something else under a like name.

    Compared are the table's columns, or those that most files have; every file that shares one adds its own.
    """
    waiting = [readable for readable in readables if readable.names]
    if not known and waiting:
        sets = Counter(readable.folded for readable in waiting)
        most = max(sets.values())
        known = next(readable.folded for readable in waiting if sets[readable.folded] == most)
    while akin := [readable for readable in waiting if readable.folded & known]:
        known = known.union(*(readable.folded for readable in akin))
        waiting = [readable for readable in waiting if not readable.folded & known]
    return {
        readable.file.path: Problem(
            "no_known_column",
            f"it has none of the table's columns: its first line reads {', '.join(readable.names)[:200]!r}",
        )
        for readable in waiting
    }


def new_columns(source: Source, existing: Schema | None, readables: Sequence[Readable]) -> tuple[Column, ...]:
    """The columns that the table lacks and shall have, in the order of the files and of their fields.

    Raises IngestError MP-5005 (a new column), MP-5006 (a missing one) or MP-5007 (another type) where the source's
    schema is frozen.
    """
    policy = source.settings.on_schema_change
    declared = tuple(Column(name, kind) for name, kind in (source.settings.columns or {}).items())
    have = {column.name.lower(): column for column in user_columns(existing)}
    wanted = {column.name.lower(): column for column in declared if column.name.lower() not in have}
    settled = existing is not None or bool(declared)
    for readable in readables:
        for name, kind in zip(readable.names, readable.types, strict=True):
            folded = name.lower()
            if folded in have or folded in wanted or len(have) + len(wanted) >= MOST_COLUMNS:
                continue
            if policy == "evolve" or not settled:
                wanted[folded] = Column(name, kept_type(kind))
            elif policy == "freeze":
                raise _new_column(source, readable, name, (*have.values(), *wanted.values()))
        if policy == "freeze":
            _hold(source, readable, {**have, **wanted})
        settled = settled or bool(readable.names)
    fixed = {column.name for column in declared}
    free = policy == "evolve" or existing is None
    return tuple(c if c.name in fixed or not free else _widest(c, readables) for c in wanted.values())


def wider_columns(source: Source, existing: Schema | None, readables: Sequence[Readable]) -> tuple[Column, ...]:
    """The columns of the table, with their new types, whose files have come with wider ones: so that whichever file is
    first, every value fits. What the source declares stays as it is declared."""
    if source.settings.on_schema_change != "evolve":
        return ()
    declared = {name.lower() for name in source.settings.columns or {}}
    found = []
    for column in user_columns(existing):
        wider = column if column.name.lower() in declared else _widest(column, readables)
        if wider.type != column.type:
            found.append(wider)
    return tuple(found)


def _widest(column: Column, readables: Sequence[Readable]) -> Column:
    folded = column.name.lower()
    for readable in readables:
        for name, kind in zip(readable.names, readable.types, strict=True):
            if name.lower() == folded and widens(column.type, kept := kept_type(kind)):
                column = replace(column, type=kept)
    return column


def _hold(source: Source, readable: Readable, columns: dict[str, Column]) -> None:
    if not isinstance(readable.scan, JsonScan) and readable.names:
        for folded, column in columns.items():
            if folded not in readable.folded:
                raise IngestError(
                    "MP-5006",
                    f"the file {readable.file.path!r} lacks the column {column.name!r}, and source {source.name!r} "
                    "is frozen",
                    next_step="correct the file, or set on_schema_change: evolve",
                    where=source.place("on_schema_change"),
                )
    for name, kind in zip(readable.names, readable.types, strict=True):
        held = columns.get(name.lower())
        if held is not None and kind != "VARCHAR" and kept_type(kind) != held.type:
            raise IngestError(
                "MP-5007",
                f"the column {name!r} of the file {readable.file.path!r} is {kind}, not {held.type}, and source "
                f"{source.name!r} is frozen",
                next_step="correct the file, or set on_schema_change: evolve",
                where=source.place("on_schema_change"),
            )


def _new_column(source: Source, readable: Readable, name: str, columns: Sequence[Column]) -> IngestError:
    return IngestError(
        "MP-5005",
        f"the file {readable.file.path!r} has a new column {name!r}, and source {source.name!r} is frozen",
        next_step="correct the file, or set on_schema_change: evolve",
        where=source.place("on_schema_change"),
        suggestion=closest(name, [column.name for column in columns]),
    )


def landing(readable: Readable, columns: Sequence[Column]) -> Landing:
    """How a file fills the table's columns."""
    index = {name.lower(): position for position, name in reversed(list(enumerate(readable.names)))}
    fillings = []
    for column in columns:
        position = index.pop(column.name.lower(), None)
        if position is None:
            fillings.append(Filling(column.name, column.type))
            continue
        kind = readable.types[position]
        whole = kept_type(kind) == column.type
        fillings.append(Filling(column.name, column.type, readable.scan.field(position), kind, whole))
    extras = tuple((readable.names[position], readable.scan.field(position)) for position in sorted(index.values()))
    return Landing(readable.scan, readable.file.path, tuple(fillings), extras)
