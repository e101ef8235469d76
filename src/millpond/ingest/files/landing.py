"""Landing: a source's new records, with their origin, into its bronze table; what cannot be read into quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from millpond.catalog.commits import Ledger, SeenFile
from millpond.core.clock import naive_utc
from millpond.core.errors import Finding, IngestError
from millpond.core.names import QUARANTINE
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.engines.scratch import scratch_folder
from millpond.ingest.files.batch import Taken, Target, land_batch
from millpond.ingest.files.discovery import Discovery, FoundFile
from millpond.ingest.files.kept import keep_bytes, quarantine_files
from millpond.ingest.files.problems import Problem
from millpond.ingest.files.reading import read
from millpond.ingest.files.schema import (
    Readable,
    bronze_schema,
    new_columns,
    strangers,
    user_columns,
    wider_columns,
    with_known_header,
)
from millpond.ingest.mended_records import give_way, mended_records, places_now, replayed_files
from millpond.ingest.partitioning import unpartitioned
from millpond.ingest.quarantine import mended_origins, open_quarantine
from millpond.ingest.source import Landed, Load
from millpond.project.model import Project, Source
from millpond.sql.files import delete_loads, delete_origins, loads_of

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.staging import Stage

BATCH = 64
"""Most files that one INSERT reads."""


@dataclass
class _Outcome:
    """What has come of the files so far; `refused` are those rejected whole that were not known."""

    seen: list[SeenFile] = field(default_factory=list)
    rejected: list[tuple[FoundFile, Problem]] = field(default_factory=list)
    later: list[FoundFile] = field(default_factory=list)
    replaced: list[SeenFile] = field(default_factory=list)
    records: int = 0
    quarantined: int = 0
    deleted: int = 0
    refused: int = 0
    findings: tuple[Finding, ...] = ()


def land(source: Source, project: Project, load: Load, discovery: Discovery) -> Landed:
    """Stage everything that was discovered, in transactions of its own.

    Raises IngestError MP-5004 when a file changed though the source refuses that, MP-5005 to MP-5007 for a frozen
    schema, MP-5008 and MP-5009 when files do not hold still, MP-5011 when the disk fails, MP-5013 when the table
    cannot be partitioned as declared, MP-5001 and MP-5012 for addresses that cannot be looked at.
    """
    _refuse(source, discovery)
    session, catalog, stage = load.session, load.catalog, load.stage
    entry = catalog.find(source.table)
    existing = catalog.metadata(entry).schema() if entry else None
    discovery = _without_replayed(source, load, discovery)
    known = open_quarantine(catalog, stage)
    outcome = _Outcome()
    outcome.rejected += [(file, file.examined.problem) for file in discovery.rejected if file.examined.problem]
    with _scratch(project) as scratch:
        readables = _read_all(source, discovery, existing, session, scratch, outcome)
        added = new_columns(source, existing, readables)
        wider = {column.name: column for column in wider_columns(source, existing, readables)}
        columns = (*(wider.get(column.name, column) for column in user_columns(existing)), *added)
        _shape_table(source, stage, existing, added, tuple(wider.values()), readables)
        if existing is not None:
            _replace(source, session, catalog, stage, discovery, outcome)
        mended = mended_records(catalog, session, stage, source.name, source.table, _contents(discovery.changed))
        target = Target(session, source.table, columns, load.identity, naive_utc(load.at), scratch, known, mended)
        _note(source, [Taken(readable.file) for readable in readables if readable.nothing], outcome)
        for batch in _batches([readable for readable in readables if not readable.nothing]):
            _note(source, land_batch(target, batch), outcome)
        _reject(source, catalog, discovery, target, outcome)
    places = places_now(mended, {file.path: file.records + file.quarantined for file in outcome.seen})
    deleted, outcome.findings = give_way(session, stage, source.table, load.identity, places)
    outcome.deleted += deleted
    return _landed(source, discovery, outcome, added)


def _refuse(source: Source, discovery: Discovery) -> None:
    if discovery.failed:
        raise discovery.failed
    if discovery.refused:
        names = ", ".join(repr(file.path) for file in discovery.refused[:5])
        raise IngestError(
            "MP-5004",
            f"source {source.name!r} refuses files that change, and {names} did",
            next_step="put the file back, give the new one another name, or set on_change: append or replace",
            where=source.place("on_change"),
        )


def _contents(files: Sequence[FoundFile]) -> dict[str, str]:
    """The files whose bytes were dealt with under their names before, with the hash of these."""
    return {file.path: file.examined.content for file in files if file.known}


def _without_replayed(source: Source, load: Load, discovery: Discovery) -> Discovery:
    """Files that were replayed from quarantine are known: what was mended of them stays, whatever reads them now."""
    contents = _contents(discovery.new)
    replayed = replayed_files(load.catalog, load.session, load.stage, source.table, contents)
    new = tuple(file for file in discovery.new if file.path not in replayed)
    known = tuple(file for file in discovery.new if file.path in replayed)
    return replace(discovery, new=new, duplicates=(*discovery.duplicates, *known)) if known else discovery


@contextmanager
def _scratch(project: Project) -> Iterator[Path]:
    """A folder for this load's copies, gone afterwards."""
    try:
        with scratch_folder(project.state / "scratch", "land-") as folder:
            yield folder
    except OSError as failed:
        raise IngestError(
            "MP-5011",
            f"files could not be read or copied: {failed}",
            next_step="check that the disk has room and that the files and .millpond/ can be read and written",
        ) from failed


