"""A table's metadata as a value, and every way to the next one. Iceberg spec v2, "Table Metadata".

Pure: nothing here reads or writes a file. Documents are the JSON of the specification and are never changed in place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from millpond.catalog import fields, partitions, requirements, shapes, updates
from millpond.catalog.types import schema_of
from millpond.core.errors import CatalogError
from millpond.core.records import frozen
from millpond.core.schema import Schema

Json = Mapping[str, Any]

FORMAT = 2
"""The version of the table format of our own tables."""

METADATA_LOG = 20
"""How many earlier metadata files a document names: the pointer store knows them all."""

RECENT = 10
"""How many snapshots of the past a document keeps for clients that travel in time on their own."""

STAGED_MS = 5 * 86_400_000
"""How long a snapshot stays that a client staged and no branch took in: as long as by Iceberg's own expiry."""

AHEAD = 1000
"""How many snapshots of a branch are kept so that main may be moved on to it: clients go from one to the other."""

_UNSORTED = {"order-id": 0, "fields": []}


@frozen
class TableMetadata:
    """One version of a table's metadata. `path` is the file it was read from or written to, None before that."""

    document: Json
    path: str | None = None

    @property
    def uuid(self) -> str:
        """The table's lasting identity."""
        return str(self.document["table-uuid"])

    @property
    def location(self) -> str:
        """The folder that holds the table's files."""
        return str(self.document["location"])

    @property
    def format_version(self) -> int:
        """The version of the Iceberg table format."""
        return int(self.document["format-version"])

    @property
    def properties(self) -> dict[str, str]:
        """Table properties, a copy."""
        return dict(self.document.get("properties") or {})

    @property
    def sequence_number(self) -> int:
        """The sequence number of the newest snapshot, 0 before the first."""
        return int(self.document.get("last-sequence-number") or 0)

    @property
    def snapshots(self) -> tuple[Json, ...]:
        """The snapshots that this version still names, oldest first."""
        return tuple(self.document.get("snapshots") or ())

    @property
    def current_snapshot(self) -> Json | None:
        """What a reader sees, None for a table that nobody has written."""
        return self.snapshot(self.document.get("current-snapshot-id"))

    def snapshot(self, number: int | None) -> Json | None:
        """The snapshot with that id, None when this version does not name it."""
        rows = self.document.get("snapshots") or ()
        return next((row for row in reversed(rows) if row["snapshot-id"] == number), None)

    @property
    def read(self) -> tuple[Json, ...]:
        """The snapshots that clients come to: the current one, those of branches and tags, and what may become current.

        That is what a client added lately without making it current, and what `ahead` tells: it may look at it first,
        and publish it then.
        """
        wanted = _heads(self.document) | _staged(self.document)
        wanted.update(number for numbers in self.ahead.values() for number in numbers)
        return tuple(row for row in self.snapshots if row["snapshot-id"] in wanted)

    @property
    def ahead(self) -> Mapping[str, tuple[int, ...]]:
        """The branches that grew from what is current, each with its snapshots since then: main may be moved on to it.

        Clients do so (Spark's `fast_forward`) only where main has not gone on, be it by a snapshot of the same rows.
        """
        refs = (self.document.get("refs") or {}).items()
        branches = {name: ref["snapshot-id"] for name, ref in refs if ref.get("type") != "tag"}
        found = {name: _since(self.document, head) for name, head in branches.items()}
        return {name: numbers for name, numbers in found.items() if numbers}

    @property
    def schema_document(self) -> Json:
        """The current schema as the specification writes it."""
        wanted = self.document["current-schema-id"]
        return next(row for row in self.document["schemas"] if row["schema-id"] == wanted)

    def schema(self) -> Schema:
        """The current columns with DuckDB type names. Raises CatalogError MP-3037 for a type that is not known."""
        return schema_of(self.schema_document)

    def field_ids(self) -> dict[str, int]:
        """The current columns' names and their lasting ids."""
        return {field["name"]: field["id"] for field in self.schema_document["fields"]}

    @property
    def spec(self) -> Json:
        """The partition spec that new files are written by."""
        wanted = self.document["default-spec-id"]
        return next(row for row in self.document["partition-specs"] if row["spec-id"] == wanted)


