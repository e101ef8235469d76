"""The folders that hold the tables' files, and which locations in them a table may have.

A location that a client sends is hostile until it is shown to lie under a root: no `..`, no links, no other scheme, no
odd names.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path

from millpond.catalog.files import local, make_folder
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.project.model import Project

_SAFE_PART = re.compile(r"[A-Za-z0-9_=+@-][A-Za-z0-9_.=+@-]{0,254}\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
PATH_PROPERTY = re.compile(r"write\.([a-z-]+\.)*(path|location)\Z")
"""The table properties that say where writers put files."""


class Warehouse:
    """One root folder, or one for each layer, and the rules of what may lie in them.

    Tables of namespaces that are not named in `layers` lie under `root`. Raises CatalogError MP-3055 for a root that is
    no folder of this machine.
    """

    def __init__(
        self, root: str, layers: Mapping[str, str] | None = None, folder: str = "", inside: Iterable[str] = ()
    ) -> None:
        """`folder` is that of the project, and `inside` the roots that lie in it, by their relative paths."""
        self.root = _root(root)
        self._layers = {layer: _root(place) for layer, place in (layers or {}).items()}
        self._folder = folder
        self._inside = tuple(inside)

    @classmethod
    def of(cls, project: Project) -> Warehouse:
        """The warehouse that a project declares; its relative paths begin at the project's folder."""

        def absolute(place: str) -> str:
            return place if _SCHEME.match(place) else str(project.folder / place)

        storage = project.settings.storage
        layers: dict[str, str] = {layer: absolute(place) for layer, place in storage.layers.items()}
        places = (storage.root, *storage.layers.values())
        inside = [os.path.normpath(one) for one in places if not _SCHEME.match(one) and not one.startswith("/")]
        return cls(absolute(storage.root), layers, str(project.folder), inside)

    @property
    def roots(self) -> tuple[str, ...]:
        """Every root, once."""
        return tuple(dict.fromkeys((self.root, *self._layers.values())))

    def root_of(self, layer: str) -> str:
        """The root of a namespace's tables."""
        return self._layers.get(layer, self.root)

    def holding(self, path: str) -> str:
        """The root that a plain path lies under; the innermost of several, and the first where it lies in none."""
        around = [root for root in self.roots if path.startswith(root + "/")]
        return max(around, key=len, default=self.root)

    def check_home(self, location: str, catalog: str) -> None:
        """Pass when a table's location is not that of this project in another folder: tables name their files there.

        A copy would write into the original, and upkeep of each delete the other's files. Raises CatalogError MP-3058.
        `catalog` is where the pointer store is, as messages name it.
        """
        if any(location.startswith(root + "/") for root in self.roots):
            return
        for inside in self._inside:
            folder, found, _ = location.partition(f"/{inside}/")
            if found and folder != self._folder:
                back = "work there" if Path(folder).exists() else "move the project back"
                anew = "remove the folder .millpond here, and `millpond run` builds a lake anew"
                if not catalog.startswith(f"{self._folder}/.millpond/"):
                    anew = "name a catalog of its own in catalog.url: another file, database or schema"
                raise CatalogError(
                    "MP-3058",
                    f"the lake was made in {folder}, where its tables name their files, and not in {self._folder}",
                    next_step=f"{back}; or {anew}",
                )

    def namespace(self, layer: str) -> str:
        """The folder of a namespace's tables."""
        return f"{self.root_of(layer)}/{_folder(layer)}"

    def fresh(self, name: TableName, uuid: str, place: str | None = None) -> str:
        """The location of a new table: unique by the table's uuid, so that names may be used again."""
        return f"{place or self.namespace(name.layer)}/{_folder(name.name)}-{uuid.replace('-', '')[:8]}"

    def choose(self, sent: str | None, name: TableName, uuid: str, place: str | None = None) -> str:
        """The location for a new table: the one a client sent when it is absolute, else one that is chosen here.

        `place` is the folder that the namespace's tables are to lie in, where it has one of its own. Raises
        CatalogError MP-3016 for an absolute one that does not lie where it may.
        """
        if sent is None or not sent.strip() or not (sent.startswith("/") or _SCHEME.match(sent)):
            return self.fresh(name, uuid, place)
        return self.check(sent, name.layer)

    def check(self, location: str, layer: str | None = None) -> str:
        """The location as a plain path. Raises CatalogError MP-3016 unless it lies under a root by its plain name.

        With a layer, under the root of its tables.
        """
        plain = _plain(location)
        if plain is None:
            raise _refused(location, "only a path or a file: URL names a folder of this warehouse")
        path = plain.rstrip("/")
        here = self.holding(path) if layer is None else self.root_of(layer)
        if not path.startswith(here + "/"):
            raise _refused(location, f"it does not lie under the warehouse {here}")
        for part in path.removeprefix(here + "/").split("/"):
            if not _SAFE_PART.match(part) or part in (".", ".."):
                raise _refused(location, f"{part!r} is no name for a folder here")
            here = f"{here}/{part}"
            if Path(here).is_symlink():
                raise _refused(location, f"{here} is a link")
        return path

    def check_properties(self, properties: Mapping[str, object], location: str) -> None:
        """Pass when every `write.*.path` lies in the table's own folder. Raises CatalogError MP-3016 otherwise."""
        for key, value in properties.items():
            if not PATH_PROPERTY.match(key):
                continue
            if not isinstance(value, str):
                raise _refused(str(value), f"{key} is no text")
            path = self.check(value)
            if path != location and not path.startswith(location + "/"):
                raise _refused(value, f"{key} must lie under the table's own location {location}")

    def apart(self, location: str, others: Iterable[str]) -> None:
        """Pass when a location neither holds nor lies in another table's. Raises CatalogError MP-3016 otherwise."""
        location = _plain(location) or location
        for other in (_plain(place) or place for place in others):
            if location == other or location.startswith(other + "/") or other.startswith(location + "/"):
                raise _refused(location, f"another table lies at {other}")

    def holds_tables(self) -> bool:
        """Whether the metadata of any table lies here."""
        return any(True for root in self.roots for _ in Path(root).glob("*/*/metadata/*.metadata.json"))

    def prepare(self, location: str) -> None:
        """Make the folders that stock DuckDB expects to find. Raises CatalogError MP-3017 where the disk refuses."""
        try:
            for folder in ("metadata", "data"):
                make_folder(Path(local(location), folder))
        except OSError as refused:
            raise CatalogError(
                "MP-3017",
                f"the table's folder {location} cannot be made: {refused.strerror}",
                next_step="check that the warehouse folder can be written and has room",
            ) from refused


