"""Doing one LandStep: a source's new files into bronze, with what was seen of each, in one commit."""

from __future__ import annotations

from millpond.catalog.commits import Commit
from millpond.ingest.files.discovery import Discovery
from millpond.ingest.landing import land
from millpond.ingest.quarantine import judged_anew
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
            again = _read_again(discovery, landed)
            lives = judged_anew(bench.catalog, session, stage, source.table, of_origins(again)) if again else ()
        commit = Commit(
            step_key=key,
            kind="land",
            principal=bench.principal,
            run=bench.run,
            table=source.table,
            files=landed.files,
            ledger=landed.ledger,
            blind=landed.blind,
            lives=lives,
        )
        number = stage.publish(commit).number
    finally:
        stage.discard()
    rejected = sum(file.outcome == "rejected" and (file.path, file.content) not in known for file in landed.files)
    return Outcome(number, landed.ledger, rejected_files=rejected, findings=landed.findings)


def _read_again(discovery: Discovery, landed: Landed) -> list[str]:
    """The files that were known and are loaded anew: what could not be read of them is judged anew."""
    before = {file.path for file in (*discovery.new, *discovery.changed) if file.previous is not None}
    return sorted(before.intersection(file.path for file in landed.files if file.outcome == "loaded"))
