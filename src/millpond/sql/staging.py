"""The staged relation of a step: the new rows, each judged once by every rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from millpond.core.names import literal, quote
from millpond.project.check import CheckSeverity

STAGED = "staged"
JUDGED = "judged"
HASH = "_mp_hash"
BAD = "_mp_bad"
REJECT = "_mp_reject"
ROW = "_mp_row"
CARRIED = ("_mp_origin", "_mp_position", "_mp_load")
"""What row-preserving queries pass through: the whole input row as a struct, and where it came from."""

_NOTHING_RESCUED = r',"_rescued":null\}$'
_WORD = 60
"""Rules for each 64-bit word of failures."""


@dataclass(frozen=True)
class Rule:
    """One rule over the staged columns.

    `failing` is an SQL condition that is never NULL, `value` what failed as text, `reason` a sentence for people.
    """

    name: str
    failing: str
    value: str
    reason: str
    severity: CheckSeverity


@dataclass(frozen=True)
class Staging:
    """How a step's rows are made and judged.

    `query` gives `outputs`, and with `traced` also CARRIED and ROW, for rows of the table `raw_of`. `carried` keeps the
    origin for every row, for the steps that may yet reject a row that broke no rule. `again` says that the query may be
    read more than once: it gives the same rows each time, so that they need not be kept; `bounding` is the output whose
    bounds are asked for. `whole` says that the key is one whole number. `identity` are the outputs by which a rejected
    row that is not traced is known again (empty: all of them).
    """

    query: str
    outputs: tuple[str, ...]
    rules: tuple[Rule, ...]
    key: tuple[str, ...] = ()
    traced: bool = False
    carried: bool = False
    again: bool = False
    bounding: str | None = None
    whole: bool = False
    raw_of: str = ""
    identity: tuple[str, ...] = ()


def create_input(name: str, rows: str, columns: tuple[str, ...], origin: tuple[str, str, str]) -> str:
    """Temp view of an input's new rows with CARRIED and ROW added; `origin` are the three expressions of CARRIED."""
    packed = ", ".join(f"{quote(column)} := {quote(column)}" for column in columns)
    carried = ", ".join(f"{expression} AS {alias}" for expression, alias in zip(origin, CARRIED, strict=True))
    return (
        f"CREATE TEMP VIEW {quote(name)} AS SELECT *, {carried}, struct_pack({packed}) AS {ROW} FROM ({rows}) AS rows"
    )


def create_staged(staging: Staging) -> str:
    """Temporary relation of the outputs, a hash of the key, failure words, whether the row is bad, and `_mp_reject`.

    `_mp_reject` is the JSON of a bad row. Where the query may be read again this is a view, for memory that is touched
    for the first time costs more than reading twice.
    """
    outputs = ", ".join(quote(name) for name in staging.outputs)
    words = "".join(f", {_word(staging.rules, index)} AS {quote(_word_name(index))}" for index in _words(staging.rules))
    hashed = f", {key_hash(staging.key, whole=staging.whole)} AS {HASH}" if staging.key else ""
    carried = _carried(staging) if staging.carried else ""
    kept = "".join(f", {quote(_word_name(index))}" for index in _words(staging.rules))
    return (
        f"CREATE TEMP {'VIEW' if staging.again else 'TABLE'} {STAGED} AS "
        f"SELECT {outputs}{hashed}{carried}{kept}, {_broken(staging.rules)} AS {BAD}, {_reject(staging)} AS {REJECT} "
        f"FROM (SELECT *{words} FROM ({staging.query}) AS q) AS judged"
    )


def create_judged(staging: Staging) -> str:
    """Temporary relation of each staged row: the hash, failure words, bounding output, and whether it is bad.

    Where the staged rows are not kept, these few bytes of each are.
    """
    words = [quote(_word_name(index)) for index in _words(staging.rules)]
    bounding = [quote(staging.bounding)] if staging.bounding else []
    columns = ", ".join([HASH] * bool(staging.key) + words + bounding + [BAD])
    return f"CREATE TEMP {'TABLE' if staging.again else 'VIEW'} {JUDGED} AS SELECT {columns} FROM {STAGED}"


def key_hash(key: tuple[str, ...], *, whole: bool = False) -> str:
    """The expression that hashes a key; equal keys have equal hashes. A whole number is its own hash."""
    if whole:
        return f"{quote(key[0])}::BIGINT"
    return f"hash({', '.join(quote(name) for name in key)})"


def counts(rules: tuple[Rule, ...]) -> str:
    """SELECT of staged rows, rejected rows, and for each rule the rows that failed it; one row."""
    failed = "".join(
        f", count(*) FILTER (WHERE ({quote(_word_name(i // _WORD))} & {1 << (i % _WORD)}) <> 0)"
        for i in range(len(rules))
    )
    return f"SELECT count(*), count(*) FILTER (WHERE {BAD}){failed} FROM {JUDGED}"


