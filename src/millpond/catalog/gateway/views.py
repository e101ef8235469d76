"""Endpoints on views. Their SQL is of other engines: it is kept as it came, and nothing here runs it."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.responses import Response

from millpond.catalog import views as documents
from millpond.catalog.commits import TABLE, VIEW, TableEntry
from millpond.catalog.gateway import layers, requests, tables
from millpond.catalog.gateway.access import Seat
from millpond.catalog.gateway.answers import document, done
from millpond.catalog.gateway.requests import Call
from millpond.catalog.namespaces import no_such_namespace
from millpond.catalog.recording import micros, same_name
from millpond.catalog.view_staging import no_such_view, read
from millpond.catalog.views import ViewMetadata
from millpond.core.names import TableName


def listed(seat: Seat, call: Call) -> Response:
    """GET views of a namespace."""
    return tables.identifiers(seat, call, seat.stage.views.all())


def load(seat: Seat, call: Call) -> Response:
    """GET one view."""
    name = call.view()
    return _answer(seat.stage.views.view(name), seat.stage.views.metadata(name))


def exists(seat: Seat, call: Call) -> Response:
    """HEAD one view."""
    seat.stage.views.view(call.view())
    return done()


def create(seat: Seat, call: Call) -> Response:
    """POST views: a new view."""
    seat.check_writes()
    name, body = _new(seat, call)
    tables.check_free(seat.stage, name, VIEW)
    identity, warehouse = str(uuid.uuid4()), seat.catalog.warehouse
    sent = requests.optional_text(body, "location")
    location = warehouse.choose(sent, name, identity, layers.place(seat, name.layer))
    warehouse.apart(location, seat.stage.locations())
    words = requests.properties(body)
    warehouse.check_properties(words, location)
    created = documents.create(
        requests.mapping(body, "schema"),
        requests.mapping(body, "view-version"),
        location=location,
        uuid=identity,
        now_ms=micros(seat.catalog.clock.now()) // 1000,
        properties=words,
    )
    seat.change(lambda stage: stage.views.create(name, created))
    return _present(seat, name)


def replace(seat: Seat, call: Call) -> Response:
    """POST one view: requirements and updates; the answer is the new metadata."""
    seat.check_writes()
    name, body = call.view(), call.body()
    demands, changes = requests.rows(body, "requirements"), requests.rows(body, "updates")
    for update in changes:
        if update.get("action") == "set-properties":
            requests.properties(update, "updates")
    if seat.stage.views.find(name) is None and seat.stage.find(name) is not None:
        raise same_name(TABLE, name)
    seat.change(lambda stage: stage.views.commit(name, demands, changes, lambda: stage.locations(name)))
    return _present(seat, name)


def drop(seat: Seat, call: Call) -> Response:
    """DELETE one view. Its files stay: earlier commits still name them."""
    name = call.view()
    seat.change(lambda stage: stage.views.drop(name))
    return done()


def rename(seat: Seat, call: Call) -> Response:
    """POST rename of a view."""
    body = call.body()
    source, target = requests.identifier(body, "source"), requests.identifier(body, "destination")
    requests.new_name(target.name, "view")
    seat.check_writes()
    seat.stage.views.view(source)
    if not seat.may_hold(target.layer):
        raise no_such_namespace(target.layer)
    tables.check_target(seat.stage, source, target)
    seat.change(lambda stage: stage.views.rename(source, target))
    return done()


def register(seat: Seat, call: Call) -> Response:
    """POST register-view: give a name to a view whose metadata lies in the warehouse."""
    seat.check_writes()
    name, body = _new(seat, call)
    tables.check_free(seat.stage, name, VIEW)
    warehouse = seat.catalog.warehouse
    metadata = read(warehouse.check(requests.text(body, "metadata-location")))
    warehouse.apart(warehouse.check(metadata.location), seat.stage.locations())
    warehouse.check_properties(metadata.properties, metadata.location)
    seat.change(lambda stage: stage.views.create(name, metadata))
    return _present(seat, name)


def as_committed(seat: Seat, call: Call, number: int) -> Response:
    """The answer to a change of one view that commit `number` made, long ago perhaps."""
    path = call.path.get("view")
    name = call.view() if path else TableName(call.namespace(), requests.text(call.body(), "name"))
    return _as_of(seat, name, number)


def _new(seat: Seat, call: Call) -> tuple[TableName, requests.Json]:
    """The name of a new view and the body that says so. Raises CatalogError MP-3002, MP-3006 or MP-3020."""
    layer, body = call.namespace(), call.body()
    name = TableName(layer, requests.new_name(requests.text(body, "name"), "view"))
    if not seat.may_hold(layer):
        raise no_such_namespace(layer)
    return name, body


def _present(seat: Seat, name: TableName) -> Response:
    """The view as it stands after a change."""
    if not seat.direct:
        return _answer(seat.stage.views.view(name), seat.stage.views.metadata(name))
    return _as_of(seat, name, None)


def _as_of(seat: Seat, name: TableName, number: int | None) -> Response:
    entry = seat.catalog.find(name, number, VIEW)
    if entry is None:
        raise no_such_view(name)
    return _answer(entry, read(entry.metadata_location))


def _answer(entry: TableEntry, metadata: ViewMetadata) -> Response:
    content: dict[str, Any] = {"metadata-location": entry.metadata_location, "metadata": metadata.document}
    return document(content | {"config": {}})