def create(
    schema: Json,
    *,
    location: str,
    uuid: str,
    now_ms: int,
    spec: Json | None = None,
    sort_order: Json | None = None,
    properties: Mapping[str, str] | None = None,
    format_version: int = FORMAT,
) -> TableMetadata:
    """The first metadata of a table. Columns get fresh ids, and spec and sort order follow them.

    `now_ms` is milliseconds since 1970 in UTC. Raises CatalogError MP-3030 for a malformed schema, spec or order.
    """
    fresh, renumbered, last = fields.fresh(schema)
    try:
        told = None if spec is None else partitions.problem(spec, schema)
        told = told or partitions.unknown_source(spec or {}, renumbered)
        told = told or partitions.unknown_order_source(sort_order or {}, renumbered)
        if told is not None:
            raise updates.refused(told)
        bound = partitions.rebound(spec or {"fields": ()}, renumbered)
        order = _rebound_order(sort_order or _UNSORTED, renumbered)
    except fields.MALFORMED as wrong:
        raise fields.malformed("partition spec or sort order", wrong) from wrong
    if format_version not in (1, 2, 3):
        raise updates.refused(f"Unsupported format version: {format_version}")
    fields.check_version(fresh, format_version)
    document = {
        "format-version": format_version,
        "table-uuid": uuid,
        "location": location.rstrip("/"),
        "last-sequence-number": 0,
        "last-updated-ms": now_ms,
        "last-column-id": last,
        "current-schema-id": 0,
        "schemas": [fresh],
        "default-spec-id": 0,
        "partition-specs": [bound],
        "last-partition-id": partitions.highest(bound),
        "default-sort-order-id": order["order-id"],
        "sort-orders": [order],
        "properties": dict(properties or {}),
        "refs": {},
        "snapshots": [],
        "snapshot-log": [],
        "metadata-log": [],
    }
    if format_version >= 3:
        document["next-row-id"] = 0
    updates.mirror_first_version(document)
    return TableMetadata(document)


def _rebound_order(order: Json, ids: Mapping[int, int]) -> dict[str, Any]:
    rows = [{**field, "source-id": ids[field["source-id"]]} for field in order.get("fields", ())]
    return {"order-id": 1 if rows else 0, "fields": rows}


_EMPTY: Json = {
    "format-version": FORMAT,
    "last-sequence-number": 0,
    "last-column-id": 0,
    "last-partition-id": partitions.FIRST_FIELD_ID - 1,
    "schemas": [],
    "partition-specs": [],
    "sort-orders": [],
    "properties": {},
    "refs": {},
    "snapshots": [],
    "snapshot-log": [],
    "metadata-log": [],
}


def check(current: TableMetadata | None, demands: Sequence[Json]) -> None:
    """Pass when every requirement of a request holds. Raises ConflictError MP-3011, or CatalogError MP-3031."""
    requirements.check(None if current is None else current.document, demands)


def apply(current: TableMetadata | None, changes: Sequence[Json], now_ms: int) -> TableMetadata:
    """The metadata after a request's updates; None stands for a table that they create.

    Raises CatalogError MP-3030 for an update that cannot be made, MP-3031 for one that is not known.
    """
    if current is None:
        document = updates.apply(_EMPTY, changes, now_ms)
        return TableMetadata(_completed(document))
    document = updates.apply(current.document, changes, now_ms)
    if current.path is not None:
        document["metadata-log"] = _longer_log(current, document)
    return TableMetadata(document)


def _longer_log(current: TableMetadata, document: Json) -> list[Json]:
    entry = {"metadata-file": current.path, "timestamp-ms": current.document["last-updated-ms"]}
    return [*(document.get("metadata-log") or ()), entry][-METADATA_LOG:]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """A created table's document with what clients may leave out; refused where they may not."""
    missing = [member for member in ("table-uuid", "location", "current-schema-id") if document.get(member) is None]
    if missing:
        raise updates.refused(f"Cannot create the table: the updates say nothing of {', '.join(missing)}")
    for rows, default, empty in (
        ("partition-specs", "default-spec-id", {"spec-id": 0, "fields": []}),
        ("sort-orders", "default-sort-order-id", _UNSORTED),
    ):
        document[rows] = document[rows] or [dict(empty)]
        document.setdefault(default, document[rows][-1][next(iter(empty))])
    return document


def live_rows(metadata: TableMetadata | None) -> int:
    """How many rows a table holds, as its snapshot's summary counts them; 0 where it does not say."""
    snapshot = metadata.current_snapshot if metadata is not None else None
    summary = (snapshot or {}).get("summary") or {}
    return int(summary.get("total-records") or 0) - int(summary.get("total-position-deletes") or 0)


