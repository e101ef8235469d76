"""Every change that a client may make to a table's metadata: the table updates of the REST catalog specification.

A draft shares with the document it began as all that it does not change: adding a snapshot copies a list of
references, not the table's history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from millpond.catalog import fields, partitions, times
from millpond.catalog.layout import DEFAULT_TARGET, TARGET_SIZE
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.plugins import lookup

Json = Mapping[str, Any]
LAST_ADDED = -1
"""As a schema, spec or sort order id: the one that this request added last."""


class Draft:
    """A table's metadata on the way to its next version. Nothing of the document it began as is changed in place."""

    def __init__(self, document: Json, now_ms: int) -> None:
        self.document: dict[str, Any] = dict(document)
        self.now_ms = now_ms
        self.added: set[int] = set()
        self.schemas: list[Json] = []
        self.last: dict[str, int] = {}
        self.sent: dict[tuple[str, int], int] = {}

    def rows(self, member: str) -> list[Any]:
        """A list of the document that may be changed: the draft's own copy."""
        copy = list(self.document.get(member) or ())
        self.document[member] = copy
        return copy

    def words(self, member: str) -> dict[str, Any]:
        """A mapping of the document that may be changed: the draft's own copy."""
        copy = dict(self.document.get(member) or {})
        self.document[member] = copy
        return copy

    def remember(self, kind: str, sent: object, given: int) -> None:
        """Note which id a schema, spec or sort order of this request was given."""
        self.last[kind] = given
        if isinstance(sent, int):
            self.sent[kind, sent] = given

    def resolve(self, kind: str, wanted: Any) -> int:
        """The id that a client means by the one it sent. Raises CatalogError MP-3030 for -1 without an addition."""
        if wanted == LAST_ADDED:
            if kind not in self.last:
                raise refused(f"Cannot set last added {kind}: no {kind} has been added")
            return self.last[kind]
        return self.sent.get((kind, wanted), int(wanted))

    def snapshot(self, number: Any) -> Json | None:
        """The snapshot of that id, or None."""
        return next((row for row in self.document.get("snapshots") or () if row["snapshot-id"] == number), None)


def refused(reason: str) -> CatalogError:
    """The error for an update that the table cannot take."""
    return CatalogError("MP-3030", reason, next_step="load the table again and send updates that fit it")


def outdated(reason: str) -> ConflictError:
    """The error for an update that was right before another commit came: the client may make it anew."""
    return ConflictError("MP-3011", reason, next_step="load the table again and repeat the work on what is there now")


def apply(document: Json, updates: Sequence[Json], now_ms: int) -> dict[str, Any]:
    """The document after every update, in order.

    Raises CatalogError MP-3031 for a kind of update that is not known, MP-3030 for one that cannot be made,
    ConflictError MP-3011 for one that another commit overtook.
    """
    draft = Draft(document, now_ms)
    for update in updates:
        kind = update.get("action")
        make = _UPDATES.get(str(kind))
        if make is None:
            raise CatalogError(
                "MP-3031",
                f"Unknown update: {kind!r}",
                next_step="send an update for tables that the REST catalog specification names",
            )
        try:
            make(draft, update)
        except fields.MALFORMED as wrong:
            raise fields.malformed(f"update {kind}", wrong) from wrong
    for schema in draft.schemas:  # the format may come after the schema in a request
        fields.check_version(schema, draft.document["format-version"])
    _check_types(document, draft.document)
    newest = max((row["timestamp-ms"] for row in draft.document.get("snapshots") or () if _in(draft, row)), default=0)
    # A clock that was set back takes no version back: the log of snapshots goes by these times.
    draft.document["last-updated-ms"] = max(now_ms, newest, document.get("last-updated-ms") or 0)
    mirror_first_version(draft.document)
    return draft.document


def _check_types(before: Json, after: Json) -> None:
    """Pass when the files that stay can be read under the new columns. Raises CatalogError MP-3030 otherwise."""
    schema = before.get("current-schema-id")
    if before.get("current-snapshot-id") in (None, -1) or schema == after["current-schema-id"]:
        return
    if not _files_stay(before, after):
        return
    old, new = _current_schema(before), _current_schema(after)
    told = lookup("millpond.catalog.promotions:problem")(old, new, after["format-version"])
    if told is not None:
        raise refused(told)


