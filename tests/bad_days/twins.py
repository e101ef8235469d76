"""A table of the lake, changed through the gateway by stock DuckDB, and its twin in plain DuckDB: always the same rows.

What is done is drawn from a seed, as statements that hold everything they need: a difference can be had again by its
seed, and made small by leaving statements out. In a statement, `{t}` stands for the table.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from pyiceberg.catalog import load_catalog

from millpond.catalog.gateway.server import Gateway
from millpond.catalog.metadata import TableMetadata
from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.project.findings import Findings
from millpond.project.model import Partition
from millpond.project.partitions import partition
from millpond.testing import TemporaryLake
from tests.catalog.clients import attach, step

NAME = TableName("silver", "t")

TYPES: dict[str, tuple[str, ...]] = {
    "BOOLEAN": ("true", "false"),
    "INTEGER": ("-2147483648", "-1", "0", "7", "2147483647"),
    "BIGINT": ("-9223372036854775808", "0", "5000000000", "9223372036854775807"),
    "FLOAT": ("'NaN'", "'inf'", "'-inf'", "'-0.0'", "0.0", "1.5", "1e-45", "3.4028234e38"),
    "DOUBLE": ("'NaN'", "'inf'", "'-inf'", "'-0.0'", "0.0", "0.1", "5e-324", "1.7976931348623157e308"),
    "DECIMAL(9,2)": ("-9999999.99", "0", "0.01", "9999999.99"),
    "DECIMAL(18,6)": ("-999999999999.999999", "0.000001"),
    "DECIMAL(38,10)": ("-9999999999999999999999999999.9999999999", "0.0000000001", "42"),
    "VARCHAR": (
        "''",
        "' '",
        "'NULL'",
        "'a'",
        "'ß日本\U0001f9ca'",
        "'e\u0301'",
        "'it''s \"q\" %/\\'",
        "repeat('x', 300)",
    ),
    "BLOB": ("''::BLOB", "'\\x00\\xFF\\x00'::BLOB", "'abc'::BLOB"),
    "DATE": ("'0044-03-15 (BC)'", "'1969-12-31'", "'1970-01-01'", "'9999-12-31'", "'20000-01-01'"),
    "TIMESTAMP": ("'0001-01-01'", "'1969-12-31 23:59:59.999999'", "'2026-02-28 12:00:00.000001'", "'20000-01-01'"),
    "TIMESTAMPTZ": ("'1969-12-31 23:59:59.999999+00'", "'2026-03-29 01:30:00+00'", "'9999-12-31 00:00:00+00'"),
    "UUID": ("'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-4fff-bfff-ffffffffffff'"),
    "STRUCT(a BIGINT, b VARCHAR)": ("{'a': 1, 'b': ''}", "{'a': NULL, 'b': 'x'}", "{'a': NULL, 'b': NULL}"),
    "VARCHAR[]": ("[]", "['']", "['a', NULL, 'b']", "[NULL]"),
    "STRUCT(x INTEGER, y DOUBLE[])[]": ("[]", "[{'x': 1, 'y': [0.5, NULL]}]", "[NULL, {'x': NULL, 'y': []}]"),
    "MAP(VARCHAR, BIGINT)": ("MAP {}", "MAP {'a': 1, '': NULL}"),
    "MAP(INTEGER, STRUCT(s VARCHAR, l DATE[]))": ("MAP {}", "MAP {1: {'s': 'x', 'l': ['2026-01-01'::DATE]}, 2: NULL}"),
}
"""Every type that a table may have, and values at its edges. NULL is always one more."""

PLAIN = tuple(kind for kind in TYPES if "(" not in kind or kind.startswith("DECIMAL"))[:14]
WIDER = {"INTEGER": "BIGINT", "FLOAT": "DOUBLE", "DECIMAL(9,2)": "DECIMAL(18,2)"}
PARTITIONS = ("part", "day(ts)", "bucket(3, id)", "truncate(1, part)", "month(ts), part", "year(day)", "flag", "")
FIXED = {"id": "BIGINT", "part": "VARCHAR", "ts": "TIMESTAMP", "day": "DATE", "flag": "BOOLEAN"}
"""Columns that partitions are made of: they are in every table and stay."""


@dataclass
class Columns:
    """What a table's columns are called now, and their types."""

    types: dict[str, str]
    made: int = 0

    def fresh(self) -> str:
        """A name that no column has had."""
        self.made += 1
        return f"c{self.made}"


