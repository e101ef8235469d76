"""YAML with places."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.errors import Location, ProjectError
from millpond.project.findings import Findings
from millpond.project.yaml_file import Document, compose, typed

PATH = Path("a.yaml")
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{last}'] * 9)}]\n" for last, name in pairwise("abcdefghi")
)


def built(text: str, **options: Any) -> Document:
    """A document in which nothing is wrong."""
    findings = Findings()
    document = compose(text, PATH).build(findings, **options)
    assert findings.ordered() == ()
    return document


def codes(text: str) -> list[str]:
    """The codes of what is wrong with a text that can be parsed."""
    findings = Findings()
    compose(text, PATH).build(findings)
    return [finding.code for finding in findings.ordered()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-03-01", date(2026, 3, 1)),
        ("2026-03-01 10:20:30", datetime(2026, 3, 1, 10, 20, 30)),
        ("2026-03-01T10:20:30Z", datetime.fromisoformat("2026-03-01T10:20:30+00:00")),
        ("2026-03-01 10:20:30 +02:00", datetime.fromisoformat("2026-03-01T10:20:30+02:00")),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    """Numbers, booleans, null, dates and timestamps."""
    assert built(f"a: {text}").data == {"a": value}
    assert type(built(f"a: {text}").data["a"]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "no",
        "on",
        "off",
        "007",
        "01060",
        "1_000",
        "12:30:00",
        "1.2.3",
        "2026-13-01",
        "1e999",
        "- 1"[2:] + "st",
        "9" * 50,
    ],
)
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    """No surprises of older YAML: zip codes, times and the answer no are texts."""
    assert built(f"a: {text}").data == {"a": text}


def test_what_stands_in_quotes_is_text() -> None:
    """Quotes make text of anything."""
    assert built("""{a: "1", b: 'true', c: "2026-03-01", d: ""}""").data == {
        "a": "1",
        "b": "true",
        "c": "2026-03-01",
        "d": "",
    }


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_any_plain_text_has_a_meaning(text: str) -> None:
    """Reading a scalar never fails."""
    assert typed(text) is None or isinstance(typed(text), bool | int | float | str | date)


def test_every_key_and_value_has_its_place() -> None:
    """Nested ones too; an empty value stands where its key does."""
    document = built("a: 1\nb:\n  - x\n  - {c: yes}\nd:\n")
    assert document.values[("a",)] == Location(PATH, 1, 4)
    assert document.keys[("b",)] == Location(PATH, 2, 1)
    assert document.values[("b", 1, "c")] == Location(PATH, 4, 9, 3)
    assert document.values[("d",)] == Location(PATH, 5, 1)
    assert document.places()["b.1.c"] == Location(PATH, 4, 9, 3)


def test_the_place_of_what_is_not_written_is_that_of_its_holder() -> None:
    """A missing item is looked for at its list."""
    document = built("a: {b: [x]}")
    assert document.value_place(("a", "b", 7, "c")) == document.values[("a", "b")]
    assert document.key_place(("a", "z")) == document.values[("a",)]
    assert compose("", PATH).build(Findings()).value_place(("a",)) == Location(PATH)


def test_aliases_and_merges_are_followed() -> None:
    """What is written beside a merge wins over what it brings."""
    text = "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [*x, {a: 9, c: 4}]}\nw: *x\n"
    assert built(text).data == {
        "x": {"a": 1, "b": 2},
        "y": {"a": 1, "b": 3},
        "z": {"a": 1, "b": 2, "c": 4},
        "w": {"a": 1, "b": 2},
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
        "a: &a [*a]",
        "a: &a {b: *a}",
    ],
    ids=["billion laughs", "list in itself", "mapping in itself"],
)
def test_aliases_cannot_fill_the_memory(text: str) -> None:
    """A document that stands for billions of values is refused before it is built."""
    with pytest.raises(ProjectError) as caught:
        compose(text, PATH)
    assert caught.value.code == "MP-1028"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: [1", 1, 4),
        ("a: 'x", 1, 6),
        ("a: \x07", 1, 4),
        ("[" * 5000, 0, 0),
        ("a: *b", 1, 4),
        ("a: [${x}]", 1, 5),
        ("@", 1, 1),
    ],
    ids=["bracket", "quote", "control character", "depth", "unknown alias", "variable in brackets", "reserved sign"],
)
def test_a_syntax_error_has_its_place(text: str, line: int, column: int) -> None:
    """Whatever the parser says, it is one error with one code."""
    with pytest.raises(ProjectError) as caught:
        compose(text, PATH)
    where = caught.value.finding.where
    assert where is not None
    assert (caught.value.code, where.line) == ("MP-1004", line)
    assert not line or abs(where.column - column) <= 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{a: 1, a: 2}", "MP-1005"),
        ("a: !x 1", "MP-1033"),
        ("a: !!int '1'", "MP-1033"),
        ("{[a]: 1}", "MP-1035"),
        ("<<: x", "MP-1034"),
    ],
)
def test_what_yaml_allows_and_a_project_does_not(text: str, code: str) -> None:
    """Duplicate keys, tags, keys that are no text, merges of no mapping."""
    assert codes(text) == [code]


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but a ProjectError ever comes out."""
    try:
        compose(text, PATH).build(Findings())
    except ProjectError as error:
        said = error.code
    else:
        said = "read"
    assert said in ("read", "MP-1004", "MP-1028")


def test_variables_are_replaced_in_values_only() -> None:
    """A replaced value is text, quoted or not; keys stay."""
    document = built("${k}: ${a}\nb: '${a}!'\n", substitute=lambda text, _: text.replace("${a}", "7"))
    assert document.data == {"${k}": "7", "b": "7!"}


def test_a_replaced_value_can_be_read_as_if_it_stood_in_the_file() -> None:
    """For the values of checks: a number stays a number; quotes make text of it."""
    document = built("- ${a}\n- '${a}'\n- x${a}\n", substitute=lambda text, _: text.replace("${a}", "7"), retype=True)
    assert document.data == [7, "7", "x7"]


def test_text_entries_are_kept_as_written() -> None:
    """The values of variables: 1.10 is not 1.1, and nothing is replaced in them."""
    document = built(
        "v:\n  a: 1.10\n  b: 007\n  c: ${x}\n  d:\nn: 1.10\n",
        as_text=lambda entry: entry[:1] == ("v",),
        substitute=lambda text, _: "replaced",
    )
    assert document.data == {"v": {"a": "1.10", "b": "007", "c": "${x}", "d": None}, "n": 1.1}
