"""A view's metadata as a value, and every way to the next one. Iceberg view spec v1.

Pure: nothing here reads or writes a file. Documents are the JSON of the specification and are never changed in place.
A view holds SQL texts of other engines, which Millpond keeps and never runs. The texts of refusals are those that
Java's clients compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from millpond.catalog import fields, requirements, shapes
from millpond.catalog.metadata import damaged
from millpond.catalog.types import schema_of
from millpond.core.errors import CatalogError
from millpond.core.records import frozen
from millpond.core.schema import Schema

Json = Mapping[str, Any]

LAST_ADDED = -1
KEPT = "version.history.num-entries"
DROP_DIALECT = "replace.drop-dialect.allowed"
_KEPT_VERSIONS = 10
_MOST_DIGITS = 10
_METADATA_PATH = "write.metadata.path"


@frozen
class ViewMetadata:
    """One version of a view's metadata. `path` is the file it was read from or written to, None before that."""

    document: Json
    path: str | None = None

    @property
    def uuid(self) -> str:
        """The view's lasting identity."""
        return str(self.document["view-uuid"])

    @property
    def location(self) -> str:
        """The folder that holds the view's files."""
        return str(self.document["location"])

    @property
    def properties(self) -> dict[str, str]:
        """View properties, a copy."""
        return dict(self.document.get("properties") or {})

    @property
    def version(self) -> Json:
        """What the view says now."""
        number = self.document["current-version-id"]
        return next(version for version in self.document["versions"] if version["version-id"] == number)

    def schema(self) -> Schema:
        """The columns of the current version. Raises CatalogError MP-3037 for a type that is not known."""
        number = self.version["schema-id"]
        return schema_of(next(schema for schema in self.document["schemas"] if schema["schema-id"] == number))

    @property
    def folder(self) -> str:
        """Where metadata files are written."""
        return self.properties.get(_METADATA_PATH, f"{self.location}/metadata")


def invalid(reason: str) -> CatalogError:
    """The error for a view that would not be as the specification says."""
    return CatalogError("MP-3009", reason, next_step="load the view again and send what fits it")


def create(
    schema: Json, version: Json, *, location: str, uuid: str, now_ms: int, properties: Mapping[str, str] | None = None
) -> ViewMetadata:
    """The first metadata of a view. `now_ms` is milliseconds since 1970 in UTC. Raises CatalogError MP-3009."""
    first = {"version-id": 1, "timestamp-ms": now_ms, **version, "schema-id": LAST_ADDED}
    summary = first.get("summary") or {}
    if not isinstance(summary, Mapping):
        raise invalid("Invalid view version: its summary is no object")
    first["summary"] = {"operation": "create", **summary}
    if not _is_number(first["version-id"]) or first["version-id"] < 1:
        first["version-id"] = 1
    empty: Json = {
        "view-uuid": uuid,
        "format-version": 1,
        "location": location,
        "schemas": [],
        "versions": [],
        "version-log": [],
        "properties": dict(properties or {}),
    }
    changes = (
        {"action": "add-schema", "schema": schema},
        {"action": "add-view-version", "view-version": first},
        {"action": "set-current-view-version", "view-version-id": LAST_ADDED},
    )
    return ViewMetadata(_applied(empty, changes, now_ms))


def check(current: ViewMetadata, demands: Sequence[Json]) -> None:
    """Pass when every requirement of a request holds.

    Raises ConflictError MP-3011 for one that does not, CatalogError MP-3031 for one that is not known.
    """
    for demand in demands:
        if demand.get("type") != "assert-view-uuid":
            raise _unknown("requirement", demand.get("type"))
        expected = demand.get("uuid")
        if str(expected).lower() != current.uuid.lower():
            raise requirements.failed(f"view UUID does not match: expected {current.uuid} != {expected}")


def apply(current: ViewMetadata, changes: Sequence[Json], now_ms: int) -> ViewMetadata:
    """The metadata after a request's updates; the same object when they change nothing.

    Raises CatalogError MP-3009 for an update that cannot be made, MP-3031 for one that is not known.
    """
    for place, change in enumerate(changes):
        told = shapes.view_update(change, f"updates[{place}]")
        if told is not None:
            raise invalid(f"Invalid view: {told}")
    document = _applied(current.document, changes, now_ms)
    return current if document == current.document else ViewMetadata(document)


