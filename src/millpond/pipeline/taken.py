"""Whether rows that went from an input had been taken into a model's table: if none had, nothing is to be taken back.

A record in quarantine that is mended gives way in bronze to its mended version: its model never took it in, and need
not be built anew.
"""

from __future__ import annotations

from millpond.catalog.staging import Stage
from millpond.core.names import side_table
from millpond.pipeline.append import staging_of
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.inputs import InputChanges
from millpond.pipeline.staged import rejects_of
from millpond.pipeline.workbench import Workbench
from millpond.sql.quarantine import create_rejected, rejected_ids
from millpond.sql.staging import count_standing, create_staged


def never_taken_in(bench: Workbench, stage: Stage, model: CompiledModel, news: InputChanges) -> tuple[str, ...] | None:
    """None where a row that went stands in the table or aside; else the ids in quarantine of those that broke rules."""
    entry = stage.find(model.table)
    if entry is None:
        return None
    schema = stage.metadata(model.table).schema()
    with bench.engine.session(bench.endpoint, stage.token) as session:
        session.execute(news.view(f"new_{news.table.name}", went=True))
        session.execute(create_staged(staging_of(model, schema, filled=False)))
        held = (table for table in (model.table, side_table(model.table)) if stage.find(table) is not None)
        if any(session.rows(count_standing(table, schema.names))[0][0] for table in held):
            return None
        session.execute(create_rejected(rejects_of(bench, model.table)))
        return tuple(row[0] for row in session.rows(rejected_ids()))