def reject_field(name: str, as_type: str = "VARCHAR") -> str:
    """The expression that reads one field of `_mp_reject`.

    The fields: rule, value, reason, raw, and where they are known raw_of, same, origin, position and load.
    """
    return f"({REJECT} ->> {literal('$.' + name)})::{as_type}"


def reject_later(staging: Staging, rule: Rule) -> str:
    """The JSON that rejects a row already staged; its origin is there when it was carried."""
    fields = {"rule": literal(rule.name), "value": rule.value, "reason": literal(rule.reason)}
    fields["raw"] = as_json(staging.outputs)
    if staging.identity:
        fields["same"] = as_json(staging.identity)
    if staging.carried:
        fields |= dict(zip(("origin", "position", "load"), CARRIED, strict=True))
    return _reject_json(fields)


def rejected() -> str:
    """The rejected rows, as a parenthesised query."""
    return f"(SELECT {REJECT} FROM {STAGED} WHERE {BAD})"


def key_text(key: tuple[str, ...]) -> str:
    """The expression that shows a key to people."""
    return f"concat_ws(', ', {', '.join(quote(name) for name in key)})"


def as_json(outputs: tuple[str, ...]) -> str:
    """The expression that gives a row's columns as a JSON object's text."""
    return f"to_json({_packed(outputs)})::VARCHAR"


def good() -> str:
    """The condition of staged rows that no rule rejected."""
    return f"NOT {BAD}"


def _carried(staging: Staging) -> str:
    if staging.traced:
        return "".join(f", {name}" for name in CARRIED)
    types = ("VARCHAR", "BIGINT", "VARCHAR")
    return "".join(f", NULL::{kind} AS {name}" for name, kind in zip(CARRIED, types, strict=True))


def _words(rules: tuple[Rule, ...]) -> range:
    return range((len(rules) + _WORD - 1) // _WORD)


def _word_name(index: int) -> str:
    return f"_mp_failed_{index}"


def _word(rules: tuple[Rule, ...], index: int) -> str:
    part = rules[index * _WORD : (index + 1) * _WORD]
    bits = " | ".join(f"CASE WHEN {rule.failing} THEN {1 << bit} ELSE 0 END" for bit, rule in enumerate(part))
    return f"({bits})::{'UTINYINT' if len(part) <= 8 else 'UBIGINT'}"


def _rejecting(rules: tuple[Rule, ...]) -> list[tuple[int, Rule]]:
    return [(i, rule) for i, rule in enumerate(rules) if rule.severity == "quarantine"]


def _broken(rules: tuple[Rule, ...]) -> str:
    """The condition that some rule with severity quarantine is broken; never NULL."""
    masks: dict[int, int] = {}
    for i, _ in _rejecting(rules):
        masks[i // _WORD] = masks.get(i // _WORD, 0) | 1 << (i % _WORD)
    return " OR ".join(f"({quote(_word_name(word))} & {mask}) <> 0" for word, mask in masks.items()) or "FALSE"


def _reject(staging: Staging) -> str:
    """JSON for the rows that a rule with severity quarantine rejects, named by the first one broken; else NULL."""
    rejecting = _rejecting(staging.rules)
    if not rejecting:
        return "NULL::VARCHAR"
    fields = {
        "rule": _first(rejecting, lambda rule: literal(rule.name)),
        "value": _first(rejecting, lambda rule: rule.value),
        "reason": _first(rejecting, lambda rule: literal(rule.reason)),
        "raw": _raw_row() if staging.traced else as_json(staging.outputs),
    }
    if staging.identity and not staging.traced:
        fields["same"] = as_json(staging.identity)
    if staging.traced:
        fields["raw_of"] = literal(staging.raw_of)
        fields |= dict(zip(("origin", "position", "load"), CARRIED, strict=True))
    return f"CASE WHEN {_broken(staging.rules)} THEN {_reject_json(fields)} END"


def _raw_row() -> str:
    """The input row as JSON text; `_rescued`, which comes last, is left out where nothing was."""
    return f"regexp_replace(to_json({ROW})::VARCHAR, {literal(_NOTHING_RESCUED)}, '}}')"


def _reject_json(fields: dict[str, str]) -> str:
    packed = ", ".join(f"{quote(name)} := {expression}" for name, expression in fields.items())
    return f"to_json(struct_pack({packed}))::VARCHAR"


def _first(rules: list[tuple[int, Rule]], shown: Callable[[Rule], str]) -> str:
    cases = " ".join(
        f"WHEN ({quote(_word_name(i // _WORD))} & {1 << (i % _WORD)}) <> 0 THEN {shown(rule)}" for i, rule in rules
    )
    return f"CASE {cases} END"


def _packed(outputs: tuple[str, ...]) -> str:
    return f"struct_pack({', '.join(f'{quote(name)} := {quote(name)}' for name in outputs)})"
