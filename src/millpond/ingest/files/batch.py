"""Landing a batch of files in one transaction: rows into bronze, unreadable records into quarantine, all counted.

The first attempt takes the files as they are. What it teaches (records that the engine refused, so that the good ones
behind them have other numbers; quotes that are never closed; a file that turns out damaged) goes into the next
attempt, after a rollback. Files without such trouble, nearly all, are read once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from millpond.core.errors import EngineError, IngestError
from millpond.core.names import TableName, literal
from millpond.core.records import frozen
from millpond.core.schema import Column
from millpond.engines.engine import Session
from millpond.ingest.files.discovery import FoundFile
from millpond.ingest.files.problems import Problem, blames_file
from millpond.ingest.files.schema import Readable, landing
from millpond.ingest.files.trial import RefusedLine, Trial
from millpond.ingest.mended_records import MendedRecord, places_now
from millpond.ingest.quarantine import put_rejects
from millpond.sql.files import (
    JsonScan,
    Scan,
    drop_temporary,
    insert_files,
    json_unreadable,
    kept_records,
    numbered_lines,
    probe,
    probe_all,
    refused_lengths,
    refused_records,
    scans_of,
    shift_table,
)
from millpond.sql.mending import not_mended, note_given_way
from millpond.sql.quarantine import Rejects
from millpond.sql.values import value

_ATTEMPTS = 6
_REJECTS = "landing_rejects"
_PROBED = "landing_probed"
_NUMBERED = "landing_numbered"
_SHIFTS = "landing_shifts"


@frozen
class Target:
    """Where the records go: the table's own columns, the load's identity, its moment (UTC, naive), scratch space.

    `known` says that the quarantine may hold records already; `mended` are records of these files that were mended.
    """

    session: Session
    table: TableName
    columns: tuple[Column, ...]
    load: str
    at: datetime
    scratch: Path
    known: bool = False
    mended: tuple[MendedRecord, ...] = ()

    def reject(self, relation: str, kind: str, *, raw: str, content_path: str, position: str, same: str) -> None:
        """Put the rows of a relation, with their `rule`, `reason` and `origin`, into quarantine.

        The others say which of its columns hold what `Rejects` asks for.
        """
        rejects = Rejects(
            relation=relation,
            model=self.table,
            kind=kind,
            rule="rule",
            value="NULL",
            reason="reason",
            raw=raw,
            raw_of=literal(str(self.table)),
            content_path=content_path,
            origin="origin",
            position=position,
            load=literal(self.load),
            step=self.load,
            at=value(self.at),
            same=same,
        )
        put_rejects(self.session, rejects, known=self.known)


@frozen
class Taken:
    """What came of one file: records landed and quarantined; or why it was refused; or that it must wait."""

    file: FoundFile
    records: int = 0
    quarantined: int = 0
    problem: Problem | None = None
    later: bool = False


_AGAIN = "MP-5008"


def _again() -> IngestError:
    """Raised to roll back: the batch must be read again with what was learned."""
    return IngestError(
        _AGAIN,
        "the same files gave another result each time they were read",
        next_step="run again when nothing writes to the files",
    )


def land_batch(target: Target, readables: Sequence[Readable]) -> list[Taken]:
    """Land files of one format, all in one transaction of their own.

    Raises IngestError MP-5008 where they keep changing, MP-5009 where records are missing in the end, and what the
    session raises where the lake fails.
    """
    trials = [Trial(readable) for readable in readables]
    for trial in trials:
        _keep_bad_json(target, trial)
    done: list[Taken] = []
    for attempt in range(_ATTEMPTS):
        if not trials:
            break
        _number_anew(target, trials)
        try:
            with target.session.transaction():
                landed = _attempt(target, trials)
            return done + landed
        except IngestError as failed:
            if failed.code != _AGAIN or attempt == _ATTEMPTS - 1:
                raise
        except EngineError:
            if not _blame(target, trials):
                raise
        finally:
            _forget(target, trials)
        trials, out = _still_good(trials)
        done += out
    return done


def _keep_bad_json(target: Target, trial: Trial) -> None:
    scan = trial.readable.scan
    if isinstance(scan, JsonScan) and trial.readable.bad:
        numbers = [row[0] for row in target.session.rows(json_unreadable(scan))]
        trial.keep_bad_lines(numbers, target.scratch)


def _number_anew(target: Target, trials: Sequence[Trial]) -> None:
    """Tell the scans of files with bad records by how much the good ones behind them move."""
    for index, trial in enumerate(trials):
        if trial.scan is None:
            continue
        name = f"{_SHIFTS}_{index}" if trial.refused else None
        if name:
            target.session.execute(shift_table(name), [list(trial.refused)])
        scan = replace(trial.scan, shifts=name, refused=len(trial.refused))
        trial.readable = replace(trial.readable, scan=scan)


def _forget(target: Target, trials: Sequence[Trial]) -> None:
    names = [_REJECTS, scans_of(_REJECTS), _PROBED, scans_of(_PROBED), _NUMBERED]
    names += [trial.scan.shifts for trial in trials if trial.scan and trial.scan.shifts]
    for name in names:
        target.session.execute(drop_temporary(name))


def _still_good(trials: Sequence[Trial]) -> tuple[list[Trial], list[Taken]]:
    """Those to try again, and what came of files that turned out damaged or changed meanwhile."""
    out: list[Taken] = []
    again: list[Trial] = []
    for trial in trials:
        file = trial.readable.file
        if trial.problem or not file.unchanged_on_disk():
            out.append(Taken(file, problem=trial.problem, later=trial.problem is None))
        else:
            again.append(trial)
    return again, out


def _attempt(target: Target, trials: Sequence[Trial]) -> list[Taken]:
    """Insert all files and judge what came of it, inside a transaction. Raises MP-5008 to have it rolled back."""
    landings = [landing(trial.readable, target.columns) for trial in trials]
    inserted = target.session.execute(insert_files(target.table, landings, target.load, target.at, _REJECTS))
    refused = _refused(target, trials)
    learned = [trial.learn(refused[trial.read_at], target.scratch) for trial in trials]
    count = sum(map(len, refused.values()))
    if not any(learned) and inserted + count != sum(trial.engine_sees for trial in trials):
        learned = _count(target, trials, refused)
    if any(learned) or not all(trial.readable.file.unchanged_on_disk() for trial in trials):
        raise _again()
    _check_sum(target, trials, inserted + count)
    taken = [_taken(trial, len(refused[trial.read_at])) for trial in trials]
    places = places_now(target.mended, _records(taken))
    if places.rows:
        places.note(target.session)
    _quarantine(target, trials, refused, mended=bool(places.rows))
    return taken


def _records(taken: Iterable[Taken]) -> dict[str, int]:
    """How many records each file has, good and bad, by its path."""
    return {one.file.path: one.records + one.quarantined for one in taken}


def _taken(trial: Trial, refused: int) -> Taken:
    if trial.scan is None:
        return Taken(trial.readable.file, trial.readable.records or 0, trial.readable.bad)
    return Taken(trial.readable.file, trial.engine_sees - refused, refused + len(trial.cut))


def _refused(target: Target, trials: Sequence[Trial]) -> dict[str, list[RefusedLine]]:
    refused: dict[str, list[RefusedLine]] = defaultdict(list)
    if any(trial.scan for trial in trials):
        for path, line, error, length in target.session.rows(refused_lengths(_REJECTS)):
            refused[path].append(RefusedLine(line, error, length))
    return refused


def _count(target: Target, trials: Sequence[Trial], refused: dict[str, list[RefusedLine]]) -> list[bool]:
    """Count files one by one; which must be taken apart because lines are missing that no field holds."""
    counted = [trial for trial in trials if trial.scan and trial.present is None]
    rows = target.session.rows(probe_all([_unnumbered(trial) for trial in counted], _PROBED)) if counted else []
    apart = []
    for index, records, ends in rows:
        trial = counted[index]
        bad = len(refused[trial.read_at])
        if records + ends == trial.lines and not bad:
            trial.present = records
        elif records + bad != trial.lines:
            trial.take_apart(target.scratch)
            apart.append(True)
    return apart


def _check_sum(target: Target, trials: Sequence[Trial], seen: int) -> None:
    expected = sum(trial.engine_sees for trial in trials)
    if seen != expected:
        raise IngestError(
            "MP-5009",
            f"the files hold {expected} records for {target.table}, but {seen} were read",
            next_step="run again; if it stays so, report the first of the files",
        )


def _blame(target: Target, trials: Sequence[Trial]) -> bool:
    """Find the files that cannot be read; whether there are any."""
    found = False
    for trial in trials:
        try:
            target.session.rows(probe(_unnumbered(trial), _PROBED))
        except EngineError as failed:
            if not blames_file(failed):
                raise
            found = True
            if trial.scan and not trial.split:
                trial.take_apart(target.scratch)
            else:
                kind = trial.readable.file.examined.format
                trial.problem = Problem(f"damaged_{kind}", f"it cannot be read to its end: {failed.finding.message}")
        finally:
            for name in (_PROBED, scans_of(_PROBED)):
                target.session.execute(drop_temporary(name))
    return found


def _unnumbered(trial: Trial) -> Scan:
    return replace(trial.scan, shifts=None) if trial.scan else trial.readable.scan


def _quarantine(
    target: Target, trials: Sequence[Trial], refused: dict[str, list[RefusedLine]], *, mended: bool
) -> None:
    """Put the unreadable records of all files into quarantine, but for those that are `mended`, where any are."""
    rows = [
        (trial.read_at, line.line, trial.number(line.line), trial.readable.file.path)
        for trial in trials
        for line in refused[trial.read_at]
    ]
    if rows:
        target.session.execute(numbered_lines(_NUMBERED), [list(column) for column in zip(*rows, strict=True)])
        _reject(target, refused_records(_REJECTS, _NUMBERED), mended)
    for trial in trials:
        if trial.kept is not None:
            _reject(target, kept_records(trial.kept, trial.readable.file.path), mended)


def _reject(target: Target, query: str, mended: bool) -> None:
    if mended:
        target.session.execute(note_given_way(query))
        query = not_mended(query)
    target.reject(f"({query})", "record", raw="raw", content_path="NULL", position="number", same="raw")
