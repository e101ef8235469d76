"""Endpoints on tables, except commits."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.responses import Response

from millpond.catalog import files, manifests
from millpond.catalog import metadata as documents
from millpond.catalog.commits import TableEntry
from millpond.catalog.gateway import requests
from millpond.catalog.gateway.access import Seat
from millpond.catalog.gateway.answers import document, done, refusal
from millpond.catalog.gateway.requests import Call, Json, malformed, no_such_namespace
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.recording import micros
from millpond.catalog.staging import Stage, taken
from millpond.core.errors import CatalogError
from millpond.core.names import TableName


def listed(seat: Seat, call: Call) -> Response:
    """GET tables of a namespace."""
    layer = call.namespace()
    names = [entry.name.name for entry in seat.stage.tables() if entry.name.layer == layer]
    if not names and layer not in seat.namespaces():
        raise no_such_namespace(layer)
    found = [{"namespace": [layer], "name": name} for name in names]
    return document({"identifiers": found, "next-page-token": None})


def load(seat: Seat, call: Call) -> Response:
    """GET one table; `snapshots=refs` leaves out the snapshots that no branch or tag names."""
    name = call.table()
    entry = seat.stage.table(name)
    try:
        metadata = seat.stage.metadata(name)
    except CatalogError as damage:
        if seat.direct:
            raise
        # An answer of 404, as the specification wants it, would tell our engine that there is no such table.
        return refusal(400, "BadRequestException", damage.finding.message, damage.code)
    if not seat.direct:
        manifests.check_readable(metadata)
    if seat.keeper is not None:
        seat.keeper.mend(entry.location)
    return document(loaded(entry, metadata, call.query.get("snapshots") == "refs"))


def loaded(entry: TableEntry, metadata: TableMetadata, refs_only: bool = False) -> dict[str, Any]:
    """A table as clients load it."""
    content = dict(metadata.document)
    if refs_only:
        named = {ref["snapshot-id"] for ref in (content.get("refs") or {}).values()}
        content["snapshots"] = [row for row in metadata.snapshots if row["snapshot-id"] in named]
    return {"metadata-location": entry.metadata_location, "metadata": content, "config": {}}


def exists(seat: Seat, call: Call) -> Response:
    """HEAD one table."""
    seat.stage.table(call.table())
    return done()


def create(seat: Seat, call: Call) -> Response:
    """POST tables: a new table, or with `stage-create` only its first metadata, to be committed later."""
    seat.check_writes()
    layer, body = call.namespace(), call.body()
    name = TableName(layer, requests.new_name(requests.text(body, "name"), "table"))
    if not seat.may_hold(layer):
        raise no_such_namespace(layer)
    check_free(seat.stage, name)
    created = _first(seat, name, body)
    if body.get("stage-create") is True:
        seat.catalog.warehouse.prepare(created.location)
        return document({"metadata": created.document, "config": {}})
    seat.change(lambda stage: stage.create(name, created))
    return _now(seat, name)


def _first(seat: Seat, name: TableName, body: Json) -> TableMetadata:
    identity = str(uuid.uuid4())
    warehouse = seat.catalog.warehouse
    location = warehouse.choose(requests.optional_text(body, "location"), name, identity)
    warehouse.apart(location, (entry.location for entry in seat.stage.tables()))
    words = requests.properties(body)
    warehouse.check_properties(words, location)
    version = words.pop("format-version", "2")
    if not version.isdigit():
        raise malformed(f"format-version must be a number, not {version!r}")
    return documents.create(
        requests.mapping(body, "schema"),
        location=location,
        uuid=identity,
        now_ms=micros(seat.catalog.clock.now()) // 1000,
        spec=requests.optional_mapping(body, "partition-spec"),
        sort_order=requests.optional_mapping(body, "write-order"),
        properties=words,
        format_version=int(version),
    )


def register(seat: Seat, call: Call) -> Response:
    """POST register: give a name to a table whose metadata lies in the warehouse."""
    seat.check_writes()
    layer, body = call.namespace(), call.body()
    name = TableName(layer, requests.new_name(requests.text(body, "name"), "table"))
    overwrite = body.get("overwrite") is True
    if not seat.may_hold(layer):
        raise no_such_namespace(layer)
    if not overwrite:
        check_free(seat.stage, name)
    warehouse = seat.catalog.warehouse
    path = warehouse.check(requests.text(body, "metadata-location"))
    metadata = files.read(path)
    warehouse.check(metadata.location)
    warehouse.check_properties(metadata.properties, metadata.location)
    others = (entry for entry in seat.stage.tables() if entry.name != name)
    warehouse.apart(metadata.location, (entry.location for entry in others))

    def put(stage: Stage) -> None:
        if stage.find(name) is not None:
            stage.drop_table(name)
        stage.create(name, metadata)

    seat.change(put)
    return _now(seat, name)


def drop(seat: Seat, call: Call) -> Response:
    """DELETE one table. Its files stay, whatever the client asks: earlier commits still name them."""
    name = call.table()
    seat.change(lambda stage: stage.drop_table(name))
    return done()


def rename(seat: Seat, call: Call) -> Response:
    """POST rename."""
    body = call.body()
    source, target = requests.identifier(body, "source"), requests.identifier(body, "destination")
    requests.new_name(target.name, "table")
    seat.check_writes()
    seat.stage.table(source)
    if not seat.may_hold(target.layer):
        raise no_such_namespace(target.layer)
    if seat.stage.find(target) is not None:
        raise CatalogError(
            "MP-3003",
            f"Cannot rename {source} to {target}. Table already exists",
            next_step="choose another name, or drop that table",
        )
    seat.change(lambda stage: stage.rename(source, target))
    return done()


def metrics(seat: Seat, call: Call) -> Response:
    """POST metrics: taken and not kept."""
    seat.stage.table(call.table())
    return done()


def check_free(stage: Stage, name: TableName) -> None:
    """Pass when no table has the name, in upper or lower case. Raises CatalogError MP-3003 otherwise."""
    folded = (name.layer.lower(), name.name.lower())
    for entry in stage.tables():
        if (entry.name.layer.lower(), entry.name.name.lower()) == folded:
            raise taken(entry.name)


def _now(seat: Seat, name: TableName) -> Response:
    """The table as it stands after a change."""
    if not seat.direct:
        return document(loaded(seat.stage.table(name), seat.stage.metadata(name)))
    entry = seat.catalog.table(name)
    return document(loaded(entry, seat.catalog.metadata(entry)))
