"""Endpoints on tables, except commits."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from starlette.responses import Response

from millpond.catalog import files, manifests, reports, shapes, times
from millpond.catalog import metadata as documents
from millpond.catalog.commits import TABLE, VIEW, TableEntry
from millpond.catalog.gateway import layers, requests
from millpond.catalog.gateway.access import Seat
from millpond.catalog.gateway.answers import document, done, refusal, unchanged, version_tag
from millpond.catalog.gateway.pages import page
from millpond.catalog.gateway.requests import Call, Json, malformed
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.namespaces import no_such_namespace
from millpond.catalog.reachability import COLLECTS, alone
from millpond.catalog.recording import micros, same_name
from millpond.catalog.reports import Report
from millpond.catalog.reserving import prepare
from millpond.catalog.staging import Stage, taken
from millpond.catalog.view_staging import view_taken
from millpond.core.clock import SystemClock
from millpond.core.errors import CatalogError
from millpond.core.names import TableName

_LONGEST_REPORT = 1024 * 1024
_MOST_DIGITS = 10


def listed(seat: Seat, call: Call) -> Response:
    """GET tables of a namespace."""
    return identifiers(seat, call, seat.stage.tables())


def identifiers(seat: Seat, call: Call, entries: Iterable[TableEntry]) -> Response:
    """Those of some tables or views that are in a namespace. Raises CatalogError MP-3002 when there is no such one."""
    layer = call.namespace()
    names = sorted(entry.name.name for entry in entries if entry.name.layer == layer)
    if not names and layer not in seat.namespaces():
        raise no_such_namespace(layer)
    shown, token = page(call.query, names)
    found = [{"namespace": requests.levels(layer), "name": name} for name in shown]
    return document({"identifiers": found, "next-page-token": token})


def load(seat: Seat, call: Call) -> Response:
    """GET one table; `snapshots=refs` leaves out the snapshots that no branch or tag names.

    A client that has this version already, as its header If-None-Match says, is only told so.
    """
    name = _meant(seat, call)
    entry = seat.stage.table(name)
    part = call.query.get("snapshots") or "all"
    if part not in ("all", "refs"):
        raise malformed(f"snapshots must be all or refs, not {part[:20]!r}")
    if seat.keeper is not None:
        seat.keeper.mend(entry.location)
    tag = version_tag(entry.metadata_location, part)
    known = unchanged(tag, call.headers.get("if-none-match"))
    if known is not None:
        return known
    try:
        metadata = seat.stage.metadata(name)
    except CatalogError as damage:
        if seat.direct:
            raise
        # An answer of 404, as the specification wants it, would tell our engine that there is no such table.
        return refusal(400, "BadRequestException", damage.finding.message, damage.code)
    check_manifests(seat, metadata)
    return _told(seat, entry, metadata, part)


def check_manifests(seat: Seat, metadata: TableMetadata) -> None:
    """Pass when what the client will read next is what was written: it could not tell. Raises CatalogError MP-3192.

    What cannot be read at all a client of its own finds for itself, and may want to go back from; our engine would end
    the process on it. Raises CatalogError MP-3036 there.
    """
    try:
        seat.catalog.soundness.check_manifests(metadata)
    except CatalogError as damage:
        if damage.code != "MP-3036" or not seat.direct:
            raise
    if not seat.direct:
        manifests.check_readable(metadata)


def answer(seat: Seat, entry: TableEntry, metadata: TableMetadata) -> Response:
    """A table as the answer to a change of it."""
    return _told(seat, entry, metadata, "all")


def _told(seat: Seat, entry: TableEntry, metadata: TableMetadata, part: str) -> Response:
    """A table as clients load it. They go by their own clocks, so no time is shown that is yet to come by ours.

    With `part` refs, the snapshots that no branch or tag names are left out.
    """
    content = dict(times.shown(metadata.document, micros(SystemClock().now()) // 1000))
    if part == "refs":
        named = {ref["snapshot-id"] for ref in (content.get("refs") or {}).values()}
        content["snapshots"] = [row for row in content.get("snapshots") or () if row["snapshot-id"] in named]
    wanted = metadata.properties.get(COLLECTS, "").lower() == "true"
    collects = wanted and alone(seat.catalog, entry)
    content["properties"] = {**metadata.properties, COLLECTS: str(collects).lower()}
    # What is shown of a table that wants it depends on more than its metadata, and so may not be kept by a client.
    tag = None if wanted else version_tag(entry.metadata_location, part)
    return document({"metadata-location": entry.metadata_location, "metadata": content, "config": {}}, tag)


def exists(seat: Seat, call: Call) -> Response:
    """HEAD one table."""
    seat.stage.table(_meant(seat, call))
    return done()


def _meant(seat: Seat, call: Call) -> TableName:
    """The table in the path; to our own engine, upper and lower case are one, as they are in its SQL."""
    name = call.table()
    if seat.direct or seat.stage.find(name) is not None:
        return name
    return TableName(name.layer.lower(), name.name.lower())


def create(seat: Seat, call: Call) -> Response:
    """POST tables: a new table, or with `stage-create` only its first metadata, to be committed later."""
    seat.check_writes()
    layer, body = call.namespace(), call.body()
    name = TableName(layer, requests.new_name(requests.text(body, "name"), "table"))
    if not seat.may_hold(layer):
        raise no_such_namespace(layer)
    check_free(seat.stage, name, TABLE)
    staged = requests.optional_flag(body, "stage-create")
    created = _first(seat, name, body)
    if staged:
        prepare(seat.catalog.store, seat.catalog.warehouse, created.location)
        return document({"metadata": created.document, "config": {}})
    seat.change(lambda stage: stage.create(name, created))
    return present(seat, name)


def _first(seat: Seat, name: TableName, body: Json) -> TableMetadata:
    identity = str(uuid.uuid4())
    warehouse = seat.catalog.warehouse
    sent = requests.optional_text(body, "location")
    location = warehouse.choose(sent, name, identity, layers.place(seat, name.layer))
    warehouse.apart(location, seat.stage.locations())
    words = requests.properties(body)
    warehouse.check_properties(words, location)
    version = words.pop("format-version", "2")
    if not (version.isascii() and version.isdigit() and len(version) < _MOST_DIGITS):
        raise malformed(f"format-version must be a number, not {version[:20]!r}")
    return documents.create(
        requests.shaped(body, "schema", shapes.SCHEMA),
        location=location,
        uuid=identity,
        now_ms=micros(seat.catalog.clock.now()) // 1000,
        spec=requests.optional_shaped(body, "partition-spec", shapes.SPEC),
        sort_order=requests.optional_shaped(body, "write-order", shapes.ORDER),
        properties=words,
        format_version=int(version),
    )


def register(seat: Seat, call: Call) -> Response:
    """POST register: give a name to a table whose metadata lies in the warehouse."""
    seat.check_writes()
    layer, body = call.namespace(), call.body()
    name = TableName(layer, requests.new_name(requests.text(body, "name"), "table"))
    overwrite = requests.optional_flag(body, "overwrite")
    if not seat.may_hold(layer):
        raise no_such_namespace(layer)
    if overwrite:
        check_no_view(seat.stage, name)
    else:
        check_free(seat.stage, name, TABLE)
    warehouse = seat.catalog.warehouse
    path = warehouse.check(requests.text(body, "metadata-location"))
    metadata = files.read(path)
    warehouse.check(metadata.location)
    warehouse.check_properties(metadata.properties, metadata.location)
    manifests.sync_all(metadata, warehouse.holding(metadata.location))
    warehouse.apart(metadata.location, seat.stage.locations(name))

    def put(stage: Stage) -> None:
        if stage.find(name) is not None:
            stage.drop_table(name)
        stage.create(name, metadata)

    seat.change(put)
    return present(seat, name)


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
    check_target(seat.stage, source, target)
    seat.change(lambda stage: stage.rename(source, target))
    return done()


def metrics(seat: Seat, call: Call) -> Response:
    """POST metrics: what the client scanned or committed, as it counted."""
    name, body = call.table(), call.body()
    seat.stage.table(name)
    kind, snapshot = requests.text(body, "report-type"), body.get("snapshot-id")
    if len(call.raw) > _LONGEST_REPORT:
        raise malformed(f"a report is at most {_LONGEST_REPORT} bytes")
    report = Report(
        table=name,
        at=seat.catalog.clock.now(),
        client=call.headers.get("user-agent", "")[:200],
        kind=kind[:50],
        snapshot=snapshot if isinstance(snapshot, int) and abs(snapshot) < 2**63 else None,
        content=body,
    )
    with seat.catalog.store.write() as connection:
        reports.keep(connection, seat.catalog.environment, report)
    return done()


def credentials(seat: Seat, call: Call) -> Response:
    """GET credentials: none are given out."""
    seat.stage.table(call.table())
    return document({"storage-credentials": []})


def as_committed(seat: Seat, call: Call, number: int) -> Response:
    """The answer to a change of one table that commit `number` made, long ago perhaps."""
    path = call.path.get("table")
    name = call.table() if path else TableName(call.namespace(), requests.text(call.body(), "name"))
    entry = seat.catalog.table(name, number)
    return answer(seat, entry, seat.catalog.metadata(entry))


def check_free(stage: Stage, name: TableName, kind: str) -> None:
    """Pass when neither a table nor a view has the name, in upper or lower case. Raises CatalogError MP-3003.

    `kind` is what is to have the name.
    """
    for holder in (TABLE, VIEW):
        for entry in _of(stage, holder):
            if _folded(entry.name) == _folded(name):
                if holder != kind:
                    raise same_name(holder, entry.name)
                raise taken(entry.name) if kind == TABLE else view_taken(entry.name)


def check_target(stage: Stage, source: TableName, target: TableName) -> None:
    """Pass when a table or view may be given another name. Raises CatalogError MP-3003 when that is taken."""
    for kind in (TABLE, VIEW):
        for entry in _of(stage, kind):
            if entry.name == target or (entry.name != source and _folded(entry.name) == _folded(target)):
                raise CatalogError(
                    "MP-3003",
                    f"Cannot rename {source} to {target}. {kind.capitalize()} already exists",
                    next_step=f"choose another name, or drop that {kind}",
                )


def check_no_view(stage: Stage, name: TableName) -> None:
    """Pass when no view has the name. Raises CatalogError MP-3003 otherwise."""
    if stage.views.find(name) is not None:
        raise same_name(VIEW, name)


def _of(stage: Stage, kind: str) -> tuple[TableEntry, ...]:
    return stage.tables() if kind == TABLE else stage.views.all()


def _folded(name: TableName) -> tuple[str, str]:
    return name.layer.lower(), name.name.lower()


def present(seat: Seat, name: TableName) -> Response:
    """The table as it stands after a change."""
    if not seat.direct:
        return answer(seat, seat.stage.table(name), seat.stage.metadata(name))
    entry = seat.catalog.table(name)
    return answer(seat, entry, seat.catalog.metadata(entry))
