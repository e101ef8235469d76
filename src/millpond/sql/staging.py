"""The staged relation of a step: the new rows, each judged once by every rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from millpond.core.names import literal, quote
from millpond.core.records import frozen
from millpond.project.check import CheckSeverity, Limit
from millpond.sql.values import value

STAGED = "staged"
JUDGED = "judged"
HASH = "_mp_hash"
BAD = "_mp_bad"
REJECT = "_mp_reject"
GONE = "_mp_gone"
"""Whether the row deletes its key; NULL where that cannot be told."""
ROW = "_mp_row"
CARRIED = ("_mp_origin", "_mp_position", "_mp_load")
"""What row-preserving queries pass through: the whole input row as a struct, and where it came from."""

_NOTHING_RESCUED = r',"_rescued":null\}$'
_WORD = 60
"""Rules for each 64-bit word of failures."""


@frozen
class Rule:
    """One rule over the staged columns.

    `failing` is an SQL condition (NULL is no failure), `value` what failed as text, `reason` a sentence for people.
    More failures than `max_failed` stop the step.
    """

    name: str
    failing: str
    value: str
    reason: str
    severity: CheckSeverity
    max_failed: Limit | None = None


@frozen
class Staging:
    """How a step's rows are made and judged.

    `query` gives `outputs`, and with `traced` also CARRIED and ROW, for rows of the table `raw_of`. `carried` keeps the
    origin for every row, for the steps that may yet reject a row that broke no rule. `again` says that the query may be
    read more than once: it gives the same rows each time, so that they need not be kept. `kept` are the outputs that
    `judged` has too, and with `marked` the query also gives GONE, which both have. `whole` says that the key is one
    whole number. `identity` are the outputs by which a rejected row that is not traced is known again (empty: all of
    them).
    """

    query: str
    outputs: tuple[str, ...]
    rules: tuple[Rule, ...]
    key: tuple[str, ...] = ()
    traced: bool = False
    carried: bool = False
    again: bool = False
    kept: tuple[str, ...] = ()
    marked: bool = False
    whole: bool = False
    raw_of: str = ""
    identity: tuple[str, ...] = ()


def create_input(name: str, rows: str, columns: tuple[str, ...], origin: tuple[str, str, str]) -> str:
    """Temp view of an input's new rows with CARRIED and ROW added; `origin` are the three expressions of CARRIED."""
    packed = ", ".join(f"{quote(column)} := {quote(column)}" for column in columns)
    carried = ", ".join(f"{expression} AS {alias}" for expression, alias in zip(origin, CARRIED, strict=True))
    selected = f"SELECT *, {carried}, struct_pack({packed}) AS {ROW} FROM ({rows}) AS rows"
    return f"CREATE OR REPLACE TEMP VIEW {quote(name)} AS {selected}"


def create_staged(staging: Staging) -> str:
    """Temporary relation of the outputs, a hash of the key, failure words, whether the row is bad, and `_mp_reject`.

    `_mp_reject` is the JSON of a bad row. Where the query may be read again this is a view, for memory that is touched
    for the first time costs more than reading twice.
    """
    return _create_staged(staging, staging.query, "TRUE")


def create_settled(staging: Staging, failed: Sequence[int]) -> str:
    """The staged view once more, which need not ask again what the judged rows say already.

    `failed` are the rows that broke each rule. A rule that no row broke is left out, and the others are asked only of
    rows whose key a rejected row has.
    """
    rules = tuple(rule for rule, count in zip(staging.rules, failed, strict=True) if count)
    rules = tuple(rule for _, rule in _rejecting(rules))
    query, suspect = staging.query, "TRUE"
    if rules and staging.key:
        suspect = "_mp_suspect"
        hashed = key_hash(staging.key, whole=staging.whole)
        doubtful = f"SELECT {HASH} FROM {JUDGED} WHERE {BAD} AND {HASH} IS NOT NULL"
        marked = f"({hashed} IS NULL OR {hashed} IN ({doubtful})) AS {suspect}"
        query = f"SELECT *, {marked} FROM ({query}) AS p"
    return _create_staged(replace(staging, rules=rules), query, suspect)


def _create_staged(staging: Staging, query: str, asked: str) -> str:
    """`asked` is the condition of the rows that the rules are asked of; the others broke none."""
    outputs = ", ".join(quote(name) for name in staging.outputs)
    hashed = f", {key_hash(staging.key, whole=staging.whole)} AS {HASH}" if staging.key else ""
    carried = _carried(staging) if staging.carried else ""
    gone = f", {GONE}" if staging.marked else ""
    kept = "".join(f", {quote(_word_name(index))}" for index in _words(staging.rules))
    return (
        f"CREATE OR REPLACE TEMP {'VIEW' if staging.again else 'TABLE'} {STAGED} AS "
        f"SELECT {outputs}{hashed}{carried}{gone}{kept}, {_broken(staging.rules)} AS {BAD}, "
        f"{_reject(staging)} AS {REJECT} FROM ({_judging(staging, query, asked)}) AS judged"
    )


