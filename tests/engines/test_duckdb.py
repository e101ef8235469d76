"""What is DuckDB's own: limits, extensions, and the meaning of its errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.errors import ConflictError, EngineError, HostError, ProjectError
from millpond.engines.duckdb import DuckDBEngine, Limits, machine_limits, parse_bytes, translate


@pytest.mark.parametrize(
    ("text", "amount"),
    [("500MB", 500_000_000), ("4GB", 4_000_000_000), ("2GiB", 2 * 2**30), (" 1.5 gb ", 1_500_000_000)],
)
def test_amounts_of_memory_are_read(text: str, amount: int) -> None:
    """Powers of 1000 and of 1024, with or without a fraction."""
    assert parse_bytes(text) == amount


@given(st.text(alphabet="0123456789.KMGTBib x", max_size=8))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    """No text leads to another error than the one that says how to write it."""
    try:
        amount = parse_bytes(text)
    except ProjectError:
        return
    assert amount >= 0


def test_limits_come_from_the_machine_where_nothing_is_set(tmp_path: Path) -> None:
    """Some memory and at least one thread."""
    limits = machine_limits(tmp_path, None, None)
    assert limits.memory > 100_000_000
    assert limits.threads >= 1


ENDLESS = """
import os, signal, sys, threading
from pathlib import Path
from millpond.engines.duckdb import DuckDBEngine, Limits

query = "SELECT sum(a.range * b.range % 7) AS s FROM range(10000000) AS a, range(10000000) AS b"
works = {
    "rows": lambda session: session.rows(query),
    "stream": lambda session: session.stream(query).reader.read_all(),
    "transaction": lambda session: session.execute(f"CREATE TEMP TABLE t AS {query}"),
}
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = DuckDBEngine(Limits(200_000_000, 2, Path(sys.argv[1])))
try:
    with engine.session() as session, session.transaction():
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        works[sys.argv[2]](session)
except KeyboardInterrupt:
    engine.close()
    print("ended")
"""


@pytest.mark.parametrize("way", ["rows", "stream", "transaction"])
def test_control_c_ends_what_the_engine_does(way: str, tmp_path: Path) -> None:
    """At once, however long the statement would go on, and whether its rows are read or it makes a table."""
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, tmp_path, way], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "ended\n", done.stderr


def test_scratch_files_are_gone_when_the_engine_is_closed(tmp_path: Path) -> None:
    """The scratch folder keeps nothing of a closed engine."""
    engine = DuckDBEngine(Limits(100_000_000, 1, tmp_path))
    with engine.session() as session:
        session.rows("SELECT 1")
    engine.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("TransactionContext Error: Conflict_409: Requirement failed", ConflictError, "MP-3010"),
        (
            'INTERNAL Error: {"exception_message":"Table t is already outdated. Please restart your transaction"}',
            ConflictError,
            "MP-3102",
        ),
        ("IO Error: No space left on device", HostError, "MP-9002"),
        ("IO Error: Permission denied", HostError, "MP-9004"),
        ('Out of Memory Error: {"exception_type":"Out of Memory","exception_message":"x"}', EngineError, "MP-4003"),
        (
            'Binder Error: {"exception_type":"Binder","exception_message":"no column","position":"7"}',
            EngineError,
            "MP-4001",
        ),
    ],
)
def test_errors_mean_what_they_say(text: str, kind: type[Exception], code: str) -> None:
    """Each class of failure has its own code and next step."""
    told = translate(RuntimeError(text))
    assert isinstance(told, kind)
    assert told.code == code


def test_a_stack_trace_of_the_engine_is_not_told() -> None:
    """What an internal error adds for its makers helps nobody else."""
    text = 'INTERNAL Error: {"exception_message":"odd","stack_trace":"at 0x7f"}\nThis error signals an assertion'
    assert translate(RuntimeError(text)).finding.message == "odd"


def test_an_unreadable_file_of_a_table_names_the_table(tmp_path: Path) -> None:
    """And who can tell more; of any other file its name is all that is known."""
    place = tmp_path / "lake" / "silver" / "orders-9b998eeb" / "data" / "a.parquet"
    with DuckDBEngine(Limits(100_000_000, 1, tmp_path)).session() as session:
        with pytest.raises(EngineError) as ours:
            session.rows(f"SELECT * FROM read_parquet(['{place}'])")
        with pytest.raises(EngineError) as other:
            session.rows(f"SELECT * FROM read_parquet(['{tmp_path}/a.parquet'])")
    assert ours.value.finding.message.startswith("a file of the table silver.orders cannot be read: ")
    assert str(place) in ours.value.finding.message
    assert "`millpond doctor`" in ours.value.finding.next_step
    assert "table" not in other.value.finding.message
