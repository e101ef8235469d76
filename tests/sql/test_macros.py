"""Macros: what a call becomes, told by the engine's own macros, and what is wrong with them at the author's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond.core.errors import MillpondError
from millpond.project.sql_file import Shift, SqlFile
from millpond.sql.expansion import Library, expand, expand_text
from millpond.sql.macros import SYNTAX, read_macros
from millpond.sql.parse import parse_written
from millpond.sql.written import Written

FILE, MODEL = Path("/project/macros/m.sql"), Path("/project/models/silver/m.sql")
TEXTS = """-- how names and amounts are written here
CREATE MACRO tidy(name) AS upper(left(trim(name), 1)) || lower(substr(trim(name), 2));
CREATE OR REPLACE MACRO polite(name, greeting := 'Dear ', "end" := NULL) AS
    greeting || tidy(name) || coalesce("end", '');
CREATE FUNCTION twice(a) AS a + a;
CREATE MACRO squared(a) AS a * a;
CREATE MACRO four(a) AS twice(twice(a));
CREATE MACRO raised(l, x) AS list_transform(l, y -> y + x + length({'y': 'a'}.y));
CREATE MACRO part(s) AS s.inner + 1;
CREATE MACRO of_many(a) AS sum(a) + count(*);
CREATE MACRO pi2() AS 6.28;
CREATE MACRO above(low, name := 'n') AS TABLE SELECT i, name AS n, t.low FROM silver.t AS t WHERE i > low;
"""


def read(text: str, *taken: str) -> Library:
    """The macros of one file."""
    return read_macros((SqlFile(FILE, text),), taken)


def plain(sql: str, library: Library, *, named: bool = False) -> str:
    """A model's text without macros."""
    return expand(Written.of(SqlFile(MODEL, sql)), MODEL, library, named=named).sql


@pytest.fixture
def engine() -> duckdb.DuckDBPyConnection:
    """The engine with the same macros as its own, and a table."""
    made = duckdb.connect()
    made.execute("CREATE SCHEMA silver; CREATE TABLE silver.t AS SELECT i, -i AS low, 7 AS y FROM range(5) AS r(i)")
    made.execute(TEXTS)
    return made


