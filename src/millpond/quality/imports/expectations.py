"""Expectations of Great Expectations, by name and arguments, as checks. dbt_expectations has the same names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from millpond.core.names import literal, quote
from millpond.quality.imports.translation import Entry, UntranslatableError, bounds, pattern
from millpond.sql.values import value

Given = Mapping[str, Any]

_SAID = ("column", "column_A", "column_B", "column_list", "column_set", "mostly", "result_format", "include_config")
_IDLE = ("catch_exceptions", "meta", "batch_id", "regex_flags", "flags", "is_raw", "severity", "notes")
_NULLS = ("ignore_row_if", "parse_strings_as_datetimes", "quote_values")
"""Arguments that change nothing of what a check means, or that are looked at wherever they may stand."""

_TYPES = {
    **dict.fromkeys(("int", "int64", "integer", "bigint", "integertype", "longtype", "long"), "BIGINT"),
    **dict.fromkeys(("int32",), "INTEGER"),
    **dict.fromkeys(("float", "float64", "double", "double_precision", "doubletype", "floattype", "number"), "DOUBLE"),
    **dict.fromkeys(("bool", "boolean", "booleantype"), "BOOLEAN"),
    **dict.fromkeys(("date", "datetype"), "DATE"),
    **dict.fromkeys(("datetime", "datetime64", "datetime64[ns]", "timestamp", "timestamptype"), "TIMESTAMP"),
}


def _column(given: Given) -> str:
    return _name(given, "column")


def _name(given: Given, key: str) -> str:
    name = given.get(key)
    if not isinstance(name, str) or not name:
        raise UntranslatableError(f"it names no {key}")
    return name


def _members(given: Given) -> list[Any]:
    members = given.get("value_set")
    if not isinstance(members, list) or not members:
        raise UntranslatableError("it has no list of values")
    return members


def _between(given: Given) -> Entry:
    low, high = bounds(given)
    strict = (bool(given.get("strict_min")) and low is not None, bool(given.get("strict_max")) and high is not None)
    if not any(strict):
        return {"between": {_column(given): [low, high]}}
    column = quote(_column(given))
    parts = []
    for bound, is_strict, sign in ((low, strict[0], ">"), (high, strict[1], "<")):
        if bound is not None:
            parts.append(f"{column} {sign if is_strict else f'{sign}='} {value(bound)}")
    return {"sql": " AND ".join(parts)}


def _lengths(given: Given) -> Entry:
    _loose(given)
    return {"length": {_column(given): bounds(given)}}


def _rows(given: Given) -> Entry:
    _loose(given)
    return {"row_count": bounds(given)}


def _measure(measure: str) -> Callable[[Given], Entry]:
    def translate(given: Given) -> Entry:
        _loose(given)
        said = {0.5: bounds(given)} if measure == "quantile" else bounds(given)
        return {"distribution": {_column(given): {measure: said}}, "severity": "stop"}

    return translate


def _quantiles(given: Given) -> Entry:
    ranges = given.get("quantile_ranges")
    if not isinstance(ranges, Mapping) or given.get("allow_relative_error"):
        raise UntranslatableError("it has no quantile_ranges, or allows a relative error")
    portions, values = ranges.get("quantiles"), ranges.get("value_ranges")
    if not (isinstance(portions, list) and isinstance(values, list) and len(portions) == len(values)):
        raise UntranslatableError("its quantiles and ranges do not belong together")
    said = dict(zip(portions, values, strict=True))
    return {"distribution": {_column(given): {"quantile": said}}, "severity": "stop"}


def _least(given: Given) -> Entry:
    _loose(given)
    if given.get("max_value") is not None:
        raise UntranslatableError("the least value is to lie below something, which no check asks for")
    return {"between": {_column(given): [bounds(given)[0], None]}}


def _most(given: Given) -> Entry:
    _loose(given)
    if given.get("min_value") is not None:
        raise UntranslatableError("the greatest value is to lie above something, which no check asks for")
    return {"between": {_column(given): [None, bounds(given)[1]]}}


def _sum(given: Given) -> Entry:
    _loose(given)
    low, high = bounds(given)
    if low is None or high is None:
        raise UntranslatableError("a sum with one open end")
    middle, tolerance = (low + high) / 2, (high - low) / 2
    return {"sum_equals": {_column(given): middle}} | ({"tolerance": tolerance} if tolerance else {})


def _complete(given: Given) -> Entry:
    if given.get("max_value") not in (None, 1, 1.0):
        raise UntranslatableError("it bounds from above how many values there are")
    _loose(given)
    return {"completeness": {_column(given): f"{float(bounds(given)[0]) * 100:.10g}%"}}


def _pair(sign: str) -> Callable[[Given], Entry]:
    def translate(given: Given) -> Entry:
        if given.get("ignore_row_if") in ("either_value_is_missing", "both_values_are_missing", None):
            one, other = quote(_name(given, "column_A")), quote(_name(given, "column_B"))
            said = f"{sign}=" if given.get("or_equal") else sign
            return {"sql": f"{one} {said} {other}"}
        raise UntranslatableError("a missing value is a failure for it")

    return translate


def _type(given: Given) -> Entry:
    said = str(given.get("type_") or given.get("column_type") or "")
    if said.lower() not in _TYPES:
        raise UntranslatableError(f"the type {said or 'that it does not name'}: declare the column under `columns:`")
    return {"type": {_column(given): _TYPES[said.lower()]}}


def _together(given: Given) -> Entry:
    columns = given.get("column_list")
    if not isinstance(columns, list) or not columns:
        raise UntranslatableError("it names no columns")
    return {"unique": columns}


def _exactly(key: str) -> Any:
    def asked(given: Given) -> Any:
        if not isinstance(given.get(key), int | float):
            raise UntranslatableError(f"it has no {key}")
        return given[key]

    return asked


def _loose(given: Given) -> None:
    if given.get("strict_min") or given.get("strict_max"):
        raise UntranslatableError("its bounds do not belong to the range, and this kind of check has no such bounds")


_EXPECTED: Mapping[str, tuple[Callable[[Given], Entry], tuple[str, ...]]] = {
    "column_values_to_not_be_null": (lambda g: {"not_null": _column(g)}, ()),
    "column_values_to_be_null": (lambda g: {"sql": f"{quote(_column(g))} IS NULL"}, ()),
    "column_values_to_be_in_set": (lambda g: {"in": {_column(g): _members(g)}}, ("value_set",)),
    "column_values_to_not_be_in_set": (
        lambda g: {"sql": f"{quote(_column(g))} NOT IN ({', '.join(map(value, _members(g)))})"},
        ("value_set",),
    ),
    "column_values_to_be_between": (_between, ("min_value", "max_value", "strict_min", "strict_max")),
    "column_values_to_match_regex": (lambda g: {"regex": {_column(g): pattern(g.get("regex"))}}, ("regex",)),
    "column_values_to_not_match_regex": (
        lambda g: {"sql": f"NOT regexp_matches({quote(_column(g))}, {literal(pattern(g.get('regex')))})"},
        ("regex",),
    ),
    "column_value_lengths_to_be_between": (_lengths, ("min_value", "max_value", "strict_min", "strict_max")),
    "column_value_lengths_to_equal": (lambda g: {"length": {_column(g): _exactly("value")(g)}}, ("value",)),
    "column_values_to_be_of_type": (_type, ("type_", "column_type")),
    "column_values_to_be_unique": (lambda g: {"unique": _column(g)}, ()),
    "compound_columns_to_be_unique": (_together, ()),
    "table_row_count_to_be_between": (_rows, ("min_value", "max_value", "strict_min", "strict_max")),
    "table_row_count_to_equal": (lambda g: {"row_count": _exactly("value")(g)}, ("value",)),
    "column_mean_to_be_between": (_measure("mean"), ("min_value", "max_value", "strict_min", "strict_max")),
    "column_stdev_to_be_between": (_measure("stddev"), ("min_value", "max_value", "strict_min", "strict_max")),
    "column_median_to_be_between": (_measure("quantile"), ("min_value", "max_value", "strict_min", "strict_max")),
    "column_quantile_values_to_be_between": (_quantiles, ("quantile_ranges", "allow_relative_error")),
    "column_min_to_be_between": (_least, ("min_value", "max_value", "strict_min", "strict_max")),
    "column_max_to_be_between": (_most, ("min_value", "max_value", "strict_min", "strict_max")),
    "column_sum_to_be_between": (_sum, ("min_value", "max_value", "strict_min", "strict_max")),
    "column_proportion_of_non_null_values_to_be_between": (
        _complete,
        ("min_value", "max_value", "strict_min", "strict_max"),
    ),
    "column_pair_values_a_to_be_greater_than_b": (_pair(">"), ("or_equal",)),
    "column_pair_values_to_be_equal": (_pair("="), ()),
}

_CONTRACT = (
    *("column_to_exist", "table_columns_to_match_ordered_list", "table_columns_to_match_set"),
    *("table_column_count_to_equal", "table_column_count_to_be_between", "column_values_to_be_in_type_list"),
)
_BORNE = ("not_null", "in", "between", "regex", "length", "type", "sql", "unique")


def expectation(name: str, given: Given, severity: str) -> tuple[Entry, str | None]:
    """The check for an expectation whose failure has a severity (stop or warn), and in what it differs.

    Raises UntranslatableError with the reason where there is none.
    """
    plain = name.lower().removeprefix("expect_")
    if plain in _CONTRACT:
        raise UntranslatableError("which columns there are is the model's contract: write them under `columns:`")
    if plain not in _EXPECTED:
        raise UntranslatableError("no kind of check asks for this")
    if given.get("row_condition"):
        raise UntranslatableError("it is about some of the rows only (row_condition)")
    translate, takes = _EXPECTED[plain]
    unknown = {key for key, said in given.items() if said is not None} - {*_SAID, *_IDLE, *_NULLS, *takes}
    if unknown - {"condition_parser"}:
        raise UntranslatableError(f"it says {', '.join(sorted(unknown))}, which is not known")
    try:
        entry = dict(translate(given))
    except TypeError as wrong:
        raise UntranslatableError(f"its values are of another kind than expected ({wrong})") from wrong
    return _judged(entry, given.get("mostly"), severity)


def _judged(entry: dict[str, Any], mostly: Any, severity: str) -> tuple[Entry, str | None]:
    """The check with its severity, and with how much of the rows may fail."""
    kind = next(iter(entry))
    entry["severity"] = severity
    if mostly is None or mostly == 1:
        return entry, None
    if not isinstance(mostly, int | float) or not 0 <= mostly <= 1 or kind not in _BORNE:
        raise UntranslatableError(f"mostly: {mostly} has no counterpart here")
    if severity == "warn":
        return entry, f"it warns of every failure, and not only above mostly: {mostly}"
    return {**entry, "max_failed": f"{(1 - mostly) * 100:.10g}%"}, None
