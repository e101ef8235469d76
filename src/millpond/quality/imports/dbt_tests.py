"""Data tests of dbt: property files such as schema.yml, with tests on models and on their columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from millpond.core.errors import Location, QualityError
from millpond.core.names import TableName, quote
from millpond.core.records import frozen
from millpond.project.findings import Findings
from millpond.project.text_file import read
from millpond.project.yaml_file import Document, Entry, compose
from millpond.quality.imports.expectations import expectation
from millpond.quality.imports.translation import Left, Result, Translated, UntranslatableError, checked
from millpond.sql.values import value

Resolve = Callable[[str], TableName | None]
"""Finds the table that a name of dbt's, without its layer, means."""

_TESTS = ("tests", "data_tests")
_RESOURCES = ("models", "snapshots", "seeds")
_CONFIG = ("severity", "where", "error_if", "warn_if", "enabled", "fail_calc")
_IDLE = ("limit", "store_failures", "store_failures_as", "tags", "meta", "group", "alias", "database", "schema")
_ABOUT = ("name", "description", "config", "arguments", "test_name")
_REFERENCE = re.compile(
    r"""(?:\{\{\s*)?(ref|source)\(\s*(?:['"][\w.-]+['"]\s*,\s*)?['"]([\w.-]+)['"]\s*\)(?:\s*\}\})?\Z"""
)
_MORE_THAN = re.compile(r"\s*(>=?)\s*(\d+)\s*\Z")
_AGES = {"day": ("d", 1), "hour": ("h", 1), "minute": ("m", 1), "week": ("d", 7)}


@frozen
class _Test:
    """One test as it is written: of a model, perhaps of one of its columns. `title` is its own name, if it has one."""

    model: str
    column: str | None
    name: str
    given: Mapping[str, Any]
    config: Mapping[str, Any]
    where: Location
    title: str | None = None
    description: str | None = None

    @property
    def origin(self) -> str:
        """The test with its column, for people."""
        return f"{self.name}({self.column})" if self.column else self.name

    @property
    def severity(self) -> str:
        """The severity of a check for it."""
        return "warn" if str(self.config.get("severity", "error")).lower() == "warn" else "stop"

    @property
    def on(self) -> str:
        """The column. Raises UntranslatableError where the test names none."""
        column = self.column or self.given.get("column_name")
        if not isinstance(column, str):
            raise UntranslatableError("it names no column")
        return column.strip('"`')


def read_properties(path: Path, resolve: Resolve) -> tuple[Result, ...]:
    """Every data test of a file, as a check or as what is left.

    Raises ProjectError MP-1002 to MP-1004 where the file cannot be read, QualityError MP-6403 where it declares nothing
    that dbt tests.
    """
    findings = Findings()
    document = compose(read(path), path).build(findings)
    findings.raise_if_any()
    data = document.data
    known = (*_RESOURCES, "sources", "unit_tests")
    if not isinstance(data, dict) or not any(word in data for word in known):
        raise QualityError(
            "MP-6403",
            f"this file declares none of {', '.join(known)}",
            next_step="name the property files of the dbt project, such as models/schema.yml",
            where=Location(path),
        )
    return tuple(_results(document, resolve))


def _results(document: Document, resolve: Resolve) -> Iterator[Result]:
    for word in _RESOURCES:
        for place, said in _items(document.data.get(word), (word,)):
            model = str(said.get("name", ""))
            for test in _tests(document, place, said, model):
                yield test if isinstance(test, Left) else _translate(test, resolve)
    for place, said in _items(document.data.get("sources"), ("sources",)):
        for inner, table in _items(said.get("tables"), (*place, "tables")):
            for test in _tests(document, inner, table, f"{said.get('name')}.{table.get('name')}"):
                reason = "a source has no checks: write it into the first model that reads it"
                yield test if isinstance(test, Left) else Left(test.model, test.origin, reason, test.where)
    for place, said in _items(document.data.get("unit_tests"), ("unit_tests",)):
        reason = "it is a unit test: `millpond test` tries files under tests/"
        yield Left(str(said.get("model")), f"unit test {said.get('name')}", reason, document.value_place(place))


def _items(given: Any, place: Entry) -> Iterator[tuple[Entry, dict[str, Any]]]:
    for number, item in enumerate(given if isinstance(given, list) else ()):
        if isinstance(item, dict):
            yield (*place, number), item