def good_rows(staging: Staging) -> str:
    """SELECT of the outputs (and GONE) of the rows that no rule rejects, without anything being staged."""
    outputs = ", ".join(quote(name) for name in staging.outputs)
    gone = f", {GONE}" if staging.marked else ""
    rows = f"SELECT {outputs}{gone} FROM ({_judging(staging, staging.query)}) AS judged"
    return f"{rows} WHERE NOT ({_broken(staging.rules)})"


def bad_places(staging: Staging) -> str:
    """SELECT of origin and position of the rows that a rule rejects, without anything being staged; for traced rows."""
    origin, position, _ = CARRIED
    rows = f"SELECT {origin}, {position} FROM ({_judging(staging, staging.query)}) AS judged"
    return f"{rows} WHERE {_broken(staging.rules)}"


def create_judged(staging: Staging) -> str:
    """Temporary relation of each staged row: the hash, failure words, kept outputs, and whether it is bad.

    Where the staged rows are not kept, these few bytes of each are.
    """
    words = [quote(_word_name(index)) for index in _words(staging.rules)]
    kept = [quote(name) for name in staging.kept] + [GONE] * staging.marked
    columns = ", ".join([HASH] * bool(staging.key) + words + kept + [BAD])
    return f"CREATE TEMP {'TABLE' if staging.again else 'VIEW'} {JUDGED} AS SELECT {columns} FROM {STAGED}"


def key_hash(key: tuple[str, ...], *, whole: bool = False) -> str:
    """The expression that hashes a key; equal keys have equal hashes. A whole number is its own hash."""
    if whole:
        return f"{quote(key[0])}::BIGINT"
    return f"hash({', '.join(quote(name) for name in key)})"


def counts(rules: tuple[Rule, ...]) -> str:
    """SELECT of staged rows, rejected rows, and for each rule the rows that failed it; one row.

    Rows that broke the same rules are counted together first: a bit is then looked at once for many rows.
    """
    words = "".join(f", {quote(_word_name(index))}" for index in _words(rules))
    failed = "".join(f", coalesce(sum(_mp_n) FILTER (WHERE {_failed(i)}), 0)::BIGINT" for i in range(len(rules)))
    return (
        f"SELECT coalesce(sum(_mp_n), 0)::BIGINT, coalesce(sum(_mp_n) FILTER (WHERE {BAD}), 0)::BIGINT{failed} "
        f"FROM (SELECT {BAD}{words}, count(*) AS _mp_n FROM {JUDGED} GROUP BY ALL) AS alike"
    )


def example(rules: tuple[Rule, ...], index: int) -> str:
    """SELECT of the value of some row that broke a rule, by the rule's place; NULL where there is nothing to show."""
    return f"SELECT min({rules[index].value}) FROM {STAGED} WHERE {_failed(index)}"


def reject_field(name: str, as_type: str = "VARCHAR") -> str:
    """The expression that reads one field of `_mp_reject`.

    The fields: rule, value, reason, raw, and where they are known raw_of, same, origin, position and load.
    """
    return f"({REJECT} ->> {literal('$.' + name)})::{as_type}"


def rejected() -> str:
    """The rejected rows, as a parenthesised query."""
    return f"(SELECT {REJECT} FROM {STAGED} WHERE {BAD})"


def key_text(key: tuple[str, ...]) -> str:
    """The expression that shows a key to people."""
    return f"concat_ws(', ', {', '.join(quote(name) for name in key)})"


def as_json(outputs: tuple[str, ...]) -> str:
    """The expression that gives a row's columns as a JSON object's text."""
    return f"to_json({_packed(outputs)})::VARCHAR"


def count_good() -> str:
    """SELECT of how many staged rows no rule rejected."""
    return f"SELECT count(*) FROM {STAGED} WHERE {good()}"


def raw_row(packed: str) -> str:
    """A row, packed as a struct, as JSON text; `_rescued`, which comes last, is left out where nothing was."""
    return f"regexp_replace(to_json({packed})::VARCHAR, {literal(_NOTHING_RESCUED)}, '}}')"


def good() -> str:
    """The condition of staged rows that no rule rejected."""
    return f"NOT {BAD}"