def _read_all(
    source: Source,
    discovery: Discovery,
    existing: Schema | None,
    session: Session,
    scratch: Path,
    outcome: _Outcome,
) -> list[Readable]:
    """The files whose fields are known; the others are noted as rejected."""
    readables: list[Readable] = []
    known = frozenset(column.name.lower() for column in user_columns(existing))
    if existing is None:
        known = frozenset(name.lower() for name in source.settings.columns or {})
    for file in sorted((*discovery.new, *discovery.changed), key=lambda file: file.path):
        told = read(file, source.settings, session, scratch)
        if isinstance(told, Problem):
            outcome.rejected.append((file, told))
        else:
            readables.append(with_known_header(told, known) if source.settings.csv.header is None else told)
    odd = strangers(readables, known)
    outcome.rejected += [(item.file, odd[item.file.path]) for item in readables if item.file.path in odd]
    return [item for item in readables if item.file.path not in odd]


def _shape_table(
    source: Source,
    stage: Stage,
    existing: Schema | None,
    added: tuple[Column, ...],
    wider: tuple[Column, ...],
    readables: Sequence[Readable],
) -> None:
    schema = bronze_schema((*user_columns(existing), *added))
    if existing is None and not added and all(readable.nothing for readable in readables):
        return
    if problem := unpartitioned(source, schema):
        raise problem
    if existing is not None:
        if added or wider:
            stage.add_columns(source.table, added, wider)
        stage.repartition(source.table, source.partition)
    else:
        stage.create_table(source.table, schema, source.partition)


def _replace(
    source: Source, session: Session, catalog: Catalog, stage: Stage, discovery: Discovery, outcome: _Outcome
) -> None:
    """Take away the rows of files that came anew, and of what was mended of them since."""
    gone = [file.path for file in discovery.replaced]
    other = set(gone) - discovery.read_again
    other |= {file.path for file in discovery.new if file.previous and file.previous.outcome == "rejected"}
    mended = mended_origins(session, stage, other) if source.settings.on_change == "replace" else frozenset()
    if mended:
        known = (file for file in catalog.seen_files(source.name) if file.path in mended)
        outcome.replaced = [replace(file, outcome="replaced") for file in known]
    if source.settings.on_change == "replace" and (gone or mended):
        outcome.deleted = session.execute(delete_origins(source.table, [*gone, *sorted(mended)]))
    elif loads := _last_loads(source, session, catalog, [note.path for note in discovery.replaced if note.records]):
        outcome.deleted = session.execute(delete_loads(source.table, loads))