def _tests(document: Document, place: Entry, said: dict[str, Any], model: str) -> Iterator[_Test | Left]:
    """The tests of a model and of its columns; constraints are told of, for they are no tests here."""
    owners: list[tuple[Entry, dict[str, Any], str | None]] = [(place, said, None)]
    owners += [
        (inner, column, str(column.get("name"))) for inner, column in _items(said.get("columns"), (*place, "columns"))
    ]
    for inner, owner, column in owners:
        for key in _TESTS:
            listed = owner.get(key)
            for number, test in enumerate(listed if isinstance(listed, list) else ()):
                yield _read(document, (*inner, key, number), test, model, column)
        if owner.get("constraints"):
            reason = "constraints are a contract: write `nullable: false` under `columns:`, or a `key`"
            yield Left(
                model, f"constraints of {column or model}", reason, document.value_place((*inner, "constraints"))
            )
    for inner, version in _items(said.get("versions"), (*place, "versions")):
        if any(version.get(key) for key in (*_TESTS, "columns")):
            yield Left(
                model, f"version {version.get('v')}", "models have no versions here", document.value_place(inner)
            )


def _read(document: Document, place: Entry, said: Any, model: str, column: str | None) -> _Test | Left:
    where = document.value_place(place)
    if isinstance(said, str):
        return _Test(model, column, said, {}, {}, where)
    if not isinstance(said, dict) or not said:
        return Left(model, "a test", "it is neither a name nor a mapping", where)
    if "test_name" in said:
        name, given = str(said["test_name"]), dict(said)
    else:
        name = next(iter(said))
        given = {**{key: rest for key, rest in said.items() if key != name}, **_mapping(said[name])}
    config = {**{key: given[key] for key in (*_CONFIG, *_IDLE) if key in given}, **_mapping(given.get("config"))}
    arguments = _mapping(given.get("arguments"))
    rest = {key: one for key, one in given.items() if key not in (*_ABOUT, *_CONFIG, *_IDLE)}
    title, description = (_text(given.get(key)) for key in ("name", "description"))
    return _Test(model, column, name, {**rest, **arguments}, config, where, title, description)


def _text(given: Any) -> str | None:
    return str(given).strip() or None if given is not None else None


