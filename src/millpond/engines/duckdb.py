"""The embedded engine: DuckDB, attached to the lake through the catalog gateway."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from millpond.core.errors import ConflictError, EngineError, HostError, MillpondError, ProjectError
from millpond.core.names import LAYERS, QUARANTINE, STATE, literal
from millpond.core.plugins import load
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Stream
from millpond.engines.scratch import ScratchFolder

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

EXTENSIONS = ("avro", "httpfs", "iceberg")
"""What the lake needs, in the order in which they must be loaded."""
EXTRA = ("spatial",)
"""What a project may ask for besides."""

_ANSWERED = re.compile(r'returned response code (?!Conflict)\w+ with message "(.*)"\Z', re.DOTALL)
_CLOCK_SIGNS = ("none of the entries were valid for the current transaction start time", "is already outdated")
"""What the extension says of a table all of whose times are later than its transaction's."""
_ENDLESS = "Cannot write infinity/-infinity"
_OF_TABLE = re.compile(rf"/({'|'.join((*LAYERS, QUARANTINE, STATE))})/(\w+)-[0-9a-f]{{8}}/(?:data|metadata)/")
"""How a path tells whose file it is: see `Warehouse.fresh`."""
_OF_EXTENSION = re.compile(r'.*unction with name "?(\w+)"? is not in the catalog, but it exists in the (\w+) extension')
_CONFLICT_SIGNS = ("Conflict_409", "HTTP 409", "CommitFailedException", "Requirement failed")


@frozen
class Limits:
    """What the engine may use: memory in bytes, threads, and a folder for what spills."""

    memory: int
    threads: int
    scratch: Path


class DuckDBSession:
    """One connection to an in-memory database, with the lake attached as `lake`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement; the number of rows that it changed."""
        with _told():
            row = self._connection.execute(sql, list(parameters)).fetchone()
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one query with a small result."""
        with _told():
            return self._connection.execute(sql, list(parameters)).fetchall()

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Stream:
        """Run one query; its batches are made as they are read."""
        with _told():
            statements = self._connection.extract_statements(sql)
            if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
                raise EngineError(
                    "MP-4001", "the statement gives no rows", next_step="ask for rows with one SELECT statement"
                )
            self._connection.execute(statements[0], list(parameters))
            columns = tuple(Column(str(name), str(kind)) for name, kind, *_ in self._connection.description or ())
            return Stream(Schema(columns), _told_reader(self._connection))

    def describe(self, sql: str, parameters: Sequence[object] = ()) -> Schema:
        """The columns that a query would give, without running it."""
        rows = self.rows(f"DESCRIBE {sql}", parameters)
        return Schema(tuple(Column(str(row[0]), str(row[1])) for row in rows))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is done inside commits together, or not at all."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.interrupt()
            self._connection.rollback()
            raise
        self.execute("COMMIT")

    def close(self) -> None:
        """Forget everything of this session, and end what still runs: closing would wait for it."""
        self._connection.interrupt()
        self._connection.close()


def _told_reader(connection: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
    """The batches of what was asked last; what fails while they are made is an error of ours."""
    arrow, reader = load("pyarrow"), connection.to_arrow_reader(100_000)

    def batches() -> Iterator[pa.RecordBatch]:
        while True:
            try:
                yield _interruptible(connection, reader.read_next_batch)
            except StopIteration:
                return
            except (arrow.ArrowException, OSError) as failed:
                raise translate(failed) from failed

    return arrow.RecordBatchReader.from_batches(reader.schema, batches())


def _interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """What the work gives. Control-C ends it: Python hears of one in its main thread, and only between two calls."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    with ThreadPoolExecutor(1, "millpond-read") as beside:
        doing = beside.submit(work)
        try:
            return doing.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


