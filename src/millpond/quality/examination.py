"""A table looked at: its profile and the checks that the profile suggests, as one principal sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.governance.moments import check_kept
from millpond.quality.newest import Newest, newest
from millpond.quality.profile import Profile, compute, distinct
from millpond.quality.profiles import Place, Profiles
from millpond.quality.suggestions import Suggestion, suggest, unique_candidates
from millpond.tables.statistics import count_rows

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.commits import TableEntry
    from millpond.core.schema import Schema
    from millpond.governance.gate import Gate
    from millpond.project.model import Project

PARTITIONS = 10
"""How many partitions are told of, those with the newest times."""


@frozen
class Examination:
    """Looks at tables through the gate, for one principal; what was computed is kept."""

    project: Project
    catalog: Catalog
    gate: Gate
    principal: str
    profiles: Profiles

    def profile(self, table: TableName, at: int) -> tuple[Profile, tuple[Profile, ...]]:
        """The profile of a table as of a commit, computed only once, and those that were kept of earlier commits.

        The gate decides about the table each time, also where the profile is kept. Raises CatalogError MP-3001 and
        MP-3076, QualityError MP-6401, and as `Gate.query` does.
        """
        entry, schema = self._version(table, at)
        place = Place(self.catalog.environment, table, entry.uuid, entry.commit, self.principal)
        with self.gate.query(f"FROM {table.quoted} LIMIT 0", self.principal, at=at, door="quality") as answer:
            answer.reader.read_all()
        found = self.profiles.find(place)
        if found is None:
            rows = count_rows(self.catalog.metadata(entry)) or 0
            model = self.project.model(table)
            found = compute(self.gate, self.principal, table, model, schema, entry.commit, rows)
            self.profiles.keep(place, found, self.catalog.clock.now())
        return found, self.profiles.earlier(place)

    def suggest(self, table: TableName, at: int) -> tuple[Profile, tuple[Suggestion, ...]]:
        """The checks that every row passes as of a commit. Raises as `profile` does."""
        found, _ = self.profile(table, at)
        _, schema = self._version(table, at)
        names = unique_candidates(found)
        counted = distinct(self.gate, self.principal, table, schema, names, found.commit)
        return found, suggest(found, self.project.model(table), counted)

    def newest(self, table: TableName, at: int) -> tuple[Newest, ...]:
        """The newest times of a table, by partition where it has any that speak of rows."""
        _, schema = self._version(table, at)
        return newest(self.gate, self.principal, table, self.project.model(table), schema, at, PARTITIONS)

    def _version(self, table: TableName, at: int) -> tuple[TableEntry, Schema]:
        check_kept(self.catalog, (table,), at)
        entry = self.catalog.table(table, at)
        return entry, self.catalog.metadata(entry).schema()