def of(document: Json, path: str | None = None) -> ViewMetadata:
    """A document as it was read. Raises CatalogError MP-3033 when it lacks what every view has."""
    wanted = ("view-uuid", "format-version", "location", "current-version-id", "versions", "version-log", "schemas")
    missing = [word for word in wanted if word not in document]
    if missing:
        raise damaged(path, f"it lacks {', '.join(missing)}")
    if document["format-version"] != 1:
        raise damaged(path, f"views of format version {document['format-version']} are not known")
    try:
        known = {version["version-id"] for version in document["versions"]}
    except fields.MALFORMED as wrong:
        raise damaged(path, str(wrong)) from wrong
    if document["current-version-id"] not in known:
        raise damaged(path, "its current version is not there")
    return ViewMetadata(document, path)


class _Draft:
    """A view's metadata on the way to its next version."""

    def __init__(self, document: Json, now_ms: int) -> None:
        self.document: dict[str, Any] = dict(document)
        for rows in ("schemas", "versions", "version-log"):
            self.document[rows] = list(document[rows])
        self.document["properties"] = dict(document.get("properties") or {})
        self.now_ms = now_ms
        self.added: set[int] = set()
        self.last_schema: int | None = None
        self.last_version: int | None = None
        self.entry: Json | None = None

    def version(self, number: Any) -> Json | None:
        """The version of that id, or None."""
        return next((row for row in self.document["versions"] if row["version-id"] == number), None)


def _applied(document: Json, changes: Sequence[Json], now_ms: int) -> dict[str, Any]:
    draft = _Draft(document, now_ms)
    for change in changes:
        kind = change.get("action")
        make = _UPDATES.get(str(kind))
        if make is None:
            raise _unknown("update", kind)
        try:
            make(draft, change)
        except fields.MALFORMED as wrong:
            raise invalid(f"Invalid view: update {kind}: {type(wrong).__name__} {wrong}") from wrong
    if not draft.document["versions"]:
        raise invalid("Invalid view: no versions were added")
    if draft.entry is not None:
        draft.document["version-log"].append(draft.entry)
    _check_dialects(document, draft)
    _trim(draft)
    return draft.document


def _unknown(what: str, kind: object) -> CatalogError:
    return CatalogError(
        "MP-3031",
        f"Unknown {what}: {kind!r}",
        next_step=f"send {what}s for views that the REST catalog specification names",
    )


def _assign_uuid(draft: _Draft, change: Json) -> None:
    if change["uuid"] != draft.document["view-uuid"]:
        raise invalid("Cannot reassign uuid")


def _upgrade(draft: _Draft, change: Json) -> None:
    wanted, present = change["format-version"], draft.document["format-version"]
    if wanted < present:
        raise invalid(f"Cannot downgrade v{present} view to v{wanted}")
    if wanted > 1:
        raise invalid(f"Unsupported format version: {wanted}")


def _add_schema(draft: _Draft, change: Json) -> None:
    told = shapes.SCHEMA(change["schema"], "schema")
    if told is not None:
        raise invalid(f"Invalid view: {told}")
    schema = fields.struct(change["schema"])
    try:
        fields.validate(schema)
    except CatalogError as wrong:
        raise invalid(wrong.finding.message) from wrong
    rows = draft.document["schemas"]
    same = next((row for row in rows if fields.same_fields(row, schema)), None)
    given = same["schema-id"] if same else max((row["schema-id"] for row in rows), default=-1) + 1
    if same is None:
        rows.append({**schema, "schema-id": given})
    draft.last_schema = given


def _set_location(draft: _Draft, change: Json) -> None:
    location: str = change["location"]
    draft.document["location"] = location.rstrip("/")


def _set_properties(draft: _Draft, change: Json) -> None:
    draft.document["properties"].update({str(key): str(value) for key, value in change["updates"].items()})


def _remove_properties(draft: _Draft, change: Json) -> None:
    for key in change["removals"]:
        draft.document["properties"].pop(key, None)


def _add_version(draft: _Draft, change: Json) -> None:
    version = _sound(change["view-version"], draft.now_ms)
    if version["schema-id"] == LAST_ADDED:
        if draft.last_schema is None:
            raise invalid("Cannot set last added schema: no schema has been added")
        version["schema-id"] = draft.last_schema
    if all(row["schema-id"] != version["schema-id"] for row in draft.document["schemas"]):
        raise invalid(f"Cannot add version with unknown schema: {version['schema-id']}")
    rows = draft.document["versions"]
    same = next((row for row in rows if _behaves(row) == _behaves(version)), None)
    if same is not None:
        draft.last_version = same["version-id"]
        return
    given = max(version["version-id"], max((row["version-id"] for row in rows), default=0) + 1)
    if not rows:
        given = version["version-id"]
    rows.append({**version, "version-id": given})
    draft.added.add(given)
    draft.last_version = given