def answer(engine: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows."""
    found = engine.execute(sql)
    return [column[0] for column in found.description or ()], found.fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT tidy('  bOB ') AS a, TIDY ( 'x' ) AS b",
        "SELECT polite('a') AS a, polite('b', 'Hi ') AS b, polite('c', \"end\" := '!', greeting := tidy('oh ')) AS c",
        "SELECT 2 * twice(1 + 1) - twice(3) AS a, four(1 - 2) AS b, squared(1 + 1) AS c, squared(-1) AS d",
        "SELECT raised([1, 2], i) AS a, raised([1], twice(i)) AS b FROM silver.t ORDER BY i",
        "SELECT part({'inner': 4}) AS a",
        "SELECT of_many(i) AS a, pi2() AS b FROM silver.t GROUP BY y HAVING twice(y) = 14",
        "SELECT * FROM above(2) ORDER BY i",
        "SELECT a.i, b.n FROM above(1 + 1) AS a JOIN above(3, name := 'x') b USING (i)",
        "WITH twice(b) AS (SELECT 1) SELECT twice.b, twice(b) AS c FROM twice",
        "SELECT x FROM silver.t, (SELECT twice(t.i) AS x) ORDER BY ALL",
        'SELECT \'twice(1)\' AS a, "twice(1)" FROM (SELECT 1 AS "twice(1)") -- twice(1)',
        "SELECT twice(/* a, b */ 1 -- c\n) AS a",
        "SELECT i FROM silver.t ORDER BY twice(-i) LIMIT 2",
    ],
)
def test_a_call_means_what_the_engines_own_macro_means(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Defaults, names, nesting, tables, lambdas and brackets: the rows are those of `CREATE MACRO` in DuckDB."""
    library = read(TEXTS)
    assert library.findings == ()
    expected = answer(engine, sql)
    with duckdb.connect() as bare:
        bare.execute("CREATE SCHEMA silver; CREATE TABLE silver.t AS SELECT i, -i AS low, 7 AS y FROM range(5) AS r(i)")
        assert answer(bare, plain(sql, library)) == expected


def test_an_argument_is_never_taken_for_a_lambdas_own(engine: duckdb.DuckDBPyConnection) -> None:
    """The column y of the call stays what it is beside the y of the macro."""
    (row,) = answer(engine, plain("SELECT raised([1], y) AS a FROM silver.t LIMIT 1", read(TEXTS)))[1]
    assert row == ([9],)


Twin = tuple[duckdb.DuckDBPyConnection, Library]


@pytest.fixture(scope="module")
def twin() -> Twin:
    """The engine with macros of its own, and the same as Millpond reads them."""
    # The engine takes a column y of a call for the lambda's own, so its macro has another letter here.
    texts = TEXTS.split("CREATE MACRO above")[0]
    made = duckdb.connect()
    made.execute(texts.replace("y -> y + x", "z -> z + x"))
    return made, read(texts)


EXPRESSIONS = st.recursive(
    st.sampled_from(("i", "y", "3", "-2", "(i - y)")),
    lambda inner: st.one_of(
        st.builds("twice({})".format, inner),
        st.builds("four({} - {})".format, inner, inner),
        st.builds("squared({} % 7 - {} % 5)".format, inner, inner),
        st.builds("{} * {}".format, inner, inner),
        st.builds("list_sum(raised([{}], {}))".format, inner, inner),
        st.builds("part({{'inner': {}}})".format, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=50)
@given(expression=EXPRESSIONS)
def test_calls_in_calls_mean_what_they_mean_in_the_engine(twin: Twin, expression: str) -> None:
    """Any nesting of macros over columns and numbers gives the engine's own values."""
    engine, library = twin
    sql = f"SELECT {expression} AS a FROM (SELECT 5::HUGEINT AS i, 7::HUGEINT AS y)"
    assert answer(engine, plain(sql, library)) == answer(engine, sql)


def test_what_is_wrong_in_a_macro_is_told_in_its_own_file() -> None:
    """Whole nodes of the macro's text have their place there; what reaches into arguments, at the call."""
    sql = "SELECT\n  polite(a) AS b,\n  i.c AS c FROM silver.t"
    query = parse_written(expand(Written.of(SqlFile(MODEL, sql)), MODEL, read(TEXTS)), MODEL)
    trim, column = (query.sql.index(word) for word in ("trim", "i.c"))
    assert [(where.path, where.line, where.column) for where in (query.located(trim, 4), query.located(column, 3))] == [
        (FILE, 2, 39),
        (MODEL, 3, 3),
    ]
    assert (query.located(trim, 40).path, query.located(trim, 40).line, query.located(trim, 40).column) == (MODEL, 2, 3)
    assert query.place(query.tree).path == MODEL


def test_places_count_in_the_file_as_the_author_wrote_it() -> None:
    """A variable that was replaced before a word moves it back."""
    file = SqlFile(FILE, "CREATE MACRO m(a) AS 12345 + b", (Shift(1, 22, 4, 5),))
    (finding,) = read_macros((file,), ()).findings
    assert finding.where is not None
    assert (finding.code, finding.where.column) == ("MP-1308", 29)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE MACRO a(x) AS x;\n CREATE TABLE t AS SELECT 1", ("MP-1304", 2, 9)),
        ("SELECT 1", ("MP-1304", 1, 1)),
        ("CREATE MACRO a AS 1", ("MP-1304", 1, 16)),
        ("CREATE MACRO a(x, x) AS 1", ("MP-1304", 1, 19)),
        ("CREATE MACRO a(x y) AS 1", ("MP-1304", 1, 18)),
        ("CREATE MACRO a(x := ) AS 1", ("MP-1304", 1, 21)),
        ("CREATE MACRO a(x := y) AS 1", ("MP-1304", 1, 21)),
        ("CREATE MACRO a(x) AS", ("MP-1304", 1, 19)),
        ("CREATE MACRO a(x) AS ;", ("MP-1304", 1, 19)),
        ('CREATE MACRO "a b"(x) AS 1', ("MP-1304", 1, 14)),
        ("CREATE MACRO a(x) AS x;\nCREATE MACRO A(x) AS x", ("MP-1305", 2, 14)),
        ("CREATE MACRO upper(x) AS x", ("MP-1306", 1, 14)),
        ("CREATE MACRO Coalesce(x) AS x", ("MP-1306", 1, 14)),
        ("CREATE MACRO case(x) AS x", ("MP-1306", 1, 14)),
        ("CREATE MACRO a(x) AS x + a(x)", ("MP-1307", 1, 26)),
        ("CREATE MACRO a(x) AS b(x);\nCREATE MACRO b(x) AS\n  a(x)", ("MP-1307", 3, 3)),
        ("CREATE MACRO a(amount) AS 1 + amout", ("MP-1308", 1, 31)),
        ("CREATE MACRO a(x) AS (SELECT max(x) FROM silver.t)", ("MP-1308", 1, 14)),
        ("CREATE MACRO a(x) AS x AS y", ("MP-1308", 1, 14)),
        ("CREATE MACRO a(x) AS x FROM silver.t", ("MP-1308", 1, 14)),
        ("CREATE MACRO a(x) AS x, x", ("MP-1308", 1, 14)),
        ("CREATE MACRO a(x) AS x;\nCREATE MACRO b(x) AS a(x, 1)", ("MP-1309", 2, 27)),
        ("CREATE MACRO a(x) AS x +\n  ;", ("MP-2001", 1, 24)),
        ("CREATE MACRO a(x) AS 'x", ("MP-2001", 1, 22)),
    ],
)
def test_faults_of_macros_are_told_at_line_and_column(text: str, expected: tuple[str, int, int]) -> None:
    """One finding each, at the word that is wrong."""
    findings = read(text, "upper").findings
    assert [(f.code, f.where and f.where.line, f.where and f.where.column) for f in findings] == [expected]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT twice() AS a", ("MP-1309", 8)),
        ("SELECT twice(1, 2) AS a", ("MP-1309", 17)),
        ("SELECT twice(1, a := 2) AS a", ("MP-1309", 17)),
        ("SELECT polite('a', gretting := 'b') AS a", ("MP-1309", 20)),
        ("SELECT i.twice() AS a FROM silver.t", ("MP-1309", 10)),
        ("SELECT above(1) AS a", ("MP-1309", 8)),
        ("SELECT 1 FROM twice(1)", ("MP-1309", 15)),
        ("SELECT 1 FROM silver.t, above(t.i)", ("MP-1309", 31)),
        ("SELECT twice(?) AS a", ("MP-1309", 14)),
        ("SELECT twice(1 +) AS a", ("MP-2001", 17)),
    ],
)
def test_a_call_that_does_not_fit_is_told_where_it_stands(sql: str, expected: tuple[str, int]) -> None:
    """Arguments that are missing, too many or unknown, and macros where they cannot stand."""
    with pytest.raises(MillpondError) as wrong:
        plain(sql, read(TEXTS))
    where = wrong.value.finding.where
    assert (wrong.value.code, where and where.column) == expected