def _mapping(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _translate(test: _Test, resolve: Resolve) -> Result:
    try:
        _check_config(test)
        entry, note = _entry(test, resolve)
    except UntranslatableError as reason:
        return Left(test.model, test.origin, str(reason), test.where)
    if test.title is not None:
        entry = {**entry, "name": test.title}
    made = checked(test.model, entry, test.origin, test.where, note)
    return replace(made, description=test.description) if isinstance(made, Translated) else made


def _check_config(test: _Test) -> None:
    config = test.config
    if str(config.get("enabled", True)).lower() == "false":
        raise UntranslatableError("it is switched off (enabled: false)")
    for key in ("where", "fail_calc"):
        if config.get(key):
            raise UntranslatableError(f"its `{key}` has no counterpart here")
    unknown = config.keys() - {*_CONFIG, *_IDLE}
    if unknown:
        raise UntranslatableError(f"its config says {', '.join(sorted(unknown))}, which is not known")
    computed = [key for key, said in test.given.items() if key != "to" and "{{" in str(said)]
    if computed or "{{" in str(config):
        raise UntranslatableError("it is computed by Jinja")


def _entry(test: _Test, resolve: Resolve) -> tuple[Mapping[str, Any], str | None]:
    """The check, and in what it differs."""
    name = test.name.removeprefix("dbt.")
    if name.startswith("dbt_expectations."):
        if test.config.get("error_if") or test.config.get("warn_if"):
            raise UntranslatableError("its `error_if` or `warn_if` has no counterpart here")
        given = dict(test.given)
        if test.column is not None:
            given["column"] = test.on
        if given.pop("strictly", False):
            given |= {"strict_min": True, "strict_max": True}
        return expectation(name.removeprefix("dbt_expectations."), given, test.severity)
    if name not in _KNOWN:
        raise UntranslatableError("it is a test of the project's own: its query can become `sql: SELECT ...`")
    translate, takes = _KNOWN[name]
    unknown = test.given.keys() - {*takes, "column_name", "quote_columns"}
    if unknown:
        raise UntranslatableError(f"it says {', '.join(sorted(unknown))}, which is not known")
    return _borne(dict(translate(test, resolve)), test)


def _borne(entry: dict[str, Any], test: _Test) -> tuple[Mapping[str, Any], str | None]:
    """The check with its severity, and with how many failures it bears."""
    said = test.config.get("warn_if" if test.severity == "warn" else "error_if")
    found = _MORE_THAN.match(str(said)) if said is not None else None
    if said is not None and found is None and str(said).strip() not in ("!= 0", "!=0", ">0", "> 0"):
        raise UntranslatableError(f"its condition {said!r} is not of the form `> 10`")
    most = int(found[2]) - (found[1] == ">=") if found else 0
    kind = next(iter(entry))
    counts = kind in ("not_null", "in", "between", "unique", "sql", "relationship")
    if most and not counts:
        raise UntranslatableError(f"its condition {said!r} has no counterpart for {kind}")
    if test.severity == "warn":
        note = f"it warns of every failure, and not only when {said}" if most else None
        return {**entry, "severity": "warn"}, note
    if kind == "relationship":
        return {**entry, "severity": "quarantine", "max_failed": most}, None
    return {**entry, "severity": "stop", **({"max_failed": most} if most else {})}, None


def _members(test: _Test) -> list[Any]:
    members = test.given.get("values")
    if not isinstance(members, list) or not members:
        raise UntranslatableError("it has no list of values")
    return members


def _relationship(test: _Test, resolve: Resolve) -> Mapping[str, Any]:
    said = str(test.given.get("to", "")).strip()
    found = _REFERENCE.match(said)
    if found is None:
        raise UntranslatableError(f"its `to` is no plain ref() or source(): {said!r}")
    table = resolve(found[2].lower())
    if table is None:
        raise UntranslatableError(f"the project has no model or source {found[2]}")
    field = test.given.get("field")
    if not isinstance(field, str) or not field:
        raise UntranslatableError("it names no field")
    return {"relationship": {test.on: f"{table}.{field}"}}


def _range(test: _Test, _resolve: Resolve) -> Mapping[str, Any]:
    found = [test.given.get("min_value"), test.given.get("max_value")]
    if not all(bound is None or (isinstance(bound, int | float) and not isinstance(bound, bool)) for bound in found):
        raise UntranslatableError("its bounds are SQL and no numbers")
    if test.given.get("inclusive", True):
        return {"between": {test.on: found}}
    parts = [
        f"{quote(test.on)} {sign} {value(bound)}" for bound, sign in zip(found, "><", strict=True) if bound is not None
    ]
    return {"sql": " AND ".join(parts)}


def _expression(test: _Test, _resolve: Resolve) -> Mapping[str, Any]:
    said = test.given.get("expression")
    if not isinstance(said, str) or not said:
        raise UntranslatableError("it has no expression")
    return {"sql": f"{quote(test.on)} {said}" if test.column else said}


def _combination(test: _Test, _resolve: Resolve) -> Mapping[str, Any]:
    columns = test.given.get("combination_of_columns")
    if not isinstance(columns, list) or not columns:
        raise UntranslatableError("it names no columns")
    return {"unique": columns}


def _proportion(test: _Test, _resolve: Resolve) -> Mapping[str, Any]:
    least, most = test.given.get("at_least"), test.given.get("at_most", 1)
    if not isinstance(least, int | float) or most != 1:
        raise UntranslatableError("its shares are no number, or bounded from above")
    return {"completeness": {test.on: f"{least * 100:.10g}%"}}


def _recency(test: _Test, _resolve: Resolve) -> Mapping[str, Any]:
    part, interval = str(test.given.get("datepart", "")).lower(), test.given.get("interval")
    field = test.given.get("field")
    if part not in _AGES or not isinstance(interval, int) or not isinstance(field, str):
        raise UntranslatableError("its age is no number of minutes, hours, days or weeks")
    unit, times = _AGES[part]
    return {"freshness": {field: f"{interval * times}{unit}"}}


_KNOWN: Mapping[str, tuple[Callable[[_Test, Resolve], Mapping[str, Any]], tuple[str, ...]]] = {
    "unique": (lambda test, _: {"unique": test.on}, ()),
    "not_null": (lambda test, _: {"not_null": test.on}, ()),
    "accepted_values": (lambda test, _: {"in": {test.on: _members(test)}}, ("values", "quote")),
    "relationships": (_relationship, ("to", "field")),
    "dbt_utils.accepted_range": (_range, ("min_value", "max_value", "inclusive")),
    "dbt_utils.expression_is_true": (_expression, ("expression",)),
    "dbt_utils.unique_combination_of_columns": (_combination, ("combination_of_columns",)),
    "dbt_utils.not_null_proportion": (_proportion, ("at_least", "at_most")),
    "dbt_utils.recency": (_recency, ("datepart", "interval", "field")),
    "dbt_utils.not_empty_string": (lambda test, _: {"sql": f"trim({quote(test.on)}) <> ''"}, ("trim_whitespace",)),
    "dbt_utils.not_accepted_values": (
        lambda test, _: {"sql": f"{quote(test.on)} NOT IN ({', '.join(map(value, _members(test)))})"},
        ("values", "quote"),
    ),
}