def _sound(version: Json, now_ms: int) -> dict[str, Any]:
    """A version with all that the specification demands; refused where a client may not leave it out."""
    whole = {"timestamp-ms": now_ms, "summary": {}, **version}
    if not _is_number(whole.get("version-id")) or not _is_number(whole.get("schema-id")):
        raise invalid("Invalid view version: version-id and schema-id must be whole numbers")
    if not _is_number(whole["timestamp-ms"]) or not isinstance(whole["summary"], Mapping):
        raise invalid("Invalid view version: its timestamp or its summary is malformed")
    space = whole.get("default-namespace")
    if not isinstance(space, list) or not all(isinstance(level, str) for level in space):
        raise invalid("Invalid view version: default-namespace must be a list of names")
    texts = whole.get("representations")
    if not isinstance(texts, list) or not texts:
        raise invalid("Invalid view version: no representations")
    told = shapes.VERSION(whole, "version")
    if told is not None:
        raise invalid(f"Invalid view version: {told}")
    seen: set[str] = set()
    for text in texts:
        if text["type"] != "sql":
            continue
        dialect = text["dialect"].lower()
        if dialect in seen:
            raise invalid(f"Invalid view version: Cannot add multiple queries for dialect {dialect}")
        seen.add(dialect)
    return whole


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _behaves(version: Json) -> tuple[object, ...]:
    """What of a version matters to who reads the view: all but its id and its moment."""
    members = ("summary", "representations", "default-catalog", "default-namespace", "schema-id")
    return tuple(version.get(member) for member in members)


def _set_current(draft: _Draft, change: Json) -> None:
    wanted = change["view-version-id"]
    if wanted == LAST_ADDED:
        if draft.last_version is None:
            raise invalid("Cannot set last version id: no current version id has been set")
        wanted = draft.last_version
    if draft.document.get("current-version-id") == wanted:
        return
    version = draft.version(wanted)
    if version is None:
        raise invalid(f"Cannot set current version to unknown version: {wanted}")
    draft.document["current-version-id"] = wanted
    at = version["timestamp-ms"] if wanted in draft.added else draft.now_ms
    draft.entry = {"timestamp-ms": at, "version-id": wanted}


def _check_dialects(before: Json, draft: _Draft) -> None:
    """Refuse a view that a reader of some dialect could no longer read, unless a property allows it."""
    allowed = str(draft.document["properties"].get(DROP_DIALECT, "false")).lower() == "true"
    previous = next((row for row in before["versions"] if row["version-id"] == before.get("current-version-id")), None)
    current = draft.version(draft.document.get("current-version-id"))
    if allowed or previous is None or current is None:
        return
    old, new = _dialects(previous), _dialects(current)
    if not old <= new:
        raise invalid(
            f"Cannot replace view due to loss of view dialects ({DROP_DIALECT}=false):\n"
            f"Previous dialects: [{', '.join(sorted(old))}]\nNew dialects: [{', '.join(sorted(new))}]"
        )


def _dialects(version: Json) -> set[str]:
    texts = version.get("representations") or ()
    return {str(text.get("dialect")).lower() for text in texts if text.get("type") == "sql"}


def _trim(draft: _Draft) -> None:
    """Keep the newest versions: as many as a property says, those of this request and the current one in any case."""
    text = draft.document["properties"].get(KEPT, str(_KEPT_VERSIONS))
    kept = int(text[:_MOST_DIGITS]) if text.isascii() and text.removeprefix("-").isdigit() else 0
    if kept < 1:
        raise invalid(f"{KEPT} must be positive but was {text[:20]}")
    current = draft.document.get("current-version-id")
    stay = draft.added | {current}
    others = sorted({row["version-id"] for row in draft.document["versions"]} - {current}, reverse=True)
    newest = {current, *others[: max(kept, len(stay)) - 1]}
    if len(newest) == len(draft.document["versions"]):
        return
    draft.document["versions"] = [row for row in draft.document["versions"] if row["version-id"] in newest]
    log: list[Json] = []
    for entry in draft.document["version-log"]:
        # What came before a version that is gone could not be followed back.
        log = [*log, entry] if entry["version-id"] in newest else []
    draft.document["version-log"] = log


_UPDATES: Mapping[str, Callable[[_Draft, Json], None]] = {
    "assign-uuid": _assign_uuid,
    "upgrade-format-version": _upgrade,
    "add-schema": _add_schema,
    "set-location": _set_location,
    "set-properties": _set_properties,
    "remove-properties": _remove_properties,
    "add-view-version": _add_version,
    "set-current-view-version": _set_current,
}
