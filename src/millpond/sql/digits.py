"""JSON numbers as they were written: the engine reads 1.10 as 1.1 and 0.1e-7 as 1e-8, and bronze must not.

The engine writes most numbers as it read them: whole ones, and fractions of at most fifteen digits that do not end in
zero. Only records with others are read in another way, which takes three times as long: their numbers become texts with
a mark before them, which is taken off again after the fields are read.
"""

from __future__ import annotations

from millpond.core.names import literal

_MARK = "\ufdd0"
"""A code point that Unicode keeps from ever being a character."""

_ZERO = r"\.[0-9]+0[^0-9]"
"""A fraction that ends in zero: what unusual numbers mostly are, and found ten times as fast as the others."""
_DIGITS = "|".join(rf"[0-9]{{{before}}}\.[0-9]{{{16 - before}}}" for before in range(1, 16))
_OTHER = rf"[0-9][eE][-+0-9]|-0[\s,\]}}]|0\.00000|{_DIGITS}"
"""An exponent, minus nothing, a very small number, more than fifteen digits. The same in a text does no harm."""

_QUICK = r'("\s*:\s*|[\[,]\s*)(-?[0-9]+[.eE][0-9.eE+-]*|-0)'
"""A fraction behind what stands before numbers. Inside a text it matches too: then the record is no JSON any more."""
_CAREFUL = r'((?:"(?:[^"\\]|\\.)*"|[^"0-9-])*)(-?[0-9][0-9.eE+-]*|$)'
"""Texts and all else up to a number, and the number; at the end an empty one."""
_QUOTED = rf'\1"{_MARK}\2"'
_END = f'"{_MARK}'
"""The characters of the empty number at the end."""
_INNER = f'"{_MARK}([^"]*)"'
"""A marked number inside a nested value."""


def unusual_numbers(json: str) -> str:
    """The condition that a record may hold numbers that the engine would write in another way."""
    text = f"{json}::VARCHAR"
    marked = f"contains({text}, {literal(_MARK)}) OR contains(lower({text}), '\\ufdd0')"
    # Most programs write no blanks: what comes out as it went in needs no closer look.
    return (
        f"CASE WHEN regexp_matches({text}, {literal(_ZERO)}) THEN NOT ({marked}) "
        f"WHEN json({json})::VARCHAR = {text} THEN FALSE "
        f"WHEN regexp_matches({text}, {literal(_OTHER)}) THEN NOT ({marked}) ELSE FALSE END"
    )


def exact_fields(json: str, pointers: str) -> str:
    """The values of a record's fields as a list of texts, with every number as it was written."""
    quick = f"json_extract_string({_marked(json, _QUICK)}, [{pointers}])"
    careful = f"json_extract_string(rtrim({_marked(json, _CAREFUL)}, {literal(_END)}), [{pointers}])"
    mark = literal(_MARK)
    inner = f"regexp_replace(v, {literal(_INNER)}, '\\1', 'g')"
    bare = f"CASE WHEN starts_with(v, {mark}) THEN v[2:] WHEN contains(v, {mark}) THEN {inner} ELSE v END"
    return f"list_transform(coalesce(TRY({quick}), {careful}), lambda v: {bare})"


def _marked(json: str, pattern: str) -> str:
    return f"regexp_replace({json}::VARCHAR, {literal(pattern)}, {literal(_QUOTED)}, 'g')"