def _files_stay(before: Json, after: Json) -> bool:
    """Whether a table that had rows has their files still: nothing was added, or snapshots that only append."""
    rows = {row["snapshot-id"]: row for row in after.get("snapshots") or ()}
    number = after.get("current-snapshot-id")
    while number != before["current-snapshot-id"]:
        row = rows.pop(number, None)  # a client's snapshots may be in a circle
        if row is None or (row.get("summary") or {}).get("operation") != "append":
            return False
        number = row.get("parent-snapshot-id")
    return True


def _current_schema(document: Json) -> Json:
    number = document["current-schema-id"]
    found: Json = next(row for row in document["schemas"] if row["schema-id"] == number)
    return found


def mirror_first_version(document: dict[str, Any]) -> None:
    """Repeat the current schema and spec where readers of format version 1 look for them."""
    if document["format-version"] == 1 and document.get("schemas") and document.get("partition-specs"):
        schema, spec = document["current-schema-id"], document["default-spec-id"]
        document["schema"] = next(row for row in document["schemas"] if row["schema-id"] == schema)
        specs = document["partition-specs"]
        document["partition-spec"] = next(row["fields"] for row in specs if row["spec-id"] == spec)


def _in(draft: Draft, snapshot: Json) -> bool:
    return snapshot["snapshot-id"] in draft.added


def _assign_uuid(draft: Draft, update: Json) -> None:
    present = draft.document.get("table-uuid")
    if present and present != update["uuid"]:
        raise refused(f"Cannot reassign uuid: {present} is not {update['uuid']}")
    draft.document["table-uuid"] = update["uuid"]


def _upgrade(draft: Draft, update: Json) -> None:
    wanted, present = update["format-version"], draft.document["format-version"]
    if not isinstance(wanted, int) or not present <= wanted <= 3:
        raise refused(f"Cannot upgrade the table from format version {present} to {wanted}")
    draft.document["format-version"] = wanted
    if wanted >= 2:
        draft.document.setdefault("last-sequence-number", 0)
    if wanted >= 3:
        draft.document.setdefault("next-row-id", 0)


def _add_schema(draft: Draft, update: Json) -> None:
    schema = fields.struct(update["schema"])
    fields.validate(schema)
    rows = draft.rows("schemas")
    sent = schema.get("schema-id")
    same = next((row for row in rows if fields.same_fields(row, schema)), None)
    given = same["schema-id"] if same else max((row["schema-id"] for row in rows), default=-1) + 1
    if not same:
        rows.append({**schema, "schema-id": given})
        draft.schemas.append(schema)
    known = (draft.document.get("last-column-id", 0), fields.highest(schema), update.get("last-column-id") or 0)
    draft.document["last-column-id"] = max(known)
    draft.remember("schema", sent, given)


def _set_current_schema(draft: Draft, update: Json) -> None:
    wanted = draft.resolve("schema", update["schema-id"])
    if all(row["schema-id"] != wanted for row in draft.document.get("schemas") or ()):
        raise refused(f"Cannot set current schema to unknown schema: {wanted}")
    if wanted != draft.document.get("current-schema-id"):
        draft.document["current-schema-id"] = newest_schema(draft.document, wanted)


def newest_schema(document: dict[str, Any], number: int) -> int:
    """The id of a schema, given another one where it is not the highest, in a document whose top level is one's own.

    DuckDB numbers the next schema after the current one, and so cannot alter a table that went back to an earlier one.
    """
    highest = max(row["schema-id"] for row in document["schemas"])
    if number == highest:
        return number
    schema = next(row for row in document["schemas"] if row["schema-id"] == number)
    document["schemas"] = [*document["schemas"], {**schema, "schema-id": highest + 1}]
    return int(highest) + 1


def _add_spec(draft: Draft, update: Json) -> None:
    spec = update["spec"]
    rows = draft.rows("partition-specs")
    known = {number for schema in draft.document.get("schemas") or () for number in fields.ids(schema)}
    told = partitions.unknown_source(spec, known) or partitions.other_field(spec, rows)
    current = (
        row
        for row in draft.document.get("schemas") or ()
        if row["schema-id"] == draft.document.get("current-schema-id")
    )
    for schema in current:
        told = told or partitions.problem(spec, schema)
    if told is not None:
        raise refused(told)
    same = next((row for row in rows if partitions.same_fields(row, spec)), None)
    given = same["spec-id"] if same else max((row["spec-id"] for row in rows), default=-1) + 1
    if not same:
        last = draft.document.get("last-partition-id", partitions.FIRST_FIELD_ID - 1)
        numbered = []
        for field in spec["fields"]:
            number = field.get("field-id")
            last = max(last, number) if number is not None else last + 1
            numbered.append({**field, "field-id": last if number is None else number})
        rows.append({"spec-id": given, "fields": numbered})
        draft.document["last-partition-id"] = last
    draft.remember("spec", spec.get("spec-id"), given)