class Author:
    """Writes random statements for a table, and knows what they do to its columns."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.columns = Columns(dict(FIXED))
        self.next_id = 0

    def table(self) -> str:
        """CREATE TABLE, with some types and one partitioning."""
        for kind in self.random.sample(list(TYPES), 5):
            self.columns.types[self.columns.fresh()] = kind
        listed = ", ".join(f"{name} {kind}" for name, kind in self.columns.types.items())
        return f"CREATE TABLE {{t}} ({listed})"

    def partitioning(self) -> str:
        """The words of a partitioning; empty for none."""
        return self.random.choice(PARTITIONS)

    def change(self) -> str:
        """One INSERT, UPDATE, DELETE or MERGE."""
        kinds: Sequence[tuple[Callable[[], str], int]] = (
            (self._few, 4), (self._many, 2), (self._update, 4), (self._delete, 3), (self._merge, 3),
        )  # fmt: skip
        write = self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        return write()

    def alter(self) -> str:
        """One ALTER TABLE that DuckDB can make of a lake's table."""
        free = [name for name in self.columns.types if name not in FIXED]
        wide = [name for name in free if self.columns.types[name] in WIDER]
        ways = ["add"] + (["rename", "drop"] if len(free) > 2 else []) + (["widen"] * 2 if wide else [])
        way = self.random.choice(ways)
        if way == "add":
            name, kind = self.columns.fresh(), self.random.choice(PLAIN)
            self.columns.types[name] = kind
            return f"ALTER TABLE {{t}} ADD COLUMN {name} {kind}"
        if way == "widen":
            name = self.random.choice(wide)
            self.columns.types[name] = WIDER[self.columns.types[name]]
            return f"ALTER TABLE {{t}} ALTER COLUMN {name} TYPE {self.columns.types[name]}"
        name = self.random.choice(free)
        kind = self.columns.types[name]
        if way == "drop":
            del self.columns.types[name]
            return f"ALTER TABLE {{t}} DROP COLUMN {name}"
        to = self.columns.fresh()
        self.columns.types = {(to if old == name else old): kind for old, kind in self.columns.types.items()}
        return f"ALTER TABLE {{t}} RENAME COLUMN {name} TO {to}"

    def value(self, name: str, kind: str) -> str:
        """A value for a column, as SQL."""
        if name == "part":
            return self.random.choice(("NULL", "'p'", "'q'", "''", "'pé/=%'"))
        if name in ("ts", "day"):
            day = f"2026-0{self.random.randint(1, 3)}-{self.random.randint(1, 28):02}"
            early = "1969-12-31" + (" 23:59:59.999999" if name == "ts" else "")
            return (
                f"'{day if self.random.random() < 0.9 else early}'::{kind}" if self.random.random() < 0.95 else "NULL"
            )
        shown = self.random.choice(("NULL", *(TYPES.get(kind) or TYPES["DECIMAL(9,2)"])))
        return shown if shown == "NULL" else f"({shown})::{kind}"

    def _row(self) -> str:
        self.next_id += 1
        words = [str(self.next_id)] + [self.value(name, kind) for name, kind in list(self.columns.types.items())[1:]]
        return f"({', '.join(words)})"

    def _few(self) -> str:
        rows = ", ".join(self._row() for _ in range(self.random.randint(1, 6)))
        return f"INSERT INTO {{t}} ({', '.join(self.columns.types)}) VALUES {rows}"

    def _many(self) -> str:
        """Rows whose values are taken in turns from short lists."""
        count, first = self.random.choice((20, 60)), self.next_id + 1
        self.next_id += count
        words = [f"{first} + range"]
        for name, kind in list(self.columns.types.items())[1:]:
            taken = ", ".join(self.value(name, kind) for _ in range(3))
            words.append(f"(([{taken}])::{kind}[])[1 + (range * {self.random.choice((1, 3, 7))} % 5)]")
        return f"INSERT INTO {{t}} ({', '.join(self.columns.types)}) SELECT {', '.join(words)} FROM range({count})"

    def _update(self) -> str:
        names = self.random.sample(list(self.columns.types)[1:], self.random.choice((1, 1, 2)))
        sets = ", ".join(f"{name} = {self.value(name, self.columns.types[name])}" for name in names)
        return f"UPDATE {{t}} SET {sets} WHERE {self._some()}"

    def _delete(self) -> str:
        return f"DELETE FROM {{t}} WHERE {self._some()}"

    def _merge(self) -> str:
        """From a list of ids, of which some are in the table."""
        first = self.random.randint(max(0, self.next_id - 20), self.next_id)
        self.next_id += 10
        names = list(self.columns.types)
        source = f"SELECT range AS id FROM range({first}, {self.next_id})"
        name = self.random.choice(names[1:])
        sets = f"UPDATE SET {name} = {self.value(name, self.columns.types[name])}"
        row = ", ".join(["s.id", *(self.value(one, self.columns.types[one]) for one in names[1:])])
        matched = self.random.choice((f"WHEN MATCHED THEN {sets}", "WHEN MATCHED THEN DELETE", ""))
        fresh = f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({row})"
        missing = self.random.choice((fresh, "")) if matched else fresh
        return f"MERGE INTO {{t}} AS t USING ({source}) AS s ON t.id = s.id {matched} {missing}".rstrip()

    def _some(self) -> str:
        """A condition that holds for some rows."""
        name = self.random.choice(list(self.columns.types))
        kind = self.columns.types[name]
        number = self.random.randint(2, 7)
        ways = [f"id % {number} = {self.random.randrange(number)}", f"id > {self.next_id - self.random.randint(0, 30)}"]
        ways += [f"{name} IS NULL", f"{name} IS NOT DISTINCT FROM {self.value(name, kind) if name != 'id' else '3'}"]
        return self.random.choice(ways) if self.random.random() < 0.97 else "true"


