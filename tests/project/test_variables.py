"""Variables: where values come from, and what they do to SQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.project.findings import Findings
from millpond.project.model import Model
from millpond.project.variables import Declaration, Variables

PATH = Path("m.sql")
PLACE = Location(PATH, 1, 1)


def variables(findings: Findings | None = None, **declared: str) -> Variables:
    """Variables that only a project declares."""
    made = {name: Declaration(value, PLACE) for name, value in declared.items()}
    return Variables({}, {}, made, Findings() if findings is None else findings)


def replaced(sql: str, **declared: str) -> str:
    """The SQL with values in it, when nothing is wrong."""
    findings = Findings()
    text, _ = variables(findings, **declared).substitute_sql(sql, PATH)
    assert findings.ordered() == ()
    return text


def test_values_are_looked_up_in_order() -> None:
    """--var, then the process's environment, then what the project declares."""
    declared = {name: Declaration("project", PLACE) for name in "abc"}
    known = Variables({"a": "given"}, {"a": "process", "b": "process", "HOME": "/h"}, declared, Findings())
    assert known.substitute("${a} ${b} ${c} ${HOME}", lambda _: PLACE) == "given process project /h"
    assert known.resolved() == {"a": "given", "b": "process", "c": "project"}


def test_a_value_may_use_variables() -> None:
    """As deep as it goes."""
    assert variables(a="${b}/x", b="${c}", c="/r").resolved() == {"a": "/r/x", "b": "/r", "c": "/r"}


def test_a_circle_is_told_once() -> None:
    """However one comes into it."""
    findings = Findings()
    variables(findings, b="${c}", c="${a}", a="${b}").resolved()
    assert [(finding.code, finding.message) for finding in findings.ordered()] == [
        ("MP-1012", "variables stand for each other: a -> b -> c -> a")
    ]


def test_an_override_that_resolves_saves_a_value_that_does_not() -> None:
    """What is not used need not have a value."""
    findings = Findings()
    known = Variables({"data": "/d"}, {}, {"data": Declaration("${GONE}", PLACE)}, findings)
    assert known.resolved() == {"data": "/d"}
    assert findings.ordered() == ()


def test_a_dollar_sign_can_be_kept() -> None:
    """`$${` is a plain `${`; a dollar alone is nothing special."""
    assert variables(a="1").substitute("$${a} $a $$ ${a}", lambda _: PLACE) == "${a} $a $$ 1"
    assert replaced("SELECT '$${a}', $1, $$ ${a} $$", a="1") == "SELECT '${a}', $1, $$ 1 $$"


def test_variables_given_and_never_used_are_known() -> None:
    """A slip in --var does not pass unseen; a declared one need not be used."""
    known = Variables({"dta": "x", "data": "y", "used": "z"}, {}, {"data": Declaration("d", PLACE)}, Findings())
    known.substitute("${used}", lambda _: PLACE)
    assert known.unused() == ("dta",)
    assert known.suggest("dta") == "data"


def test_comments_in_sql_are_left_alone() -> None:
    """Nobody has to declare what only a note mentions; quotes in comments open nothing."""
    sql = "-- it's ${x}\nSELECT '${a}' /* \" ${y} */ FROM t -- ${z}"
    assert replaced(sql, a="1") == "-- it's ${x}\nSELECT '1' /* \" ${y} */ FROM t -- ${z}"


def test_a_value_stays_inside_its_quotes() -> None:
    """A quote in a value cannot end the string or name that it stands in."""
    assert replaced("SELECT '${a}', \"${b}\"", a="O'Hara'; --", b='x"y') == "SELECT 'O''Hara''; --', \"x\"\"y\""
    assert replaced("SELECT 'it''s ${a}' || '--' || '${a}'", a="1") == "SELECT 'it''s 1' || '--' || '1'"
    assert replaced("SELECT ${a}", a="x + 1") == "SELECT x + 1"


@pytest.mark.parametrize("value", ["a\nb", "a\r\nb", "a\rb"])
def test_a_value_of_several_lines_is_refused_in_sql(value: str) -> None:
    """Lines stay the author's."""
    findings = Findings()
    sql, shifts = variables(findings, a=value).substitute_sql("SELECT\n '${a}'", PATH)
    assert (sql, shifts) == ("SELECT\n '${a}'", ())
    assert [(finding.code, finding.where) for finding in findings.ordered()] == [("MP-1013", Location(PATH, 2, 3, 4))]


def test_unknown_variables_in_sql_are_found_at_their_place() -> None:
    """Each of them, in quotes or not, with what was probably meant."""
    findings = Findings()
    variables(findings, limit="1").substitute_sql("SELECT '${x}'\nLIMIT ${limt} ${", PATH)
    assert [(f.code, f.where, f.suggestion) for f in findings.ordered()] == [
        ("MP-1010", Location(PATH, 1, 9, 4), None),
        ("MP-1010", Location(PATH, 2, 7, 7), "${limit}"),
        ("MP-1011", Location(PATH, 2, 15, 2), None),
    ]


pieces = st.lists(
    st.one_of(
        st.sampled_from(["${a}", "${bb}", "'${a}'", '"${bb}"', "\n", "x", " = ", "$${"]), st.text("xy ", max_size=4)
    ),
    max_size=20,
)


@given(pieces, st.text("uv'\"", max_size=9), st.text("w", max_size=2))
def test_every_place_in_sql_leads_back_to_the_author(parts: list[str], a: str, bb: str) -> None:
    """What was not replaced keeps its own column; what was, points at its variable."""
    written = "".join(parts)
    sql, shifts = variables(a=a, bb=bb).substitute_sql(written, PATH)
    model = Model(TableName("silver", "m"), "replace", PATH, sql, shifts=shifts)
    lines = written.split("\n")
    assert sql.count("\n") == len(lines) - 1
    for number, line in enumerate(sql.split("\n"), 1):
        for column, sign in enumerate(line, 1):
            where = model.file.authored(Location(PATH, number, column))
            there = lines[number - 1][where.column - 1 :]
            if sign in "xy= ":
                assert there.startswith(sign)
            elif sign in "uvw":
                assert there.startswith(("${a}", "${bb}"))