def test_a_macro_that_is_wrong_is_told_once_whoever_calls_it() -> None:
    """A call of it raises the macro's own finding."""
    library = read("CREATE MACRO a(x) AS y;\nCREATE MACRO b(x) AS a(x)")
    assert len(library.findings) == 1
    with pytest.raises(MillpondError) as wrong:
        plain("SELECT b(1) AS c", library)
    assert wrong.value.finding == library.findings[0]


def test_what_grows_without_bound_is_refused() -> None:
    """Forty macros that each double the one before are a trillion characters."""
    chain = [f"CREATE MACRO m{i + 1}(x) AS m{i}(x) + m{i}(x);" for i in range(40)]
    library = read("CREATE MACRO m0(x) AS x + 1;\n" + "\n".join(chain))
    assert "MP-1310" in {finding.code for finding in library.findings}


def test_no_word_of_sql_can_be_hidden() -> None:
    """Keywords that look like functions are refused, and so is all that the engine reads itself."""
    rows = duckdb.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    ).fetchall()
    functions = {
        str(name) for (name,) in duckdb.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    }
    hidden = []
    for (word,) in rows:
        library = read(f"CREATE MACRO {word}(x) AS x", *functions)
        if library.macros and f"{word}(1)" not in plain(f"SELECT {word}(1) AS a", read("")):
            hidden.append(word)
    assert hidden == []
    assert {"coalesce", "date", "try"} <= SYNTAX


def test_a_column_that_is_one_call_has_its_name() -> None:
    """In a statement of a person the column is called what was typed; a model has to name it."""
    library = read(TEXTS)
    assert plain("SELECT twice(1), twice(2) + 1, twice(3) AS a", library, named=True) == (
        'SELECT (1 + 1) AS "twice(1)", (2 + 2) + 1, (3 + 3) AS a'
    )
    assert plain("SELECT twice(1)", library) == "SELECT (1 + 1)"


def test_an_expression_of_yaml_is_expanded_or_left_as_it_is() -> None:
    """What cannot be read is for others to complain about."""
    where, library = parse_written(Written.of(SqlFile(MODEL, "SELECT 1")), MODEL).located(0, 1), read(TEXTS)
    assert expand_text("twice(a) > 1", where, library, query=False) == "(a + a) > 1"
    assert expand_text("SELECT twice(i) FROM silver.t", where, library, query=True) == "SELECT (i + i) FROM silver.t"
    assert expand_text("twice(a >", where, library, query=False) == "twice(a >"
