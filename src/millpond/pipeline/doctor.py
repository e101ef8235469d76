"""Whether a lake is whole, and what a person should know of it: files, pointers, room, versions, who wrote what."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from millpond.catalog import cleaning
from millpond.catalog.catalog import Catalog
from millpond.catalog.examination import Examination, examine, store_findings
from millpond.catalog.giving_up import GivenUp, give_up
from millpond.catalog.repair import Repair, repair
from millpond.catalog.retention import keeping
from millpond.catalog.upkeep import Client, clients
from millpond.core.errors import CatalogError, EngineError, Finding, RunError
from millpond.core.records import frozen
from millpond.engines.engine import Engine, Session
from millpond.pipeline.runs import RunLog
from millpond.pipeline.upkeep import retention
from millpond.project.model import Project
from millpond.project.settings import seconds
from millpond.sql.rewriting import read_footers

_LEAST_FREE = 1024**3
_LEAST_SHARE = 0.05
_FOOTERS = 200


@frozen
class Diagnosis:
    """What is wrong (errors and warnings), and what is so: facts by name."""

    findings: tuple[Finding, ...]
    facts: tuple[tuple[str, object], ...]
    clients: tuple[Client, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong; warnings are no wrong."""
        return all(finding.severity != "error" for finding in self.findings)


def diagnose(project: Project, catalog: Catalog, engine: Engine) -> Diagnosis:
    """Look at everything, and change nothing."""
    examination = examine(catalog)
    of_the_store = store_findings(catalog)
    findings = [*of_the_store, *_lost(project, catalog), *examination.findings]
    findings += _footers(engine, examination)
    strays, young, unclear = _strays(project, catalog, damaged=bool(of_the_store or examination.findings))
    findings += unclear
    if strays:
        size = sum(one.size for one in strays)
        told = f"{len(strays)} files ({size:,} bytes) belong to no table and are older than any step"
        findings.append(Finding("MP-3196", told, "`millpond maintain` deletes them", severity="warning"))
    room = tuple(_room(catalog))
    for root, free, total in room:
        if free < max(_LEAST_FREE, total * _LEAST_SHARE):
            told = f"the disk of {root} has {free:,} bytes left of {total:,}"
            step = "free space before a step fails for want of it"
            findings.append(Finding("MP-3197", told, step, severity="warning"))
    facts = (
        ("millpond", importlib.metadata.version("millpond")),
        ("duckdb", importlib.metadata.version("duckdb")),
        ("python", platform.python_version()),
        ("commits", catalog.head()),
        ("tables", len(catalog.tables())),
        *_formats(catalog),
        ("files examined", examination.files),
        ("files compared with their checksum", examination.summed),
        ("data files known by size and footer only", len(examination.unsummed)),
        ("files of steps that are not done, or were given up lately", young),
        *_free(room),
    )
    return Diagnosis(tuple(findings), facts, clients(catalog))


def mend(project: Project, catalog: Catalog, principal: str) -> tuple[tuple[Repair, ...], tuple[GivenUp, ...]]:
    """Put damaged tables back to their newest whole versions, and give up versions of the past that are damaged.

    Raises CatalogError MP-3199 as `repair` does; then no version is given up.
    """
    back = repair(catalog, principal)
    return back, give_up(catalog, principal, keeping(catalog, retention(project)))


def _room(catalog: Catalog) -> Iterator[tuple[str, int, int]]:
    """For each disk that tables lie on: a root there, and its free bytes of how many."""
    seen: set[int] = set()
    for root in catalog.warehouse.roots:
        folder = _existing(Path(root))
        if (disk := folder.stat().st_dev) not in seen:
            seen.add(disk)
            usage = shutil.disk_usage(folder)
            yield root, usage.free, usage.total


def _free(room: Sequence[tuple[str, int, int]]) -> tuple[tuple[str, object], ...]:
    if len(room) == 1:
        return (("free bytes", room[0][1]),)
    return tuple((f"free bytes for {root}", free) for root, free, _ in room)


def _lost(project: Project, catalog: Catalog) -> Iterator[Finding]:
    """Commits that the run log tells of and the catalog knows nothing of."""
    path = project.state / "runs.db"
    if not path.exists():
        return
    log = RunLog(path)
    try:
        told, head = log.newest_commit(), catalog.head()
    except RunError as damage:
        yield damage.finding
        return
    finally:
        log.close()
    if told > head:
        step = "restore a newer copy of the catalog; if it was put back on purpose, move runs.db away"
        yield Finding("MP-3210", f"runs made commits up to {told}, and the catalog ends at {head}", step)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _footers(engine: Engine, examination: Examination) -> list[Finding]:
    """What the engine says of the footers of data files that no checksum vouches for."""
    paths = sorted(examination.unsummed)
    found: list[Finding] = []
    with engine.session() as session:
        for first in range(0, len(paths), _FOOTERS):
            batch = paths[first : first + _FOOTERS]
            try:
                session.rows(read_footers(batch))
            except EngineError:
                found += [finding for path in batch if (finding := _footer(session, path, examination.unsummed[path]))]
    return found


def _footer(session: Session, path: str, owner: str) -> Finding | None:
    try:
        session.rows(read_footers([path]))
    except EngineError as damage:
        told = f"{owner}: the data file {path} is no whole Parquet file: {damage.finding.message}"
        step = "restore the file from a backup, or say `millpond doctor --repair` to go back to a whole version"
        return Finding("MP-3193", told, step)
    return None


def _strays(
    project: Project, catalog: Catalog, *, damaged: bool
) -> tuple[Sequence[cleaning.Stray], int, tuple[Finding, ...]]:
    """Files that nothing needs: old ones, and how many young ones; not told while it is unclear what is needed."""
    if damaged:
        return (), 0, ()
    keep = keeping(catalog, retention(project))
    age = timedelta(seconds=seconds(project.settings.retention.orphans))
    try:
        every = cleaning.strays(catalog, keep, timedelta())
        old = {one.path for one in cleaning.strays(catalog, keep, age)}
    except CatalogError as unclear:
        return (), 0, (unclear.finding,)
    return [one for one in every if one.path in old], len(every) - len(old), ()


def _formats(catalog: Catalog) -> tuple[tuple[str, object], ...]:
    """How many tables there are of each format version, and snapshots that name the engine which wrote them."""
    counts: Counter[str] = Counter()
    for entry in catalog.tables():
        try:
            metadata = catalog.metadata(entry)
        except CatalogError:
            continue
        counts[f"tables of Iceberg format {metadata.format_version}"] += 1
        for row in metadata.snapshots:
            summary = row.get("summary") or {}
            if "engine-name" in summary:
                told = f"{summary['engine-name']} {summary.get('engine-version', '')}".strip()
                counts[f"present snapshots by {told}"] += 1
    return tuple(sorted(counts.items()))