class DuckDBEngine:
    """Opens sessions that share one memory budget's settings and one scratch folder.

    A database with the lake's extensions is kept for the next session on a lake: to start one and load them takes
    longer than many a step's work. Sessions at the same time have databases of their own.
    """

    def __init__(self, limits: Limits, time_zone: str = "UTC", extensions: Sequence[str] = ()) -> None:
        """`extensions` are loaded into every session, besides those that the lake needs."""
        self._limits = limits
        self._time_zone = time_zone
        self._extensions = tuple(extensions)
        self._spill = ScratchFolder(limits.scratch, "spill-")
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._coming: list[Future[duckdb.DuckDBPyConnection]] = []

    def prepare(self) -> None:
        """Begin to start the database of the next session on a lake, in a thread of its own."""
        if not self._idle and not self._coming:
            beside = ThreadPoolExecutor(1, "millpond-engine")
            self._coming.append(beside.submit(self._begin))
            beside.shutdown(wait=False)

    @contextmanager
    def session(self, endpoint: str | None = None, token: str | None = None) -> Iterator[DuckDBSession]:
        """A session on the lake at `endpoint` (none: without a lake), seen with the rights of `token`."""
        if endpoint is None:
            with closing(DuckDBSession(self._connect())) as session:
                _load_extensions(session, self._extensions)
                self._settle(session)
                yield session
            return
        database = self._take()
        try:
            with closing(DuckDBSession(database.cursor())) as session:
                self._settle(session)
                _attach(session, endpoint, token or "")
                yield session
        finally:
            self._give_back(database)

    def close(self) -> None:
        """Close what is kept for later, and remove what was spilled."""
        for database in (*self._idle, *(coming.result() for coming in self._coming)):
            database.close()
        self._coming.clear()
        self._idle.clear()
        self._spill.close()

    def _settle(self, session: DuckDBSession) -> None:
        session.execute("SET allow_unsigned_extensions = false")
        session.execute(f"SET TimeZone = {literal(self._time_zone)}")
        session.execute("SET errors_as_json = true")

    def _take(self) -> duckdb.DuckDBPyConnection:
        """A database with the lake's extensions and nothing else in it."""
        with suppress(IndexError):
            return self._idle.pop()
        with suppress(IndexError):
            return self._coming.pop().result()
        return self._begin()

    def _begin(self) -> duckdb.DuckDBPyConnection:
        database = self._connect()
        session = DuckDBSession(database)
        _load_extensions(session, (*EXTENSIONS, *self._extensions))
        # Other engines set these where DuckDB cannot keep to them, and then it would refuse to write at all.
        session.execute("SET GLOBAL ignore_target_file_size_for_partitioned_tables = true")
        session.execute("SET GLOBAL ignore_row_group_size_for_partitioned_tables = true")
        return database

    def _give_back(self, database: duckdb.DuckDBPyConnection) -> None:
        """Keep a database for the next session, when it lets go of the lake."""
        try:
            database.execute("DETACH DATABASE IF EXISTS lake")
        except duckdb.Error:
            database.close()
        else:
            self._idle.append(database)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        with _told():
            return duckdb.connect(
                ":memory:",
                config={
                    "memory_limit": f"{self._limits.memory // 1_000_000}MB",
                    "threads": str(self._limits.threads),
                    "temp_directory": str(self._spill.path),
                    "preserve_insertion_order": "false",
                    # Few rows are joined in another way than many, by which NULL has no last row before it.
                    "asof_loop_join_threshold": "0",
                    # Else what a large query took stays with the process for as long as a session is open.
                    "allocator_background_threads": "true",
                    # Until the installed extensions are loaded: docs/decisions/0006-extensions-of-the-installation.md.
                    "allow_unsigned_extensions": "true",
                    "allow_community_extensions": "false",
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                    "python_enable_replacements": "false",
                    "allow_persistent_secrets": "false",
                },
            )


def _attach(session: DuckDBSession, endpoint: str, token: str) -> None:
    session.execute(
        f"ATTACH '' AS lake (TYPE iceberg, ENDPOINT {literal(endpoint)}, TOKEN {literal(token)}, "
        "AUTHORIZATION_TYPE 'oauth2')"
    )
    session.execute("USE lake.bronze")


def _load_extensions(session: DuckDBSession, names: Sequence[str]) -> None:
    """Load those of the installed wheels; then the others, fetched by DuckDB, whose signatures it checks."""
    paths = {name: extension_path(name) for name in names}
    for path in filter(None, paths.values()):
        session.execute(f"LOAD {literal(path)}")
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        session.execute("SET allow_unsigned_extensions = false")
    for name in missing:
        try:
            session.execute(f"INSTALL {name}")
        except EngineError as failed:
            raise HostError(
                "MP-9003",
                f"the DuckDB extension {name!r} is not installed and could not be fetched",
                next_step=f"pip install duckdb-extension-{name}=={duckdb.__version__}",
            ) from failed
        session.execute(f"LOAD {name}")


@cache
def extension_path(name: str) -> str | None:
    """Where the wheel of an extension put it; None where there is no such wheel."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}"
    return next(map(str, sorted(folder.rglob(f"{name}.duckdb_extension"))), None)


@contextmanager
def _told() -> Iterator[None]:
    """Raise what DuckDB raises as an error of Millpond's tree."""
    try:
        yield
    except duckdb.Error as failed:
        raise translate(failed) from failed
    except RuntimeError as failed:
        # What DuckDB makes of Control-C.
        if str(failed) == "Query interrupted":
            raise KeyboardInterrupt from failed
        raise


