"""The values of a load that no typed column of bronze could take: they are kept in `_rescued`, and told as verdicts."""

from __future__ import annotations

from millpond.catalog.commits import Verdict
from millpond.catalog.staging import Stage
from millpond.core.schema import ORIGIN_COLUMNS
from millpond.engines.engine import Session
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Source
from millpond.quality.verdicts import outcome
from millpond.sql.files import RESCUED, rescued_counts
from millpond.tables.changes import between
from millpond.tables.reading import inserted_sql


def rescue_verdicts(bench: Workbench, session: Session, stage: Stage, source: Source) -> tuple[Verdict, ...]:
    """One verdict for each column that the source declares a type for, and for others that a value did not fit.

    Read are the rows that the step staged, and of them what the typed columns need.
    """
    table = source.table
    if stage.find(table) is None:
        return ()
    newer = stage.metadata(table)
    typed = [c.name for c in newer.schema() if c.type != "VARCHAR" and c.name not in ORIGIN_COLUMNS]
    if not typed:
        return ()
    entry = bench.catalog.find(table, stage.base)
    staged = between(bench.catalog.metadata(entry) if entry else None, newer)
    if not staged.inserted:
        return ()
    judged, *failed = session.rows(rescued_counts(inserted_sql(staged, (*typed, RESCUED)), typed))[0]
    declared = {name.lower() for name in source.settings.columns or {}}
    return tuple(
        Verdict(table, f"cast:{name}", outcome("warn", None, count, judged), count, judged)
        for name, count in zip(typed, failed, strict=True)
        if count or name.lower() in declared
    )
