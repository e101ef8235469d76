"""Whether rows that went from an input had been taken into a model's table: if none had, nothing is to be taken back.

A record in quarantine that is mended gives way in bronze to its mended version: its model never took it in, and need
not be built anew.
"""

from __future__ import annotations

from millpond.catalog.staging import Stage
from millpond.pipeline.append import staging_of
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.inputs import InputChanges
from millpond.pipeline.staged import rejects_of
from millpond.pipeline.workbench import Workbench
from millpond.sql.quarantine import create_rejected, rejected_ids
from millpond.sql.staging import count_good, create_staged


def never_taken_in(bench: Workbench, stage: Stage, model: CompiledModel, news: InputChanges) -> tuple[str, ...] | None:
    """None where a row that went had broken no rule; else the ids in quarantine of those that went.

    A row that broke none stands in the table, or it lost to another by content: then only a look at all rows can tell
    whether one that is equal to it is left.
    """
    entry = stage.find(model.table)
    if entry is None:
        return None
    schema = stage.metadata(model.table).schema()
    with bench.engine.session(bench.endpoint, stage.token) as session:
        session.execute(news.view(f"new_{news.table.name}", went=True))
        session.execute(create_staged(staging_of(model, schema, filled=False)))
        if session.rows(count_good())[0][0]:
            return None
        session.execute(create_rejected(rejects_of(bench, model.table)))
        return tuple(row[0] for row in session.rows(rejected_ids()))
