"""Publishing a view: for other engines an Iceberg view, for ours the query that its readers take in."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from millpond.catalog import views
from millpond.catalog.commits import VIEW, Ledger
from millpond.catalog.evolving import PREFIX
from millpond.catalog.recording import micros
from millpond.catalog.types import schema_json
from millpond.catalog.view_staging import read
from millpond.core.names import TableName
from millpond.pipeline.build import commit_of
from millpond.pipeline.contract import declared, properties
from millpond.pipeline.outcome import Outcome
from millpond.pipeline.plan import ViewStep
from millpond.pipeline.planner import PublishedView
from millpond.pipeline.target import described, output_schema
from millpond.sql.engines import in_dialects

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.staging import Stage
    from millpond.core.schema import Schema
    from millpond.pipeline.compiled import CompiledModel
    from millpond.pipeline.workbench import Workbench

_FINGERPRINT = "millpond.fingerprint"
_INPUTS = "millpond.inputs"


def publish_view(bench: Workbench, model: CompiledModel, step: ViewStep) -> Outcome:
    """Create or change a model's view. Raises ConflictError when another commit came first."""
    key = bench.step_key(step.table)
    known = bench.catalog.published(key)
    if known is not None:
        return Outcome(known, bench.catalog.ledger(known), note="was published before")
    stage = bench.catalog.begin(key)
    try:
        absent = next((name for name in model.needs if bench.catalog.find(name, stage.base) is None), None)
        if absent is not None:
            return Outcome(None, note=f"waits: {absent} has no table yet")
        with bench.engine.session(bench.endpoint, stage.token) as session:
            given = output_schema(described(session, stage, model), model)
        if stage.find(step.table) is not None:
            stage.drop_table(step.table)
        _stage(bench, stage, model, declared(model.model, given))
        built = bench.catalog.model_states(stage.base).get(step.table)
        if not stage.changed() and built is not None and built.fingerprint == model.state.fingerprint:
            return Outcome(None, note="nothing new")
        commit = replace(commit_of(bench, model, stage.base, Ledger(0), ()), cursors=())
        return Outcome(stage.publish(commit).number, Ledger(0))
    finally:
        stage.discard()


def _stage(bench: Workbench, stage: Stage, model: CompiledModel, schema: Schema) -> None:
    now_ms = micros(bench.catalog.clock.now()) // 1000
    version = _version(bench, model, schema, stage.base)
    told = {views.DROP_DIALECT: "true", **properties(model.model)}
    if stage.views.find(model.table) is None:
        identity = str(uuid.uuid4())
        location = bench.catalog.warehouse.fresh(model.table, identity)
        made = views.create(
            schema_json(schema), version, location=location, uuid=identity, now_ms=now_ms, properties=told
        )
        stage.views.create(model.table, made)
        return
    present = stage.views.metadata(model.table)
    gone = sorted(_ours(present.properties) - told.keys())
    changes: list[Mapping[str, Any]] = [
        {"action": "add-schema", "schema": schema_json(schema)},
        {"action": "add-view-version", "view-version": version},
        {"action": "set-current-view-version", "view-version-id": views.LAST_ADDED},
        {"action": "set-properties", "updates": told},
        {"action": "remove-properties", "removals": gone},
    ]
    stage.views.commit(model.table, (), changes, stage.locations)


def _ours(said: Iterable[str]) -> set[str]:
    return {name for name in said if name.startswith(PREFIX) or name in ("owner", "comment")}


def _version(bench: Workbench, model: CompiledModel, schema: Schema, base: int) -> dict[str, Any]:
    """The version of the view that says what the model says; names in it are those of the catalog that it lies in."""
    texts = in_dialects(model.query, schema)
    return {
        "version-id": 1,
        "schema-id": views.LAST_ADDED,
        "timestamp-ms": micros(bench.catalog.clock.now()) // 1000,
        "summary": {
            "engine-name": "millpond",
            _FINGERPRINT: model.state.fingerprint,
            _INPUTS: _columns(bench.catalog, model, base),
        },
        "representations": [{"type": "sql", "sql": sql, "dialect": dialect} for dialect, sql in texts.items()],
        "default-namespace": [model.table.layer],
    }


def published_views(catalog: Catalog, models: Iterable[CompiledModel], head: int) -> dict[TableName, PublishedView]:
    """The views as of a commit that have the names of models, and whether they say what the models' inputs hold."""
    entries = {entry.name: entry for entry in catalog.tables(head, VIEW)}
    found = {}
    for model in models:
        entry = entries.get(model.table)
        if entry is not None:
            told = read(entry.metadata_location).version.get("summary") or {}
            stale = model.model.kind == "view" and told.get(_INPUTS) != _columns(catalog, model, head)
            found[model.table] = PublishedView(told.get(_FINGERPRINT), stale)
    return found


def _columns(catalog: Catalog, model: CompiledModel, at: int) -> str:
    """What the columns of the inputs are, in a word: a star in the query gives others when these change."""
    told = []
    for name in sorted(model.inputs):
        entry = catalog.find(name, at)
        schema = catalog.metadata(entry).schema() if entry is not None else ()
        told.append((str(name), [(column.name, column.type) for column in schema]))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