REFUSED = {
    "Manifest file contains entries without partition info": (
        "DuckDB cannot delete where all files are of the unpartitioned spec and the table is partitioned now; where "
        "Millpond changes the partitioning it can"
    ),
    "STRUCT to STRUCT cast must have at least one matching member": (
        "DuckDB cannot commit INSERT and then DELETE in one transaction after the partitioning changed"
    ),
    'duplicate name "': "DuckDB cannot delete where two specs of a table have a field of one name",
}
"""What DuckDB refuses, loudly and with nothing changed, and why. Each is no difference; everything else is one."""


MISREAD = re.compile(r"\)\[\]|MAP\(\w+, STRUCT")
"""Types that PyIceberg misreads: NULL as an empty list, where a list or map holds structs."""


UNSIGNED = re.compile(r"-0\.0(?![0-9])")
"""A negative zero: DuckDB's Parquet writer takes it for the other one, where a dictionary holds both."""


class DifferenceError(AssertionError):
    """The lake and the twin differ."""


@dataclass(frozen=True)
class State:
    """What a table was at a commit: the twin's copy of it, the commit, the snapshot where it shows all, the columns."""

    name: str
    number: int
    snapshot: int | None
    columns: Mapping[str, str]


@dataclass
class Twins:
    """The lake's table behind a gateway, and the twin. Statements run on both; what the lake refuses is not done."""

    lake: TemporaryLake
    endpoint: str
    client: duckdb.DuckDBPyConnection
    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plain = duckdb.connect(config={"threads": 1})
        for one in (self.plain, self.client):
            one.execute("SET TimeZone = 'UTC'")

    def make(self, statement: str, partitioning: str) -> None:
        """Create the table."""
        words = f" PARTITIONED BY ({partitioning})" if partitioning else ""
        self._run(self.client, statement + words)
        self.plain.execute(statement.replace("{t}", "t"))

    def both(self, *statements: str, keep: bool = True) -> bool:
        """Do statements together, in a transaction when there are several or when they are not to be kept."""
        alone = len(statements) == 1 and keep
        try:
            for statement in statements if alone else ("BEGIN", *statements, "COMMIT" if keep else "ROLLBACK"):
                self._run(self.client, statement)
        except duckdb.Error as refused:
            with suppress(duckdb.Error):
                self.client.execute("ROLLBACK")
            if not any(sign in str(refused) for sign in REFUSED):
                raise self.difference(f"the lake refused: {refused}") from refused
            self.refused.append(str(refused))
            return False
        if keep:
            for statement in statements:
                self.plain.execute(statement.replace("{t}", "t"))
        return True

    def partition(self, words: str) -> None:
        """Have the client change the lake's partitioning; the twin has none."""
        change = f"SET PARTITIONED BY ({words})" if words else "RESET PARTITIONED BY"
        self._run(self.client, f"ALTER TABLE {{t}} {change}")

    def repartition(self, words: str) -> None:
        """Change it as a run does when a model says so."""
        self.done.append(f"-- partition: [{words}]")
        catalog = self.lake.lakehouse.catalog
        stage = catalog.begin(f"partition {len(self.done)}")
        stage.repartition(NAME, declared(words))
        stage.publish(step(f"partition {len(self.done)}"))

    def restore(self, number: int, name: str) -> None:
        """Go back to an earlier state."""
        self.done.append(f"-- millpond restore {NAME} --to {number}")
        self.lake.lakehouse.restore(number, NAME)
        self.plain.execute(f"CREATE OR REPLACE TABLE t AS SELECT * FROM {name}")

    def compare(self) -> None:
        """Check that both hold the same rows, to the last digit that DuckDB shows, but for the sign of zero."""
        self.same(self._rows(self.client, "lake.silver.t"), self.expected(), "DuckDB")

    def expected(self, table: str = "t") -> list[Any]:
        """The twin's rows."""
        return self._rows(self.plain, table)

    def keep(self, name: str) -> None:
        """Remember the twin's present rows."""
        self.plain.execute(f"CREATE TABLE {name} AS SELECT * FROM t")

    def past(self, state: State) -> None:
        """Check an earlier state: by the commit's number through the gate, by the snapshot through the client."""
        name, number, snapshot = state.name, state.number, state.snapshot
        expected = self.expected(name)
        found = self.lake.lakehouse.tables.query("SELECT * FROM silver.t", at=number).arrow()
        self._read_elsewhere(f"the gate at {number}", found, name)
        if snapshot is not None and self._metadata().snapshot(snapshot) is not None:
            names = ", ".join(column[0] for column in self.plain.execute(f"DESCRIBE {name}").fetchall())
            then = f"(SELECT {names} FROM lake.silver.t AT (VERSION => {snapshot}))"
            self.same(self._rows(self.client, then, like=name), expected, f"DuckDB at {snapshot}")

    def others(self) -> None:
        """Check what the gate reads, and what stock PyIceberg does of the columns that it can read."""
        self._read_elsewhere("the gate", self.lake.lakehouse.tables.query("SELECT * FROM silver.t").arrow(), "t")
        remote = load_catalog("lake", type="rest", uri=self.endpoint, warehouse="prod").load_table(("silver", "t"))
        described = self.plain.execute("DESCRIBE t").fetchall()
        names = [name for name, kind, *_ in described if not MISREAD.search(kind)]
        self.plain.execute(f"CREATE OR REPLACE TEMP VIEW plain_columns AS SELECT {', '.join(names)} FROM t")
        found = remote.scan(selected_fields=tuple(names)).to_arrow()
        self._read_elsewhere("PyIceberg", found, "plain_columns")

    def _read_elsewhere(self, who: str, found: Any, like: str) -> None:
        self.plain.register("shown", found)
        self.same(self._rows(self.plain, "shown", like=like), self.expected(like), who)
        self.plain.unregister("shown")

    def same(self, found: list[Any], expected: list[Any], who: str) -> None:
        """Check rows."""
        if found != expected:
            here = [row for row in found if row not in expected][:3]
            there = [row for row in expected if row not in found][:3]
            raise self.difference(f"{who} has {len(found)} rows instead of {len(expected)}; {here} instead of {there}")

    def difference(self, told: str) -> DifferenceError:
        """The error, with everything that was done."""
        return DifferenceError(told + "\n" + "\n".join(f"{statement};" for statement in self.done))

    def snapshot(self) -> int | None:
        """The id of the present snapshot; None where the columns were altered since, which it does not show."""
        metadata = self._metadata()
        row = metadata.current_snapshot
        same = row is not None and row.get("schema-id") == metadata.document["current-schema-id"]
        return int(row["snapshot-id"]) if row is not None and same else None

    def _metadata(self) -> TableMetadata:
        catalog = self.lake.lakehouse.catalog
        return catalog.metadata(catalog.table(NAME))

    def _run(self, connection: duckdb.DuckDBPyConnection, statement: str) -> None:
        self.done.append(statement)
        connection.execute(statement.replace("{t}", "lake.silver.t"))

    def _rows(self, connection: duckdb.DuckDBPyConnection, table: str, like: str | None = None) -> list[Any]:
        described = self.plain if like else connection
        columns = described.execute(f"DESCRIBE {like or table}").fetchall()
        shown = ", ".join(f"CAST(CAST({name} AS {kind}) AS VARCHAR)" for name, kind, *_ in columns)
        found = connection.execute(f"SELECT {shown} FROM {table}").fetchall()
        return sorted((tuple(value and UNSIGNED.sub("0.0", value) for value in row) for row in found), key=repr)