def _last_loads(source: Source, session: Session, catalog: Catalog, paths: Sequence[str]) -> dict[str, str]:
    """The load by which the rows of each file's present bytes came: earlier bytes of that name cannot be read again."""
    newest: dict[str, tuple[int, str]] = {}
    for path, load in session.rows(loads_of(source.table, paths)) if paths else ():
        number = catalog.published(load)
        if number is not None:
            newest[path] = max(newest.get(path, (number, load)), (number, load))
    return {path: load for path, (_, load) in newest.items()}


def _batches(readables: Sequence[Readable]) -> Iterator[list[Readable]]:
    """Files of one kind together, at most BATCH at a time, in order."""
    ordered = sorted(readables, key=lambda readable: type(readable.scan).__name__)
    for _, group in groupby(ordered, key=lambda readable: type(readable.scan)):
        files = list(group)
        for start in range(0, len(files), BATCH):
            yield files[start : start + BATCH]


def _note(source: Source, taken: Sequence[Taken], outcome: _Outcome) -> None:
    for one in taken:
        if one.later:
            outcome.later.append(one.file)
        elif one.problem is not None:
            outcome.rejected.append((one.file, one.problem))
        else:
            outcome.seen.append(one.file.seen(source, "loaded", one.records, one.quarantined))
            outcome.records += one.records
            outcome.quarantined += one.quarantined


def _reject(source: Source, catalog: Catalog, discovery: Discovery, target: Target, outcome: _Outcome) -> None:
    """Keep the bytes of rejected files, and of those that repeat one, and list them in quarantine."""
    told = {file.examined.content: problem for file, problem in outcome.rejected}
    repeats = [file for file in discovery.duplicates if file.examined.content in told]
    outcome.rejected += [(file, told[file.examined.content]) for file in repeats]
    again = {file.path for file in repeats}
    outcome.seen += [file.seen(source, "duplicate") for file in discovery.duplicates if file.path not in again]
    warehouse = Path(catalog.warehouse.root_of(QUARANTINE))
    listed: list[tuple[FoundFile, Problem, Path]] = []
    for file, problem in sorted(outcome.rejected, key=lambda pair: pair[0].path):
        kept = keep_bytes(file, warehouse)
        if kept is None:
            outcome.later.append(file)
            continue
        outcome.seen.append(file.seen(source, "rejected"))
        outcome.refused += not file.known
        listed.append((file, problem, kept))
    with target.session.transaction():
        quarantine_files(target, listed)


def _landed(source: Source, discovery: Discovery, outcome: _Outcome, added: tuple[Column, ...]) -> Landed:
    replaced = [
        SeenFile(
            note.source, note.path, note.size, note.modified_ns, note.content, note.parser, "replaced", note.records
        )
        for note in discovery.replaced
    ]
    known = [
        file.seen(source, file.previous.outcome, file.previous.records, file.previous.quarantined)
        for file in discovery.touched
        if file.previous
    ]
    replaced += outcome.replaced
    staged = outcome.records + outcome.quarantined + outcome.deleted
    ledger = Ledger(
        staged=staged,
        inserted=outcome.records,
        deleted=outcome.deleted,
        quarantined=outcome.quarantined,
        read=None if outcome.deleted else staged,
        filtered=None if outcome.deleted else 0,
    )
    return Landed(
        files=(*replaced, *known, *sorted(outcome.seen, key=lambda file: file.path)),
        ledger=ledger,
        columns=added,
        blind=not (discovery.replaced or outcome.deleted),
        rejected=outcome.refused,
        again=_read_again(discovery, outcome),
        findings=(*(_changing(source, file) for file in outcome.later), *outcome.findings),
    )


def _changing(source: Source, file: FoundFile) -> Finding:
    return Finding(
        "MP-5010",
        f"the file {file.path!r} changed while it was read and is left for later",
        "run again when nothing writes to the file",
        source.place("paths"),
        severity="warning",
    )


def _read_again(discovery: Discovery, outcome: _Outcome) -> tuple[str, ...]:
    """The files that were known and are loaded anew: what could not be read of them is judged anew."""
    before = {file.path for file in (*discovery.new, *discovery.changed) if file.previous is not None}
    return tuple(sorted(before.intersection(file.path for file in outcome.seen if file.outcome == "loaded")))
