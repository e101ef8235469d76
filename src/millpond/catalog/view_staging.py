"""Staged views: what one step or request does to views, until it is published with its tables."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from millpond.catalog import files, views
from millpond.catalog.commits import VIEW, TableEntry
from millpond.catalog.soundness import Soundness
from millpond.catalog.views import ViewMetadata
from millpond.catalog.warehouse import Warehouse
from millpond.core.errors import CatalogError
from millpond.core.names import TableName, closest
from millpond.core.records import frozen

Json = Mapping[str, Any]


class ViewGround(Protocol):
    """What staged views need of the catalog."""

    @property
    def warehouse(self) -> Warehouse:
        """Where views may lie."""
        ...

    @property
    def soundness(self) -> Soundness:
        """Whether files are what was written."""
        ...

    def find(self, name: TableName, at: int | None = None, kind: str = VIEW) -> TableEntry | None:
        """A pointer as of a commit."""
        ...

    def tables(self, at: int | None = None, kind: str = VIEW) -> tuple[TableEntry, ...]:
        """Every pointer of a kind as of a commit."""
        ...


@frozen
class ViewDraft:
    """A staged view: the pointer it began with (None: it is new) and what it is now (None: dropped).

    `now.path` is None for metadata that is to be written, else the file that the pointer is to name.
    """

    name: TableName
    base: TableEntry | None
    now: ViewMetadata | None
    entry: TableEntry | None


class StagedViews:
    """The views as one stage sees them: those of commit `base`, and its own work. Belongs to a `Stage`."""

    def __init__(self, ground: ViewGround, base: int, now_ms: Callable[[], int], lock: threading.RLock) -> None:
        self._ground = ground
        self._base = base
        self._now_ms = now_ms
        self._lock = lock
        self._drafts: dict[TableName, ViewDraft] = {}

    def find(self, name: TableName) -> TableEntry | None:
        """The view as this stage sees it."""
        with self._lock:
            draft = self._drafts.get(name)
        return draft.entry if draft is not None else self._ground.find(name, self._base, VIEW)

    def view(self, name: TableName) -> TableEntry:
        """The view as this stage sees it. Raises CatalogError MP-3008 when there is none."""
        entry = self.find(name)
        if entry is None:
            raise no_such_view(name, (found.name for found in self.all()))
        return entry

    def all(self) -> tuple[TableEntry, ...]:
        """Every view as this stage sees it, by name."""
        seen = {entry.name: entry for entry in self._ground.tables(self._base, VIEW)}
        with self._lock:
            for name, draft in self._drafts.items():
                seen.pop(name, None)
                if draft.entry is not None:
                    seen[name] = draft.entry
        return tuple(seen[name] for name in sorted(seen))

    def metadata(self, name: TableName) -> ViewMetadata:
        """The metadata as this stage sees it.

        Raises CatalogError MP-3008 when there is no such view, MP-3032 or MP-3033 for lost or damaged metadata.
        """
        with self._lock:
            draft = self._drafts.get(name)
            if draft is not None and draft.now is not None:
                return draft.now
        path = self.view(name).metadata_location
        found = read(path)
        self._ground.soundness.check((path,))
        return found

    def drafts(self) -> tuple[ViewDraft, ...]:
        """The staged views, by name."""
        with self._lock:
            return tuple(self._drafts[name] for name in sorted(self._drafts))

    def create(self, name: TableName, created: ViewMetadata) -> TableEntry:
        """Stage a view whose first metadata is at hand. Raises CatalogError MP-3003 when a view has the name."""
        with self._lock:
            if self.find(name) is not None:
                raise view_taken(name)
            return self._put(name, created)

    def commit(
        self, name: TableName, demands: Sequence[Json], changes: Sequence[Json], others: Callable[[], Iterable[str]]
    ) -> None:
        """Stage a client's changes of a view. `others` gives the locations of everything else.

        Raises CatalogError MP-3008 when there is no such view, ConflictError MP-3011 when a requirement does not hold,
        and CatalogError as `views.apply` does, MP-3016 for a location that the view may not have.
        """
        with self._lock:
            current = self.metadata(name)
            views.check(current, demands)
            updated = views.apply(current, tuple(self._safe(name, change) for change in changes), self._now_ms())
            if updated is current:
                return
            warehouse = self._ground.warehouse
            if updated.location != current.location:
                warehouse.apart(updated.location, others())
            warehouse.check_properties(updated.properties, updated.location)
            self._put(name, updated)

    def drop(self, name: TableName) -> None:
        """Stage the end of a view; its files stay. Raises CatalogError MP-3008 when there is none."""
        with self._lock:
            self.view(name)
            base = self._started(name)
            if base is None:
                self._drafts.pop(name, None)
            else:
                self._drafts[name] = ViewDraft(name, base, None, None)

    def rename(self, source: TableName, target: TableName) -> None:
        """Stage another name for a view. Raises CatalogError MP-3008 or MP-3003."""
        with self._lock:
            if self.find(target) is not None:
                raise view_taken(target)
            entry, present = self.view(source), self.metadata(source)
            self.drop(source)
            self._put(target, present, entry.created)

    def clear(self) -> None:
        """Forget the staged work."""
        with self._lock:
            self._drafts.clear()

    def _started(self, name: TableName) -> TableEntry | None:
        draft = self._drafts.get(name)
        return draft.base if draft is not None else self._ground.find(name, self._base, VIEW)

    def _put(self, name: TableName, now: ViewMetadata, created: int = 0) -> TableEntry:
        base = self._started(name)
        if not created and base is not None and base.uuid == now.uuid:
            created = base.created
        path = now.path or f"{now.folder}/staged-{uuid.uuid4()}.metadata.json"
        entry = TableEntry(name, now.uuid, now.location, path, self._base, created)
        self._drafts[name] = ViewDraft(name, base, now, entry)
        return entry

    def _safe(self, name: TableName, change: Json) -> Json:
        if change.get("action") != "set-location":
            return change
        return {**change, "location": self._ground.warehouse.check(str(change.get("location")), name.layer)}


def read(path: str) -> ViewMetadata:
    """Read a view's metadata file. Raises CatalogError MP-3032 when it is missing, MP-3033 when it is damaged."""
    return views.of(files.document(path), path)


def no_such_view(name: TableName, known: Iterable[TableName] = ()) -> CatalogError:
    """The error for a name that no view has."""
    return CatalogError(
        "MP-3008",
        f"View does not exist: {name}",
        next_step="list the views of the namespace",
        suggestion=closest(str(name), (str(other) for other in known)),
    )


def view_taken(name: TableName) -> CatalogError:
    """The error for a name that a view has."""
    return CatalogError("MP-3003", f"View already exists: {name}", next_step="choose another name, or drop the view")
