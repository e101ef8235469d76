"""Expectations and data tests, one by one: the check that each becomes, or why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.project.check_text import check_lines, read_back
from millpond.quality.imports.dbt_tests import read_properties
from millpond.quality.imports.expectations import expectation
from millpond.quality.imports.translation import Left, Translated, UntranslatableError, checked, told_apart

NAMED = {"column": "a"}
PLACE = Location(Path("/suite.json"), 3)


@pytest.mark.parametrize(
    ("name", "given", "check"),
    [
        ("column_values_to_be_in_set", {"value_set": ["x", 1]}, {"in": {"a": ["x", 1]}}),
        ("column_values_to_be_between", {"min_value": 1, "strict_min": True}, {"sql": '"a" > 1'}),
        ("column_value_lengths_to_equal", {"value": 3}, {"length": {"a": 3}}),
        ("table_row_count_to_be_between", {"min_value": 1}, {"row_count": [1, None]}),
        (
            "column_median_to_be_between",
            {"min_value": 1, "max_value": 2},
            {"distribution": {"a": {"quantile": {0.5: [1, 2]}}}},
        ),
        ("column_min_to_be_between", {"min_value": 1}, {"between": {"a": [1, None]}}),
        ("column_sum_to_be_between", {"min_value": 8, "max_value": 12}, {"sum_equals": {"a": 10.0}, "tolerance": 2.0}),
        (
            "column_pair_values_a_to_be_greater_than_b",
            {"column_A": "a", "column_B": "b", "or_equal": True},
            {"sql": '"a" >= "b"'},
        ),
        ("column_proportion_of_non_null_values_to_be_between", {"min_value": 0.9}, {"completeness": {"a": "90%"}}),
        ("compound_columns_to_be_unique", {"column_list": ["a", "b"]}, {"unique": ["a", "b"]}),
    ],
)
def test_an_expectation_becomes_a_check_that_a_model_may_have(
    name: str, given: dict[str, Any], check: dict[str, Any]
) -> None:
    """The same meaning, and front matter that is read back without a finding."""
    entry, note = expectation(f"expect_{name}", {**NAMED, **given}, "stop")
    assert (entry, note) == ({**check, "severity": "stop"}, None)
    assert not isinstance(read_back(entry), str)


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("column_values_to_be_increasing", {}, "no kind of check"),
        ("column_values_to_not_be_null", {"row_condition": "b > 1"}, "some of the rows"),
        ("column_values_to_match_regex", {"regex": "(a)\\1"}, "RE2"),
        ("column_values_to_be_between", {"min_value": {"$PARAMETER": "x"}}, "computed"),
        ("column_mean_to_be_between", {"min_value": 1, "strict_min": True}, "bounds"),
        ("column_min_to_be_between", {"min_value": 1, "max_value": 5}, "no check asks for"),
        ("column_values_to_be_unique", {"somehow": 1}, "somehow"),
        ("table_row_count_to_equal", {"value": 3, "mostly": 0.5}, "mostly"),
    ],
)
def test_what_would_mean_something_else_is_left_with_its_reason(name: str, given: dict[str, Any], reason: str) -> None:
    """Never dropped, never bent."""
    with pytest.raises(UntranslatableError, match=reason):
        expectation(f"expect_{name}", {**NAMED, **given}, "stop")


@pytest.mark.parametrize(
    "text", ["*/ x /*", "${HOME}", "it's", "null", "007", "a: b", "line\nbreak", "^[A-Z]{2}\\d$", "\u2028"]
)
def test_a_text_is_read_back_as_it_was(text: str) -> None:
    """Nothing in it ends the comment that front matter is, or is taken for something else than text."""
    lines = "\n".join(check_lines({"in": {"a": [text]}}))
    assert "*/" not in lines
    assert "/*" not in lines
    (check,) = read_back({"in": {"a": [text]}})
    assert check.values == (text.replace("${", "$${"),)  # type: ignore[union-attr]


def test_two_checks_of_one_name_are_told_apart_and_one_said_twice_is_left() -> None:
    """Pasted together, they are valid."""
    entries = [{"between": {"a": [0, 1]}}, {"between": {"a": [0, 2]}}, {"between": {"a": [0, 1]}}]
    one, two, three = told_apart([checked("m", entry, "x", PLACE) for entry in entries])
    assert isinstance(one, Translated)
    assert isinstance(two, Translated)
    assert isinstance(three, Left)
    assert (one.rules, two.rules) == (("between:a",), ("between:imported_2",))


TESTS = [
    ("not_null: {config: {error_if: '> 10'}}", {"not_null": "c", "severity": "stop", "max_failed": 10}),
    ("not_null: {config: {error_if: '>= 10'}}", {"not_null": "c", "severity": "stop", "max_failed": 9}),
    ("accepted_values: {arguments: {values: [1, 2], quote: false}}", {"in": {"c": [1, 2]}, "severity": "stop"}),
    ("dbt_utils.accepted_range: {min_value: 0, inclusive: false}", {"sql": '"c" > 0', "severity": "stop"}),
    ("dbt_utils.expression_is_true: {expression: '> 1'}", {"sql": '"c" > 1', "severity": "stop"}),
    (
        "dbt_expectations.expect_column_values_to_be_between: {max_value: 9}",
        {"between": {"c": [None, 9]}, "severity": "stop"},
    ),
    (
        "relationships: {to: \"{{ source('raw', 'u') }}\", field: id}",
        {"relationship": {"c": "bronze.u.id"}, "severity": "quarantine", "max_failed": 0},
    ),
    ("not_null: {name: c_is_there}", {"not_null": "c", "severity": "stop", "name": "c_is_there"}),
    (
        "{name: few, test_name: accepted_values, values: [1], config: {severity: warn}}",
        {"in": {"c": [1]}, "severity": "warn", "name": "few"},
    ),
    ("not_null: {config: {where: c > 1}}", "where"),
    ("not_null: {where: c > 1}", "where"),
    ("unique: {config: {enabled: false}}", "switched off"),
    ("accepted_values: {values: \"{{ var('x') }}\"}", "Jinja"),
    ("not_null: {config: {fail_calc: 'sum(n)'}}", "fail_calc"),
    ("dbt_utils.accepted_range: {min_value: 'other + 1'}", "SQL"),
]


def test_what_a_data_test_says_of_itself_stands_above_its_check(tmp_path: Path) -> None:
    """As a comment that does not end the comment which the front matter is."""
    path = tmp_path / "schema.yml"
    said = "not_null: {name: there, description: 'always */ there,\\n  since: 2020'}"
    path.write_text(f"models:\n  - name: m\n    columns:\n      - name: c\n        tests:\n          - {said}\n")
    (found,) = told_apart(read_properties(path, lambda name: TableName("bronze", name)))
    assert isinstance(found, Translated)
    lines = check_lines(found.entry, found.description)
    assert lines[0].startswith("  # always * / there,")
    assert lines[1:] == ["  - not_null: c", "    severity: stop", "    name: there"]


@pytest.mark.parametrize(("written", "wanted"), TESTS)
def test_a_data_test_becomes_a_check_or_says_why_not(written: str, wanted: Any, tmp_path: Path) -> None:
    """With its severity and what it bears."""
    path = tmp_path / "schema.yml"
    path.write_text(f"models:\n  - name: m\n    columns:\n      - name: c\n        tests:\n          - {written}\n")
    (found,) = read_properties(path, lambda name: TableName("bronze", name))
    assert found.where.line == 6
    if isinstance(wanted, str):
        assert isinstance(found, Left)
        assert wanted in found.reason
    else:
        assert isinstance(found, Translated), found
        assert found.entry == wanted
