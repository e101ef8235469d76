"""The guard lets SELECTs over known tables pass, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millpond.core.errors import AccessError
from millpond.core.names import TableName
from millpond.governance.guard import MAX_BYTES, guard
from tests.governance.corpus.statements import KNOWN, QUARANTINE, statements

HOSTILE = statements("hostile")
LEGAL = statements("legal")
WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "WITH",
        "AS",
        "a",
        "b",
        "silver.trips",
        "gold.orders",
        "people",
        "(",
        ")",
        ",",
        ";",
        "*",
        "'x'",
        '"y"',
        "1",
        "UNION",
        "query(",
        "read_csv(",
        "getenv(",
        "DELETE",
        "INSERT",
        "COPY",
        "ATTACH",
        "SET",
        "RETURNING",
        "INTO",
        "VALUES",
        "TABLE",
        "PIVOT",
        "ON",
        "USING",
        "IN",
        "JOIN",
        "LATERAL",
        "lambda",
        "x:",
        "->",
        "[",
        "]",
        "{",
        "}",
        ".",
        "::",
        "é",
    ]
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def test_the_corpora_are_as_large_as_they_should_be() -> None:
    """Enough hostile statements, enough legal ones."""
    assert len(set(HOSTILE)) >= 150
    assert len(set(LEGAL)) >= 80


@pytest.mark.parametrize("sql", HOSTILE)
def test_hostile_statements_are_refused(sql: str) -> None:
    """Each with a code, a place and a next step."""
    with pytest.raises(AccessError) as caught:
        guard(sql, KNOWN)
    assert caught.value.code.startswith("MP-80")
    assert caught.value.finding.next_step
    assert caught.value.finding.where is not None


@pytest.mark.parametrize("sql", LEGAL)
def test_legal_statements_pass_as_they_are(sql: str) -> None:
    """The text that passed is the text that was given."""
    assert guard(sql, KNOWN | {QUARANTINE}).sql == sql


def test_the_tables_are_those_that_the_engine_finds(con: duckdb.DuckDBPyConnection) -> None:
    """What the guard takes for a common table expression is never a table for the engine."""
    compared = 0
    for sql in LEGAL:
        try:
            found = con.get_table_names(sql, qualified=True)
        except duckdb.BinderException:
            continue  # the engine asks for columns and parameters here, of tables that it does not have
        names = {re.match(r"[\w.]+", name.replace('"', ""))[0].lower() for name in found}
        assert {str(table) for table in guard(sql).tables} == names, sql
        compared += 1
    assert compared > 60


ACTS = re.compile(r"(^|;)\s*(delete|attach|copy)\b|\(\s*delete\s+from\b", re.IGNORECASE)
"""Where a word begins a statement: a column may be called so too."""


@example("SELECT DELETE")
@given(st.lists(WORDS, max_size=20).map(" ".join))
def test_any_text_passes_with_known_tables_or_is_refused(text: str) -> None:
    """No text leads to another error, and what passes reads known tables alone."""
    try:
        passed = guard(text, KNOWN)
    except AccessError:
        return
    assert set(passed.tables) <= KNOWN
    assert not any(word in text.lower() for word in ("query(", "read_csv(", "getenv("))
    assert not ACTS.search(text)


@pytest.mark.parametrize(
    ("sql", "code", "place", "suggestion"),
    [
        ("SELECT *\nFROM silver.trip", "MP-8005", "<query>:2:6", "silver.trips"),
        ("SELECT * FROM sliver.trips", "MP-8004", "<query>:1:15", "silver.trips"),
        ("SELECT 'é', getenv('HOME')", "MP-8006", "<query>:1:13", None),
        ("SELECT uper('a')", "MP-8006", "<query>:1:8", "upper"),
        ("SELECT 'é' FROM FROM x", "MP-8001", "<query>:1:17", None),
        ("SELECT 1;\nSELECT 2", "MP-8003", "<query>:1", None),
        ("DROP TABLE silver.trips", "MP-8002", "<query>:1", None),
        ("WITH x AS (DELETE FROM silver.trips RETURNING *) FROM x", "MP-8002", "<query>:1", None),
        ("SELECT * FROM silver.trips AT (VERSION => 1)", "MP-8009", "<query>:1:15", None),
        ("SHOW TABLES", "MP-8012", "<query>", None),
        ("SELECT\n  rowid FROM silver.trips", "MP-8013", "<query>:2:3", None),
    ],
)
def test_refusals_say_what_where_and_what_was_meant(sql: str, code: str, place: str, suggestion: str | None) -> None:
    """Places count characters, not bytes."""
    with pytest.raises(AccessError) as caught:
        guard(sql, KNOWN)
    found = caught.value.finding
    assert (found.code, str(found.where)) == (code, place)
    if suggestion is not None:
        assert found.suggestion == suggestion


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT 1\0; DROP TABLE silver.trips", "MP-8001"),
        ("SELECT '\ud800'", "MP-8001"),
        ("SELECT \x1b[31m1", "MP-8001"),
        ("SELECT '" + "x" * MAX_BYTES + "'", "MP-8008"),
        ("SELECT " + "é" * (MAX_BYTES // 2), "MP-8008"),
        ("SELECT " + "[" * 300 + "1" + "]" * 300, "MP-8008"),
        ("SELECT 1" + " + 1" * 300, "MP-8008"),
        ("SELECT " + "(SELECT " * 300 + "1" + ")" * 300, "MP-8008"),
        ("SELECT " + "{'a': " * 20000 + "1" + "}" * 20000, "MP-8008"),
        ("SELECT " + "- " * 100000 + "1", "MP-8008"),
        ("SELECT 1::INTEGER" + "[]" * 5000, "MP-8008"),
        ("FROM silver.trips" + " JOIN silver.trips ON true" * 300, "MP-8008"),
    ],
)
def test_what_is_too_large_too_deep_or_no_text_is_refused(sql: str, code: str) -> None:
    """Quickly, and without harm to the process."""
    with pytest.raises(AccessError) as caught:
        guard(sql, KNOWN)
    assert caught.value.code == code


def test_long_lists_are_no_depth() -> None:
    """Ten thousand values in a list, a hundred queries in a union."""
    guard(f"SELECT * FROM silver.trips WHERE bike IN ({', '.join(map(str, range(10_000)))})", KNOWN)
    guard("SELECT 1" + " UNION ALL SELECT 1" * 100, KNOWN)


def test_letters_that_only_python_folds_do_not_reach_a_table() -> None:
    """The Kelvin sign folds to k in Python and not in the engine: such names are refused."""
    with pytest.raises(AccessError, match="MP-8004"):
        guard('SELECT * FROM silver."\u212aeys"', {TableName("silver", "keys")})


def test_statements_are_guarded_side_by_side() -> None:
    """One parser serves many threads."""
    failed: list[Exception] = []

    def work() -> None:
        try:
            for sql in LEGAL[:40]:
                guard(sql)
        except AccessError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_no_library_of_others_is_loaded_for_the_parser() -> None:
    """DuckDB loads pandas, where it is installed, as soon as a value is bound: a third of a second for each command."""
    code = "import sys; from millpond.governance.guard import guard; guard('SELECT 1'); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("sql", ["SELECT 'it''s'; SELECT ''", "SELECT '''; SELECT 1; --'; SELECT 2"])
def test_quotes_in_a_statement_stay_what_they_are(sql: str) -> None:
    """The statement reaches the parser as it was written: two statements are two."""
    with pytest.raises(AccessError) as refused:
        guard(sql)
    assert refused.value.code == "MP-8003"
