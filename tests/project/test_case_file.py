"""Files of tests: what they may say, and where it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from millpond.core.names import TableName
from millpond.project.case_file import NOW, read_tests

ORDERS = TableName("bronze", "orders")


def write(folder: Path, text: str, name: str = "orders.yaml") -> None:
    """A file of tests."""
    path = folder / "tests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_values_are_kept_as_they_are_written(tmp_path: Path) -> None:
    """Zeros at the end, dates and words as well; only an unquoted null is none."""
    write(
        tmp_path,
        "model: silver.orders\ngiven:\n  bronze.orders:\n"
        '    - {n: 1.10, d: 2026-01-01, b: yes, t: true, x: null, e: "", q: "null", l: [1, {a: 2}]}\n'
        "expect: []\n",
    )
    ((test,), findings) = read_tests(tmp_path)
    assert findings == ()
    assert test.given[ORDERS] == (
        {
            "n": "1.10",
            "d": "2026-01-01",
            "b": "yes",
            "t": "true",
            "x": None,
            "e": "",
            "q": "null",
            "l": ["1", {"a": "2"}],
        },
    )
    assert (test.name, test.expect, test.expect_quarantine, test.now) == ("orders", (), (), NOW)


def test_what_tests_share_stands_above_them(tmp_path: Path) -> None:
    """A test takes over what it does not say itself, table by table."""
    write(
        tmp_path,
        "model: silver.orders\nnow: 2026-05-01 12:00:00\ngiven:\n  bronze.orders: [{id: 1}]\n  bronze.people: []\n"
        "tests:\n"
        "  as above: {expect: [{id: 1}]}\n"
        "  otherwise:\n    model: gold.total\n    now: 2026-06-01T12:00:00+02:00\n    given: {bronze.orders: []}\n"
        "    expect_stop: unique:id\n",
    )
    ((first, second), findings) = read_tests(tmp_path)
    assert findings == ()
    assert (first.name, str(first.model), first.now) == (
        "orders: as above",
        "silver.orders",
        datetime(2026, 5, 1, 12, tzinfo=UTC),
    )
    assert (str(second.model), second.now, second.given[ORDERS], len(second.given)) == (
        "gold.total",
        datetime(2026, 6, 1, 10, tzinfo=UTC),
        (),
        2,
    )
    assert first.place("given", "bronze.orders", 0, "id").line == 4
    assert second.key_place("given", "bronze.orders").line == 11


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("given: {}\nexpect: []\n", "MP-1121", (1, 0)),
        ("model: silver.orders\n", "MP-1122", (1, 0)),
        ("model: orders\nexpect: []\n", "MP-1123", (1, 1)),
        ("model: a.b\ngiven:\n  oh no: []\nexpect: []\n", "MP-1123", (3, 3)),
        ("model: a.b\nexpected: []\n", "MP-1006", (2, 1)),
        ("model: a.b\nexpect: {}\n", "MP-1008", (2, 9)),
        ("model: a.b\nexpect: [1]\n", "MP-1008", (2, 10)),
        ("model: a.b\nnow: soon\nexpect: []\n", "MP-1008", (2, 6)),
        ("model: a.b\ntests:\n  x: {given: {a.c: [{}]}, expects: []}\n", "MP-1006", (3, 27)),
        ("model: [\n", "MP-1004", (2, 1)),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, text: str, code: str, place: tuple[int, int]) -> None:
    """With the file, line and column."""
    write(tmp_path, text)
    tests, findings = read_tests(tmp_path)
    found = {(finding.code, (finding.where.line, finding.where.column)) for finding in findings if finding.where}
    assert (code, place) in found
    assert tests == () or code == "MP-1123"


def test_every_yaml_file_below_the_folder_is_read(tmp_path: Path) -> None:
    """In order, without hidden ones; without a folder there are none."""
    assert read_tests(tmp_path) == ((), ())
    for name in ("b.yaml", "a/c.yml", ".hidden.yaml", "note.txt"):
        write(tmp_path, "model: a.b\nexpect: []\n", name)
    assert [test.path.name for test in read_tests(tmp_path)[0]] == ["c.yml", "b.yaml"]