def _root(place: str) -> str:
    """A root as an absolute plain path."""
    scheme = _SCHEME.match(place)
    if scheme and scheme[1].lower() != "file":
        raise CatalogError(
            "MP-3055",
            f"tables cannot lie in {place}: this version keeps them on a local disk",
            next_step="name folders in storage.root and storage.layers of millpond.yaml",
        )
    return os.path.normpath(Path(_plain(place) or place).absolute())


def _plain(location: str) -> str | None:
    """A location as an absolute path; None when it is anything else."""
    if location.startswith("/"):
        return location if not location.startswith("//") else None
    scheme = _SCHEME.match(location)
    # One client writes `local:` where it means a path of this machine, and reads and writes `file:` everywhere else.
    if scheme is None or scheme[1].lower() not in ("file", "local"):
        return None
    parts = urllib.parse.urlsplit(location)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or "%" in parts.path:
        return None
    return parts.path if parts.path.startswith("/") and not parts.path.startswith("//") else None


def _folder(name: str) -> str:
    """A name as a folder's: what no file system or engine takes amiss."""
    return _UNSAFE.sub("_", name)[:100] or "_"


def _refused(location: str, reason: str) -> CatalogError:
    return CatalogError(
        "MP-3016",
        f"the location {location!r} is refused: {reason}",
        next_step="leave the location out, and the catalog chooses one under the warehouse",
    )
