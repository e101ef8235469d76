"""Doing one LandStep: a source's news into bronze, with what was seen of each, in one commit."""

from __future__ import annotations

from millpond.catalog.commits import Commit
from millpond.ingest.quarantine import judged_anew
from millpond.ingest.source import Load, News
from millpond.pipeline.outcome import Outcome
from millpond.pipeline.plan import LandStep
from millpond.pipeline.rescued import rescue_verdicts
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Source
from millpond.sql.quarantine import of_origins


def load_news(bench: Workbench, source: Source, step: LandStep, news: News) -> Outcome:
    """Land what a look found and publish it. Raises ConflictError when another commit came first."""
    key = bench.step_key(step.table)
    done = bench.catalog.published(key)
    if done is not None:
        return Outcome(done, bench.catalog.ledger(done), bench.catalog.verdicts(done), note="was published before")
    stage = bench.catalog.begin(key)
    try:
        with bench.engine.session(bench.endpoint, stage.token) as session:
            landed = news.land(Load(session, bench.catalog, stage, key, bench.clock.now()))
            again = of_origins(list(landed.again)) if landed.again else None
            lives = judged_anew(bench.catalog, session, stage, step.table, again) if again else ()
            verdicts = rescue_verdicts(bench, session, stage, source)
        commit = Commit(
            step_key=key,
            kind="land",
            principal=bench.principal,
            run=bench.run,
            table=step.table,
            files=landed.files,
            ledger=landed.ledger,
            blind=landed.blind,
            verdicts=verdicts,
            lives=lives,
        )
        number = stage.publish(commit).number
    finally:
        stage.discard()
    return Outcome(number, landed.ledger, verdicts, rejected_files=landed.rejected, findings=landed.findings)
