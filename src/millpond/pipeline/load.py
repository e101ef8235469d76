"""Doing one LandStep: a source's new files into bronze, with what was seen of each, in one commit."""

from __future__ import annotations

from dataclasses import replace

from millpond.catalog.commits import Commit, Ledger
from millpond.ingest.files.discovery import Discovery
from millpond.ingest.landing import land
from millpond.ingest.quarantine import give_way, judged_anew
from millpond.ingest.source import Landed
from millpond.pipeline.outcome import Outcome
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Source
from millpond.sql.quarantine import of_origins


def load_source(bench: Workbench, source: Source, discovery: Discovery) -> Outcome:
    """Land what was discovered and publish it. Raises ConflictError when another commit came first."""
    key = bench.step_key(source.table)
    done = bench.catalog.published(key)
    if done is not None:
        return Outcome(done, bench.catalog.ledger(done), note="was published before")
    known = {(file.path, file.content) for file in bench.catalog.seen_files(source.name)}
    stage = bench.catalog.begin(key)
    try:
        with bench.engine.session(bench.endpoint, stage.token) as session:
            landed = land(source, bench.project, session, bench.catalog, stage, discovery, key, bench.clock.now())
            mended = give_way(bench.catalog, session, stage, source.table, discovery.read_again)
            again = _read_again(discovery, landed)
            lives = judged_anew(bench.catalog, session, stage, source.table, of_origins(again)) if again else ()
        ledger = _less(landed.ledger, mended)
        commit = Commit(
            step_key=key,
            kind="land",
            principal=bench.principal,
            run=bench.run,
            table=source.table,
            files=landed.files,
            ledger=ledger,
            blind=landed.blind,
            lives=lives,
        )
        number = stage.publish(commit).number
    finally:
        stage.discard()
    rejected = sum(file.outcome == "rejected" and (file.path, file.content) not in known for file in landed.files)
    return Outcome(number, ledger, rejected_files=rejected, findings=landed.findings)


def _less(ledger: Ledger, deleted: int) -> Ledger:
    """The ledger of a load of which some rows were taken away again."""
    if not deleted:
        return ledger
    staged, gone = ledger.staged + deleted, ledger.deleted + deleted
    return replace(ledger, staged=staged, deleted=gone, read=None, filtered=None)


def _read_again(discovery: Discovery, landed: Landed) -> list[str]:
    """The files that were known and are loaded anew: what could not be read of them is judged anew."""
    before = {file.path for file in (*discovery.new, *discovery.changed) if file.previous is not None}
    return sorted(before.intersection(file.path for file in landed.files if file.outcome == "loaded"))