@contextmanager
def twins(lake: TemporaryLake, client: duckdb.DuckDBPyConnection) -> Iterator[Twins]:
    """A lake with its gateway, seen by a client, and an empty twin."""
    gateway = Gateway(lake.lakehouse.catalog, open_access=True)
    endpoint = gateway.start()
    attach(client, endpoint, None)
    client.execute("CREATE SCHEMA IF NOT EXISTS lake.silver")
    made = Twins(lake, endpoint, client)
    try:
        yield made
    finally:
        made.plain.close()
        with suppress(duckdb.Error):
            client.execute("ROLLBACK")
        client.execute("DETACH lake")
        gateway.stop()


def declared(words: str) -> tuple[Partition, ...]:
    """A partitioning as a model declares it."""
    given = [word.strip() for word in re.findall(r"\w+\([^)]*\)|\w+", words)]
    fields = (partition(word, Location(Path("t.sql")), Findings()) for word in given)
    return tuple(field for field in fields if field is not None)


def play(twin: Twins, seed: int, rounds: int) -> None:
    """Some rounds of one seed on a new table; each is a statement or a transaction, and a comparison.

    Raises DifferenceError, with the seed and all that was done.
    """
    twin.done.append(f"-- seed {seed}, {rounds} rounds")
    author = Author(seed)
    draw = author.random
    twin.make(author.table(), author.partitioning())
    states: list[State] = []
    for number in range(rounds):
        _round(twin, author, states)
        twin.compare()
        if draw.random() < 0.15:
            state = State(
                f"then_{number}", twin.lake.lakehouse.catalog.head(), twin.snapshot(), dict(author.columns.types)
            )
            twin.keep(state.name)
            states.append(state)
        if states and draw.random() < 0.15:
            twin.past(draw.choice(states))
    twin.others()


def _round(twin: Twins, author: Author, states: Sequence[State]) -> None:
    """One thing that may happen to a table."""
    draw = author.random
    dice = draw.random()
    if dice < 0.08:
        before = dict(author.columns.types)
        if not twin.both(author.alter()):
            author.columns.types = before
    elif dice < 0.10:
        twin.partition(author.partitioning())
    elif dice < 0.12:
        twin.repartition(author.partitioning())
    elif dice < 0.16:
        twin.done.append("-- millpond maintain")
        assert twin.lake.lakehouse.upkeep.run().ok
    elif dice < 0.18 and states:
        state = draw.choice(states)
        twin.restore(state.number, state.name)
        author.columns.types = dict(state.columns)
    elif dice < 0.38:
        twin.both(*(author.change() for _ in range(draw.randint(2, 4))), keep=draw.random() < 0.7)
    else:
        twin.both(author.change())