def already_in(current: TableMetadata, changes: Sequence[Json]) -> bool:
    """Whether a request has been applied before: it adds snapshots, and the table has those that it names by a ref.

    Of several that follow on each other only the last is sure to be there: a commit that was moved has one snapshot.

    Such a request is acknowledged, never refused: a client that lost the first answer would else delete the files
    that the table now names.
    """
    added = [update["snapshot"]["snapshot-id"] for update in changes if update.get("action") == "add-snapshot"]
    named = {update.get("snapshot-id") for update in changes if update.get("action") == "set-snapshot-ref"}
    wanted = [number for number in added if number in named] or added
    return bool(wanted) and all(current.snapshot(number) is not None for number in wanted)


def _heads(document: Json) -> set[int | None]:
    return {ref["snapshot-id"] for ref in (document.get("refs") or {}).values()} | {document.get("current-snapshot-id")}


def _since(document: Json, head: int) -> tuple[int, ...]:
    """The snapshots from a head back to the one after the current; none where it does not stem from that."""
    rows = {row["snapshot-id"]: row for row in document.get("snapshots") or ()}
    current, number = document.get("current-snapshot-id"), head
    found: list[int] = []
    while number != current and number in rows and len(found) < AHEAD:
        found.append(number)
        number = rows[number].get("parent-snapshot-id")
    return tuple(found) if number == current and current in rows else ()


def _staged(document: Json) -> set[int]:
    """Snapshots of the last time that never were current, and that no branch or tag grew from."""
    rows = {row["snapshot-id"]: row for row in document.get("snapshots") or ()}
    if document.get("current-snapshot-id") not in rows:
        return set()
    known: set[int | None] = set()
    for head in _heads(document):
        number = head
        while number in rows and number not in known:
            known.add(number)
            number = rows[number].get("parent-snapshot-id")
    known.update(row["snapshot-id"] for row in document.get("snapshot-log") or ())
    since = document["last-updated-ms"] - STAGED_MS
    return {number for number, row in rows.items() if number not in known and row["timestamp-ms"] > since}


def trim(metadata: TableMetadata, keep: Collection[int] = (), recent: int = RECENT) -> TableMetadata:
    """The metadata without the snapshots that nobody reads through this version.

    Stay: those of `TableMetadata.read`, `keep`, and the newest `recent`. Older ones live on in the earlier metadata
    files, which the pointer store names by commit number.
    """
    rows = metadata.snapshots
    stay = {row["snapshot-id"] for row in (*metadata.read, *rows[max(0, len(rows) - recent) :])} | set(keep)
    gone = {row["snapshot-id"] for row in rows} - stay
    if not gone:
        return metadata
    document = dict(metadata.document)
    updates.without(document, gone)
    return TableMetadata(document, metadata.path)


def of(document: Json, path: str | None = None) -> TableMetadata:
    """A document as it was read; what format version 1 writes otherwise is brought to the form of version 2.

    Raises CatalogError MP-3033 when it lacks what every table has.
    """
    full = dict(document)
    try:
        first = full["format-version"] == 1
        if first and "schemas" not in full:
            schema = {**full["schema"], "schema-id": full["schema"].get("schema-id", 0)}
            full |= {"schemas": [schema], "current-schema-id": schema["schema-id"]}
        if first and "partition-specs" not in full:
            spec = {"spec-id": 0, "fields": full.get("partition-spec") or []}
            full |= {"partition-specs": [spec], "default-spec-id": 0, "last-partition-id": partitions.highest(spec)}
        if first and "sort-orders" not in full:
            full |= {"sort-orders": [dict(_UNSORTED)], "default-sort-order-id": 0}
        current = full.get("current-snapshot-id")
        if full.get("refs") is None:
            named = {"main": {"snapshot-id": current, "type": "branch"}}
            full["refs"] = named if current not in (None, -1) else {}
        if full.get("format-version") == 3 and full.get("next-row-id") is None:
            full["next-row-id"] = _next_row(full)
        told = shapes.document(full)
    except fields.MALFORMED as wrong:
        raise damaged(path, f"it lacks {wrong}") from wrong
    if told is not None:
        raise damaged(path, told)
    if full["format-version"] not in (1, 2, 3):
        raise damaged(path, f"format version {full['format-version']} is not known")
    return TableMetadata(full, path)


def _next_row(document: Json) -> int:
    """The row id after all that the snapshots gave, for writers of version 3 that left it out: some readers want it."""
    rows = document.get("snapshots") or ()
    return max((int(row.get("first-row-id") or 0) + int(row.get("added-rows") or 0) for row in rows), default=0)


def damaged(path: str | None, reason: str) -> CatalogError:
    """The error for a metadata file that cannot be understood."""
    return CatalogError(
        "MP-3033",
        f"the table metadata {path or ''} is damaged: {reason}".replace("  ", " "),
        next_step="restore the file from a backup, or point the table at an earlier commit",
    )