def _set_default_spec(draft: Draft, update: Json) -> None:
    wanted = draft.resolve("spec", update["spec-id"])
    if all(row["spec-id"] != wanted for row in draft.document.get("partition-specs") or ()):
        raise refused(f"Cannot set default partition spec to unknown spec: {wanted}")
    draft.document["default-spec-id"] = wanted
    spec = next(row for row in draft.document["partition-specs"] if row["spec-id"] == wanted)
    if spec["fields"] and draft.document.get("properties", {}).get(TARGET_SIZE) == str(DEFAULT_TARGET):
        # It was given by us and not by an author, and DuckDB would not write the table any more.
        del draft.words("properties")[TARGET_SIZE]


def _add_sort_order(draft: Draft, update: Json) -> None:
    order = update["sort-order"]
    known = {number for schema in draft.document.get("schemas") or () for number in fields.ids(schema)}
    told = partitions.unknown_order_source(order, known)
    if told is not None:
        raise refused(told)
    rows = draft.rows("sort-orders")
    same = next((row for row in rows if row["fields"] == order["fields"]), None)
    if same:
        given = same["order-id"]
    elif not order["fields"]:
        given = 0
    else:
        given = max(0, *(row["order-id"] for row in rows)) + 1 if rows else 1
    if not same:
        rows.append({"order-id": given, "fields": order["fields"]})
    draft.remember("sort order", order.get("order-id"), given)


def _set_default_sort_order(draft: Draft, update: Json) -> None:
    wanted = draft.resolve("sort order", update["sort-order-id"])
    if all(row["order-id"] != wanted for row in draft.document.get("sort-orders") or ()):
        raise refused(f"Cannot set default sort order to unknown sort order: {wanted}")
    draft.document["default-sort-order-id"] = wanted


def _add_snapshot(draft: Draft, update: Json) -> None:
    snapshot = update["snapshot"]
    number = snapshot["snapshot-id"]
    if draft.snapshot(number) is not None:
        raise refused(f"Snapshot already exists for id: {number}")
    last = draft.document.get("last-sequence-number", 0)
    sequence = snapshot.get("sequence-number") or 0
    if draft.document["format-version"] >= 2:
        if sequence <= last and snapshot.get("parent-snapshot-id") is not None:
            raise outdated(
                f"Cannot add snapshot with sequence number {sequence} older than last sequence number {last}"
            )
        draft.document["last-sequence-number"] = max(last, sequence)
    if draft.document["format-version"] >= 3:
        _number_rows(draft, snapshot)
    latest = max((row["timestamp-ms"] for row in draft.document.get("snapshots") or ()), default=0)
    at = times.never_falling(snapshot["timestamp-ms"], latest, draft.now_ms)
    draft.rows("snapshots").append({**snapshot, "timestamp-ms": at})
    draft.added.add(number)


def _number_rows(draft: Draft, snapshot: Json) -> None:
    """Move the table's next row id past the rows of a new snapshot. Iceberg spec v3, "Row Lineage"."""
    known = draft.document.get("next-row-id", 0)
    first, added = snapshot.get("first-row-id"), snapshot.get("added-rows") or 0
    if first is not None and first < known:
        raise outdated(f"Cannot add a snapshot, first-row-id is behind table next-row-id: {first} < {known}")
    draft.document["next-row-id"] = known + max(added, 0)


def _set_ref(draft: Draft, update: Json) -> None:
    name, number = update["ref-name"], update["snapshot-id"]
    snapshot = draft.snapshot(number)
    if snapshot is None:
        raise refused(f"Cannot set {name} to unknown snapshot: {number}")
    ref = {key: value for key, value in update.items() if key not in ("action", "ref-name") and value is not None}
    if ref.get("type") not in ("branch", "tag"):
        raise refused(f"Cannot set {name}: it is neither a branch nor a tag")
    if name == "main" and ref["type"] != "branch":
        raise refused("main is a branch and cannot become a tag")
    draft.words("refs")[name] = ref
    if name != "main" or draft.document.get("current-snapshot-id") == number:
        return
    previous = draft.document.get("current-snapshot-id")
    draft.document["current-snapshot-id"] = number
    log = draft.rows("snapshot-log")
    # A snapshot that was current only between two updates of one request was never seen by anyone.
    if log and previous in draft.added and log[-1]["snapshot-id"] == previous:
        log.pop()
    at = snapshot["timestamp-ms"] if number in draft.added else draft.now_ms
    log.append({"timestamp-ms": max(at, log[-1]["timestamp-ms"] if log else at), "snapshot-id": number})


