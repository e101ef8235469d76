"""The tables of the pointer store, as the newest migration leaves them.

History is rows: nothing that a commit wrote is changed by a later one, except `pointers`, which is the newest row of
`commit_tables` for each name and only there so that a commit can compare and swap it. Tables that are changed (tags,
tokens, namespaces) have an index over whole rows besides: SQLite's integrity check compares the two. What an
index is on Postgres only (a hash, a part) is said in its migration: said here, every command would load all that
SQLAlchemy knows of Postgres.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    or_,
)

SCHEMA = MetaData()

_NUMBER = BigInteger().with_variant(Integer, "sqlite")


def _commit() -> Column[int]:
    return Column("commit", _NUMBER, ForeignKey("commits.number"), nullable=False)


def _kind() -> Column[str]:
    """Tables and views share one space of names; both are pointers at a metadata file."""
    return Column("kind", String, nullable=False, server_default="table", comment="table or view")


commits = Table(
    "commits",
    SCHEMA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("environment", String, nullable=False),
    Column("at", BigInteger, nullable=False, comment="microseconds since 1970 in UTC, never falling"),
    Column("kind", String, nullable=False),
    Column("principal", String, nullable=False),
    Column("client", String, nullable=False),
    Column("step_key", String),
    Column("run", String),
    Column("table_layer", String),
    Column("table_name", String),
    Column("blind", Boolean(create_constraint=False), nullable=False),
    Column("ledger", Text, comment="JSON"),
    UniqueConstraint("step_key", name="commits_step_key"),
    Index("commits_at", "at"),
    sqlite_autoincrement=True,
)

pointers = Table(
    "pointers",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("layer", String, nullable=False),
    Column("name", String, nullable=False),
    Column("uuid", String, nullable=False),
    Column("location", String, nullable=False),
    Column("metadata_location", String, nullable=False),
    _commit(),
    Column("created", _NUMBER, nullable=False, comment="commit that made the table"),
    _kind(),
    PrimaryKeyConstraint("environment", "layer", "name", name="pointers_key"),
)

commit_tables = Table(
    "commit_tables",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("layer", String, nullable=False),
    Column("name", String, nullable=False),
    _commit(),
    Column("uuid", String, nullable=False),
    Column("location", String, nullable=False),
    Column("metadata_location", String, nullable=False),
    Column("previous", String, comment="metadata location before this commit"),
    Column("created", _NUMBER, nullable=False),
    Column("dropped", Boolean(create_constraint=False), nullable=False),
    _kind(),
    PrimaryKeyConstraint("environment", "layer", "name", "commit", name="commit_tables_key"),
    Index("commit_tables_commit", "commit"),
    Index("commit_tables_uuid", "uuid"),
)


def ends(rows: FromClause) -> ColumnElement[bool]:
    """Whether a row of `commit_tables` says that its name meant the table before no longer: dropped, or made anew."""
    return or_(rows.c.dropped, and_(rows.c.created == rows.c.commit, rows.c.previous.is_not(None)))


commit_tables_ends = Index(
    "commit_tables_ends",
    *(commit_tables.c[column] for column in ("environment", "layer", "name", "commit")),
    sqlite_where=ends(commit_tables),
)

namespaces = Table(
    "namespaces",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("properties", Text, nullable=False, comment="JSON"),
    PrimaryKeyConstraint("environment", "name", name="namespaces_key"),
    Index("namespaces_properties", "properties"),
)

cursors = Table(
    "cursors",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("consumer_layer", String, nullable=False),
    Column("consumer_name", String, nullable=False),
    Column("input_layer", String, nullable=False),
    Column("input_name", String, nullable=False),
    _commit(),
    Column("number", _NUMBER, nullable=False, comment="every change up to this commit is in"),
    PrimaryKeyConstraint(
        "environment",
        "consumer_layer",
        "consumer_name",
        "input_layer",
        "input_name",
        "commit",
        name="cursors_key",
    ),
    Index("cursors_input", "environment", "input_layer", "input_name", "consumer_layer", "consumer_name"),
)

source_files = Table(
    "source_files",
    SCHEMA,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("environment", String, nullable=False),
    _commit(),
    Column("source", String, nullable=False),
    Column("path", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("content", String, nullable=False, comment="SHA-256 of the bytes, hex"),
    Column("parser", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Index("source_files_path", "environment", "source", "path", "id"),
    Index("source_files_content", "environment", "source", "content", "id"),
    sqlite_autoincrement=True,
)

verdicts = Table(
    "verdicts",
    SCHEMA,
    _commit(),
    Column("ordinal", Integer, nullable=False),
    Column("layer", String, nullable=False),
    Column("name", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("judged", BigInteger, nullable=False),
    PrimaryKeyConstraint("commit", "ordinal", name="verdicts_key"),
    Index("verdicts_table", "layer", "name", "commit"),
)

lineage = Table(
    "lineage",
    SCHEMA,
    _commit(),
    Column("ordinal", Integer, nullable=False),
    Column("environment", String, nullable=False),
    Column("output_layer", String, nullable=False),
    Column("output_name", String, nullable=False),
    Column("output_column", String, nullable=False),
    Column("input_layer", String, nullable=False),
    Column("input_name", String, nullable=False),
    Column("input_column", String, nullable=False),
    PrimaryKeyConstraint("commit", "ordinal", name="lineage_key"),
    Index("lineage_output", "environment", "output_layer", "output_name", "commit"),
)

model_states = Table(
    "model_states",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("layer", String, nullable=False),
    Column("name", String, nullable=False),
    _commit(),
    Column("fingerprint", String, nullable=False),
    Column("definition", Text, nullable=False),
    PrimaryKeyConstraint("environment", "layer", "name", "commit", name="model_states_key"),
)

client_tokens = Table(
    "client_tokens",
    SCHEMA,
    Column("id", String, primary_key=True, comment="the public part of the token"),
    Column("name", String, nullable=False, comment="the principal of its commits"),
    Column("environment", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("digest", String, nullable=False, comment="SHA-256 of the token, hex"),
    Column("made_by", String, nullable=False),
    Column("made", BigInteger, nullable=False, comment="microseconds since 1970 in UTC"),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    Index("client_tokens_name", "name"),
    Index(
        "client_tokens_whole",
        *("id", "name", "environment", "scope", "digest", "made_by", "made", "expires", "revoked"),
    ),
)

access_tokens = Table(
    "access_tokens",
    SCHEMA,
    Column("id", String, primary_key=True, comment="the public part of the token"),
    Column("client_token", String, ForeignKey("client_tokens.id"), nullable=False),
    Column("scope", String, nullable=False),
    Column("digest", String, nullable=False, comment="SHA-256 of the token, hex"),
    Column("expires", BigInteger, nullable=False),
    Index("access_tokens_expires", "expires"),
)

answers = Table(
    "answers",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("key", String, nullable=False, comment="the key by which a client repeats a request"),
    Column("asked", String, nullable=False, comment="SHA-256 of method, path and body, hex"),
    Column("status", Integer, nullable=False),
    Column("body", Text, comment="JSON; absent where the answer is a table or view as of the request's commit"),
    Column("at", BigInteger, nullable=False, comment="microseconds since 1970 in UTC"),
    PrimaryKeyConstraint("environment", "key", name="answers_key"),
    Index("answers_at", "at"),
)

reports = Table(
    "reports",
    SCHEMA,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("environment", String, nullable=False),
    Column("layer", String, nullable=False),
    Column("name", String, nullable=False),
    Column("at", BigInteger, nullable=False, comment="microseconds since 1970 in UTC"),
    Column("client", String, nullable=False),
    Column("kind", String, nullable=False, comment="scan-report or commit-report"),
    Column("snapshot", BigInteger),
    Column("content", Text, nullable=False, comment="JSON as it was sent"),
    Index("reports_table", "environment", "layer", "name", "id"),
    sqlite_autoincrement=True,
)

tags = Table(
    "tags",
    SCHEMA,
    Column("name", String, primary_key=True),
    Column("number", _NUMBER, ForeignKey("commits.number"), nullable=False, comment="the commit that it names"),
    Column("at", BigInteger, nullable=False, comment="microseconds since 1970 in UTC"),
    Column("principal", String, nullable=False),
    Index("tags_whole", "name", "number", "at", "principal"),
)

forks = Table(
    "forks",
    SCHEMA,
    Column("uuid", String, primary_key=True, comment="of the fork"),
    Column("origin", String, nullable=False, comment="uuid of the table whose files it began with"),
    _commit(),
    Index("forks_origin", "origin"),
)

restores = Table(
    "restores",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("layer", String, nullable=False, comment="empty: every table"),
    Column("name", String, nullable=False, comment="empty: every table"),
    _commit(),
    Column("number", _NUMBER, nullable=False, comment="the commit whose state came back"),
    PrimaryKeyConstraint("environment", "layer", "name", "commit", name="restores_key"),
)

checksums = Table(
    "checksums",
    SCHEMA,
    Column("path", String, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes"),
    Column("digest", String, nullable=False, comment="BLAKE2b of 128 bits, hex"),
    _commit(),
    PrimaryKeyConstraint("path", "size", "digest", name="checksums_key"),
)

reserved = Table(
    "reserved",
    SCHEMA,
    Column("location", String, nullable=False),
    PrimaryKeyConstraint("location", name="reserved_key"),
)

commit_digests = Table(
    "commit_digests",
    SCHEMA,
    Column("commit", _NUMBER, ForeignKey("commits.number"), nullable=False, autoincrement=False),
    Column("digest", String, nullable=False, comment="BLAKE2b of 128 bits over the commit's rows, hex"),
    PrimaryKeyConstraint("commit", "digest", name="commit_digests_key"),
)

quarantine_openings = Table(
    "quarantine_openings",
    SCHEMA,
    Column("environment", String, nullable=False),
    _commit(),
    Column("layer", String, nullable=False),
    Column("name", String, nullable=False, comment="the table that the records were meant for"),
    Column("records", BigInteger, nullable=False, comment="how many the commit put into quarantine"),
    PrimaryKeyConstraint("environment", "commit", name="quarantine_openings_key"),
    Index("quarantine_openings_table", "environment", "layer", "name"),
)

quarantine_events = Table(
    "quarantine_events",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("record", String, nullable=False, comment="id in quarantine.records"),
    Column("number", Integer, nullable=False, comment="the how manieth event of the record, from 1"),
    _commit(),
    Column("status", String, nullable=False, comment="open, fixed, replayed, discarded or healed"),
    Column("layer", String, nullable=False),
    Column("name", String, nullable=False, comment="the table with which the event stands or falls in a restore"),
    Column("opened", _NUMBER, nullable=False, comment="the commit that put the record into quarantine"),
    Column("revision", Integer, comment="the mended record's revision"),
    Column("reason", Text),
    PrimaryKeyConstraint("environment", "record", "number", name="quarantine_events_key"),
    Index("quarantine_events_opened", "environment", "opened"),
    Index("quarantine_events_commit", "commit"),
)

circuits = Table(
    "circuits",
    SCHEMA,
    Column("environment", String, nullable=False),
    Column("layer", String, nullable=False),
    Column("name", String, nullable=False),
    _commit(),
    Column("state", String, nullable=False, comment="closed or open"),
    Column("judged", BigInteger, nullable=False, comment="rows judged since it was last told anew"),
    Column("failed", BigInteger, nullable=False, comment="rows of them that were rejected"),
    Column("since", BigInteger, nullable=False, comment="microseconds since 1970 in UTC"),
    Column("reason", Text),
    PrimaryKeyConstraint("environment", "layer", "name", "commit", name="circuits_key"),
)
