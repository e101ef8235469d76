"""A commit as a value: everything that one atomic change carries besides the table pointers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from millpond.core.names import TableName
from millpond.core.records import frozen

TABLE = "table"
VIEW = "view"
"""What a pointer may be of."""

EXTERNAL = "external"
"""The kind of a commit that an outside client made."""


@frozen
class Cursor:
    """How far a consumer has read an input table: every change up to commit `number` is in."""

    consumer: TableName
    input: TableName
    number: int


@frozen
class SeenFile:
    """A file that a source has dealt with.

    `content` is the SHA-256 of its bytes (hex), `parser` the hash of the settings it was read with; `outcome` is
    loaded, duplicate (its content was loaded before), rejected (quarantined as a file) or replaced.
    """

    source: str
    path: str
    size: int
    modified_ns: int
    content: str
    parser: str
    outcome: str
    records: int
    quarantined: int = 0


@frozen
class Ledger:
    """Where every row of a step went. `read` and `filtered` are None when the query is not row-preserving.

    staged = inserted + updated + unchanged + stale + deleted + deduplicated + quarantined, read = staged + filtered.
    """

    staged: int
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    deleted: int = 0
    deduplicated: int = 0
    quarantined: int = 0
    read: int | None = None
    filtered: int | None = None

    @property
    def adds_up(self) -> bool:
        """Whether no row is missing and none is counted twice."""
        accounted = (
            self.inserted
            + self.updated
            + self.unchanged
            + self.stale
            + self.deleted
            + self.deduplicated
            + self.quarantined
        )
        if self.staged != accounted:
            return False
        return self.read is None or self.read == self.staged + (self.filtered or 0)


@frozen
class Verdict:
    """What came of one check in one step: pass, warn, quarantine or stop; how many rows failed of how many.

    A check on the table that measures something fails once or not at all (of 1); `told` is what was measured.
    """

    table: TableName
    rule: str
    outcome: str
    failed: int
    judged: int
    measured: float | None = None
    told: str = ""


@frozen
class Edge:
    """Lineage: an output column was made from an input column (`*` stands for whole rows)."""

    output: TableName
    output_column: str
    input: TableName
    input_column: str


@frozen
class ModelState:
    """What a table was built by: the fingerprint of the model at its last build.

    `definition` is canonical JSON of kind, key, partition, checks and SQL, so that a change can be explained.
    """

    table: TableName
    fingerprint: str
    definition: str


@frozen
class Restored:
    """A table (None: every table of the environment) that is again what it was at commit `number`.

    Its records between the two commits count no more: cursors, known files, model states and lineage are those of
    then, without being written again.
    """

    table: TableName | None
    number: int


@frozen
class Forked:
    """A table that began with another's files. Both by uuid."""

    uuid: str
    origin: str


LifeStatus = Literal["open", "fixed", "replayed", "discarded", "healed"]
"""open: to be reviewed. fixed: mended, and not landed yet. replayed: what was mended is landed. discarded: given up by
a person. healed: its table took the record in, or no longer meets it, without anyone's mending."""


@frozen
class LifeEvent:
    """Something that became of a quarantined record.

    `last` is the number of the newest event that was known of the record, 0 for none: where another came meanwhile,
    the commit is a conflict. `table` is the one with which the event stands or falls when a table is restored; `opened`
    the commit that put the record into quarantine.
    """

    record: str
    status: LifeStatus
    last: int
    table: TableName
    opened: int
    revision: int | None = None
    reason: str | None = None


@frozen
class Circuit:
    """The state of a model's circuit: closed, or open so that it takes no new input.

    `judged` and `failed` count rows since the count began anew; `since` is when it opened or closed.
    """

    table: TableName
    state: Literal["closed", "open"]
    judged: int
    failed: int
    since: datetime
    reason: str | None = None


@frozen
class Commit:
    """One step's commit, as it is handed to the pointer store.

    `step_key` is unique over the whole catalog: a second publication of the same key is recognised, not repeated.
    `blind` says that the commit only adds rows without having looked at the table, so that it may be rebased.
    With `makes_namespaces` those of new names are made where they are not there.
    """

    step_key: str
    kind: str
    principal: str
    run: str | None = None
    table: TableName | None = None
    cursors: tuple[Cursor, ...] = ()
    files: tuple[SeenFile, ...] = ()
    ledger: Ledger | None = None
    verdicts: tuple[Verdict, ...] = ()
    lineage: tuple[Edge, ...] = ()
    models: tuple[ModelState, ...] = ()
    blind: bool = False
    restores: tuple[Restored, ...] = ()
    forks: tuple[Forked, ...] = ()
    lives: tuple[LifeEvent, ...] = ()
    circuits: tuple[Circuit, ...] = ()
    makes_namespaces: bool = True


@frozen
class Published:
    """The answer to a publication: the commit's number, and whether it had been published before."""

    number: int
    repeated: bool = False


@frozen
class CommitRecord:
    """A commit as history shows it. `tables` are those whose pointers moved.

    `table` is the one that the step was for; `restored` the number that a restore went back to.
    """

    number: int
    at: datetime
    kind: str
    principal: str
    client: str
    step_key: str | None
    run: str | None
    tables: tuple[TableName, ...]
    ledger: Ledger | None
    table: TableName | None = None
    restored: int | None = None


@frozen
class TableEntry:
    """A pointer: the metadata file of a table, or of a view, as of some commit.

    `commit` is the number of the commit that set it, `created` the one that made the table.
    """

    name: TableName
    uuid: str
    location: str
    metadata_location: str
    commit: int
    created: int