def _remove_ref(draft: Draft, update: Json) -> None:
    name = update["ref-name"]
    draft.words("refs").pop(name, None)
    if name == "main":
        draft.document["current-snapshot-id"] = None
        draft.document["snapshot-log"] = []


def _remove_snapshots(draft: Draft, update: Json) -> None:
    gone = set(update["snapshot-ids"])
    if draft.document.get("current-snapshot-id") in gone:
        raise refused("Cannot remove the current snapshot of main")
    without(draft.document, gone)


def without(document: dict[str, Any], gone: set[int]) -> None:
    """Take snapshots out of a document whose top level is the caller's own: with refs, log and statistics of theirs."""
    for member in ("snapshots", "snapshot-log", "statistics", "partition-statistics"):
        if document.get(member):
            document[member] = [row for row in document[member] if row["snapshot-id"] not in gone]
    refs = document.get("refs") or {}
    document["refs"] = {name: ref for name, ref in refs.items() if ref["snapshot-id"] not in gone}


def _set_location(draft: Draft, update: Json) -> None:
    location: str = update["location"]
    draft.document["location"] = location.rstrip("/")


def _set_properties(draft: Draft, update: Json) -> None:
    sent = update["updates"] if "updates" in update else update["updated"]
    draft.words("properties").update({str(key): str(value) for key, value in sent.items()})


def _remove_properties(draft: Draft, update: Json) -> None:
    properties = draft.words("properties")
    for key in update["removals"] if "removals" in update else update["removed"]:
        properties.pop(key, None)


def _setter(member: str, sent: str) -> Callable[[Draft, Json], None]:
    def set_statistics(draft: Draft, update: Json) -> None:
        new = update[sent]
        kept = [row for row in draft.rows(member) if row["snapshot-id"] != new["snapshot-id"]]
        draft.document[member] = [*kept, new]

    return set_statistics


def _remover(member: str) -> Callable[[Draft, Json], None]:
    def remove_statistics(draft: Draft, update: Json) -> None:
        number = update["snapshot-id"]
        draft.document[member] = [row for row in draft.rows(member) if row["snapshot-id"] != number]

    return remove_statistics


def _unused_remover(member: str, sent: str, key: str, default: str) -> Callable[[Draft, Json], None]:
    def remove(draft: Draft, update: Json) -> None:
        gone = set(update[sent])
        if draft.document.get(default) in gone:
            raise refused(f"Cannot remove the one of {member} that is in use: {draft.document[default]}")
        draft.document[member] = [row for row in draft.rows(member) if row[key] not in gone]

    return remove


def _add_key(draft: Draft, update: Json) -> None:
    key = update["encryption-key"]
    rows = draft.rows("encryption-keys")
    if all(row["key-id"] != key["key-id"] for row in rows):
        rows.append(key)


def _remove_key(draft: Draft, update: Json) -> None:
    gone = update["key-id"]
    draft.document["encryption-keys"] = [row for row in draft.rows("encryption-keys") if row["key-id"] != gone]


_UPDATES: Mapping[str, Callable[[Draft, Json], None]] = {
    "assign-uuid": _assign_uuid,
    "upgrade-format-version": _upgrade,
    "add-schema": _add_schema,
    "set-current-schema": _set_current_schema,
    "add-spec": _add_spec,
    "set-default-spec": _set_default_spec,
    "add-sort-order": _add_sort_order,
    "set-default-sort-order": _set_default_sort_order,
    "add-snapshot": _add_snapshot,
    "set-snapshot-ref": _set_ref,
    "remove-snapshot-ref": _remove_ref,
    "remove-snapshots": _remove_snapshots,
    "set-location": _set_location,
    "set-properties": _set_properties,
    "remove-properties": _remove_properties,
    "set-statistics": _setter("statistics", "statistics"),
    "remove-statistics": _remover("statistics"),
    "set-partition-statistics": _setter("partition-statistics", "partition-statistics"),
    "remove-partition-statistics": _remover("partition-statistics"),
    "remove-schemas": _unused_remover("schemas", "schema-ids", "schema-id", "current-schema-id"),
    "remove-partition-specs": _unused_remover("partition-specs", "spec-ids", "spec-id", "default-spec-id"),
    "add-encryption-key": _add_key,
    "remove-encryption-key": _remove_key,
}