def translate(failed: Exception) -> MillpondError:
    """The error of ours that says what DuckDB's error means."""
    told = _told_json(str(failed))
    text = str(told.get("exception_message", failed)).strip()
    text = _from_gateway(text)
    message = text.splitlines()[0] if text else type(failed).__name__
    position = str(told.get("position", ""))
    if _ENDLESS in message:
        refused = EngineError(
            "MP-4007",
            "a time without end ('infinity') cannot be kept in a table",
            next_step="cast it in a model that keeps one row for each input row (such rows go to quarantine), "
            "or write nullif(column, 'infinity')",
        )
    elif isinstance(failed, duckdb.ConversionException):
        refused = EngineError("MP-4002", message, next_step="use TRY_CAST, or clean the value first")
    elif (unknown := _OF_EXTENSION.match(message)) is not None:
        refused = EngineError(
            "MP-4005",
            f"{unknown[1].lower()}() is a function of the DuckDB extension {unknown[2]}, which is not loaded",
            next_step=f"write in millpond.yaml: engine: {{extensions: [{unknown[2]}]}}"
            if unknown[2] in EXTRA
            else "write the query without it: this extension is not used here",
        )
    elif (meant := _of_the_machine(failed, text, message)) is not None:
        return meant
    elif isinstance(failed, duckdb.IOException | duckdb.HTTPException) or _names_a_file(failed, message):
        return _of_a_file(message)
    else:
        refused = EngineError("MP-4001", _plain(text), next_step="correct the statement, or clean the value it met")
    refused.position = int(position) if position.isdigit() else None
    return refused


def _of_a_file(message: str) -> EngineError:
    """What is said of a file that cannot be read; of a table's, the table is named: the lake itself is damaged then."""
    if (owner := _OF_TABLE.search(message)) is None:
        return EngineError("MP-4004", message, next_step="see that the named file is whole and can be read")
    return EngineError(
        "MP-4004",
        f"a file of the table {owner[1]}.{owner[2]} cannot be read: {message}",
        next_step="`millpond doctor` tells what is damaged, and how to go back to a whole version",
    )


def _of_the_machine(failed: Exception, text: str, message: str) -> MillpondError | None:
    """What is no fault of the statement: another commit, the disk, the memory."""
    if any(sign in text for sign in _CONFLICT_SIGNS):
        return ConflictError("MP-3010", "another commit came first", next_step="run the step again")
    if any(sign in text for sign in _CLOCK_SIGNS):
        return ConflictError("MP-3102", "the clock was set back meanwhile", next_step="run again")
    if "No space left on device" in text:
        return HostError("MP-9002", "the disk is full", next_step="free space where the lake and .millpond/ lie")
    if "Permission denied" in text or "Read-only file system" in text:
        return HostError(
            "MP-9004", f"a file cannot be written: {message}", next_step="make the project's folder writable"
        )
    if "Could not write file" in text or "Input/output error" in text:
        return HostError("MP-9006", message, next_step="mend the disk or its mount, then run again")
    if (failed.args and "Out of Memory" in str(failed.args[0])[:60]) or isinstance(failed, duckdb.OutOfMemoryException):
        return EngineError(
            "MP-4003", "the query needs more memory than it may use", next_step="raise engine.memory in millpond.yaml"
        )
    return None


def _names_a_file(failed: Exception, message: str) -> bool:
    """Whether an error about input is about a file (else it is about a value)."""
    return isinstance(failed, duckdb.InvalidInputException) and "/" in message


def _from_gateway(text: str) -> str:
    """What the gateway said, where DuckDB reports an answer of it; else the text as it is."""
    told = _ANSWERED.search(text)
    return told[1] if told else text


def _told_json(text: str) -> dict[str, object]:
    """DuckDB's error as it writes it with errors_as_json, which a hint may follow; empty where it is plain text."""
    start = text.find("{")
    if start < 0:
        return {}
    try:
        told, _end = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _plain(text: str) -> str:
    """The message without the excerpt of the statement, which is shown from the author's own file."""
    return text.split("\n\nLINE ", 1)[0].strip()


def machine_limits(scratch: Path, memory: str | None, threads: int | None) -> Limits:
    """Limits from the settings, or 60 % of the machine's (or container's) memory and all of its cores."""
    available = _machine_memory()
    return Limits(
        memory=parse_bytes(memory) if memory else int(available * 0.6),
        threads=threads or len(os.sched_getaffinity(0)),
        scratch=scratch,
    )


def parse_bytes(text: str) -> int:
    """`500MB`, `4GB`, `2GiB` as bytes. Raises ProjectError MP-1090 for anything else."""
    units = {
        "KB": 10**3,
        "MB": 10**6,
        "GB": 10**9,
        "TB": 10**12,
        "KIB": 2**10,
        "MIB": 2**20,
        "GIB": 2**30,
        "TIB": 2**40,
    }
    number = text.strip().upper().rstrip("KMGTIB")
    unit = text.strip().upper()[len(number) :].strip()
    try:
        return int(float(number) * units[unit])
    except (KeyError, ValueError, OverflowError) as wrong:
        raise ProjectError(
            "MP-1090", f"not an amount of memory: {text!r}", next_step="write it like 500MB or 4GB"
        ) from wrong


def _machine_memory() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists():
        text = limit.read_text().strip()
        if text.isdigit():
            return min(total, int(text))
    return total