def staged_twice(*, whole: bool = False) -> str:
    """SELECT of the hashes that several good staged rows have; with `whole`, a hash is the key itself.

    The upper halves of the hashes are sorted and neighbours compared, and only where two are equal are whole hashes
    grouped: grouping all of them takes three times as long and four times the memory.
    """
    half = f"({f'hash({HASH})' if whole else HASH} >> 32)::UINTEGER"
    halves = f"SELECT {half} AS _mp_half FROM {JUDGED} WHERE {good()}"
    following = f"SELECT _mp_half, lag(_mp_half) OVER (ORDER BY _mp_half) AS _mp_before FROM ({halves}) AS halves"
    likely = f"SELECT _mp_half FROM ({following}) AS following WHERE _mp_half = _mp_before"
    return f"SELECT {HASH} FROM {JUDGED} WHERE {good()} AND {half} IN ({likely}) GROUP BY {HASH} HAVING count(*) > 1"


def key_bounds(column: str) -> str:
    """SELECT of the least and greatest value that a key column, one of `kept`, has among the good staged rows."""
    return f"SELECT min({quote(column)}), max({quote(column)}) FROM {JUDGED} WHERE {good()}"


def key_spread(column: str) -> str:
    """SELECT of the bounds of a key column, as `key_bounds` gives them, and of the number of good staged rows."""
    return f"SELECT min({quote(column)}), max({quote(column)}), count(*) FROM {JUDGED} WHERE {good()}"


def whole_bounds() -> str:
    """SELECT of the least and greatest whole-number key of the good staged rows, and of their number."""
    return f"SELECT min({HASH}), max({HASH}), count(*) FROM {JUDGED} WHERE {good()}"


def whole_numbers(low: int, high: int) -> str:
    """SELECT of how many different whole-number keys the good staged rows have, all of them within the bounds.

    A bit for each number of the range: ten times as fast as telling equal keys from each other by sorting.
    """
    return f"SELECT bit_count(bitstring_agg({HASH}, {low}, {high})) FROM {JUDGED} WHERE {good()}"


def within(column: str, low: object, high: object) -> str:
    """The condition of rows that can share a key with a staged row, by the bounds of one key column."""
    return f"{quote(column)} >= {value(low)} AND {quote(column)} <= {value(high)}"


def _judging(staging: Staging, query: str, asked: str = "TRUE") -> str:
    """The rows of a query with their failure words; `asked` is the condition of those that the rules are asked of."""
    names = ((index, quote(_word_name(index))) for index in _words(staging.rules))
    words = "".join(f", {_word(staging.rules, index, asked)} AS {name}" for index, name in names)
    return f"SELECT *{words} FROM ({query}) AS q"


def _carried(staging: Staging) -> str:
    if staging.traced:
        return "".join(f", {name}" for name in CARRIED)
    types = ("VARCHAR", "BIGINT", "VARCHAR")
    return "".join(f", NULL::{kind} AS {name}" for name, kind in zip(CARRIED, types, strict=True))


def _failed(index: int) -> str:
    """The condition of rows that broke the rule at a place."""
    return f"({quote(_word_name(index // _WORD))} & {1 << (index % _WORD)}) <> 0"


def _words(rules: tuple[Rule, ...]) -> range:
    return range((len(rules) + _WORD - 1) // _WORD)


def _word_name(index: int) -> str:
    return f"_mp_failed_{index}"


def _word(rules: tuple[Rule, ...], index: int, asked: str) -> str:
    part = rules[index * _WORD : (index + 1) * _WORD]
    bits = " | ".join(f"CASE WHEN {rule.failing} THEN {1 << bit} ELSE 0 END" for bit, rule in enumerate(part))
    word = bits if asked == "TRUE" else f"CASE WHEN {asked} THEN {bits} ELSE 0 END"
    return f"({word})::{'UTINYINT' if len(part) <= 8 else 'UBIGINT'}"


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
        "raw": raw_row(ROW) if staging.traced else as_json(staging.outputs),
    }
    if staging.identity and not staging.traced:
        fields["same"] = as_json(staging.identity)
    if staging.traced:
        fields["raw_of"] = literal(staging.raw_of)
        fields |= dict(zip(("origin", "position", "load"), CARRIED, strict=True))
    return f"CASE WHEN {_broken(staging.rules)} THEN {_reject_json(fields)} END"


def _reject_json(fields: dict[str, str]) -> str:
    packed = ", ".join(f"{quote(name)} := {expression}" for name, expression in fields.items())
    return f"to_json(struct_pack({packed}))::VARCHAR"


def _first(rules: list[tuple[int, Rule]], shown: Callable[[Rule], str]) -> str:
    cases = " ".join(f"WHEN {_failed(i)} THEN {shown(rule)}" for i, rule in rules)
    return f"CASE {cases} END"


def _packed(outputs: tuple[str, ...]) -> str:
    return f"struct_pack({', '.join(f'{quote(name)} := {quote(name)}' for name in outputs)})"


def endless_time(query: str, column: str) -> str:
    """SELECT of one value of a query's column that is a time without end, as text; no row where none is."""
    return f"SELECT {quote(column)}::VARCHAR FROM ({query}) AS q WHERE isinf({quote(column)}) LIMIT 1"
