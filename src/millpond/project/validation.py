"""From YAML to a frozen record: what does not fit becomes findings at the author's own place, in human words."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from millpond.core.names import closest
from millpond.core.records import frozen
from millpond.project.findings import Findings
from millpond.project.yaml_file import Document, Entry

M = TypeVar("M", bound=BaseModel)

_LONGEST = 60

_SHAPES: Mapping[str, str] = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "dict_type": "a mapping of `key: value`",
    "model_type": "a mapping of `key: value`",
    "list_type": "a list",
    "tuple_type": "a list",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "string_too_short": "at least {min_length} character(s) long",
    "string_too_long": "at most {max_length} character(s) long",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "finite_number": "a finite number",
    "string_pattern_mismatch": "of the form {pattern}",
}


@frozen
class Validated(Generic[M]):
    """What became of a document: the record, or None with what is wrong noted.

    `part` is the record without the keys (and without the items of lists of records) that are wrong, so that the rest
    can be judged all the same; None where nothing can be said. `dropped` are the entries that it leaves out.
    """

    record: M | None
    part: M | None
    dropped: frozenset[Entry] = frozenset()


def validate(model: type[M], document: Document, findings: Findings) -> Validated[M]:
    """The record that the document declares, with everything that is wrong noted in `findings`.

    Codes: MP-1006 unknown key, MP-1007 missing key, MP-1008 a value that does not fit, MP-1037 a bad name.
    """
    try:
        record = model.model_validate(document.data)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False)
        for error in errors:
            _note(model, document, error, findings)
        return _part(model, document.data, [error["loc"] for error in errors])
    return Validated(record, record)


def _part(model: type[M], data: Any, wrong: list[tuple[int | str, ...]]) -> Validated[M]:
    if not isinstance(data, dict):
        return Validated(None, None)
    dropped: set[Entry] = set()
    for entry in wrong:
        in_list = len(entry) > 1 and isinstance(entry[1], int) and isinstance(data.get(entry[0]), list)
        dropped.add(entry[:2] if in_list and _keys(_annotation(model, entry[:2])) else entry[:1])
    kept = {
        key: [item for position, item in enumerate(value) if (key, position) not in dropped]
        if isinstance(value, list)
        else value
        for key, value in data.items()
        if (key,) not in dropped
    }
    try:
        return Validated(None, model.model_validate(kept), frozenset(dropped))
    except ValidationError:
        return Validated(None, None)


def _note(model: type[BaseModel], document: Document, error: ErrorDetails, findings: Findings) -> None:
    entry: Entry = tuple(step for step in error["loc"] if step != "[key]")
    key = _dotted(entry)
    if "[key]" in error["loc"]:
        findings.add(
            "MP-1037",
            f'"{entry[-1]}" is no name under "{_dotted(entry[:-1])}"',
            next_step=_key_step(error),
            where=document.key_place(entry),
        )
    elif error["type"] == "extra_forbidden":
        known = sorted(_keys(_annotation(model, entry[:-1])))
        findings.add(
            "MP-1006",
            f'unknown key "{entry[-1]}"',
            next_step=f"the keys here are {', '.join(known)}"
            + ("" if error["input"] is not None else "; put text that holds a comma in quotes"),
            where=document.key_place(entry),
            suggestion=closest(str(entry[-1]), known),
        )
    elif error["type"] == "missing":
        field = _field(model, entry)
        findings.add(
            "MP-1007",
            f'the key "{key}" is missing',
            next_step=f"add `{entry[-1]}:` ({_described(field)})",
            where=document.key_place(entry[:-1]),
        )
    else:
        value = error["input"]
        allowed = tuple(map(str, _members(_annotation(model, entry))))
        findings.add(
            "MP-1008",
            f'"{key}" must be {_must_be(model, entry, error, allowed)}, not {_shown(value, error)}'
            if key
            else _whole(value),
            next_step=_next_step(model, entry, error),
            where=document.value_place(entry),
            suggestion=closest(value, allowed) if isinstance(value, str) else None,
        )


def _must_be(model: type[BaseModel], entry: Entry, error: ErrorDetails, allowed: Sequence[str]) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if allowed:
        return " or ".join(filter(None, (", ".join(allowed[:-1]), allowed[-1])))
    field = _field(model, entry)
    extra = field.json_schema_extra if field else None
    if error["type"] == "string_pattern_mismatch" and isinstance(extra, dict) and "patternErrorMessage" in extra:
        return str(extra["patternErrorMessage"])
    shape = _SHAPES.get(error["type"])
    return shape.format(**error.get("ctx", {})) if shape else error["msg"][:1].lower() + error["msg"][1:]


def _next_step(model: type[BaseModel], entry: Entry, error: ErrorDetails) -> str:
    if error["type"] == "string_type" and isinstance(error["input"], bool | int | float):
        return "put the value in quotes to make it text"
    if error["type"] == "string_type" and error["input"] is None:
        return "give it a value, or remove the key"
    field = _field(model, entry)
    return f"correct the value, which says: {_described(field)}" if field else "write `key: value` lines"


def _key_step(error: ErrorDetails) -> str:
    if error["type"] == "literal_error":
        return "write one of " + str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
    return "use letters, digits and underscores, with a letter first"


def _whole(value: Any) -> str:
    return f"the file must be a mapping of `key: value`, not {_shown(value, None)}"


def _described(field: FieldInfo | None) -> str:
    text = (field.description if field else None) or "see docs/reference/project.md"
    return (text[:1].lower() + text[1:] if text[1:2].islower() else text).rstrip(".")


def _shown(value: Any, error: ErrorDetails | None) -> str:
    if error is not None and error["type"] in ("too_short", "too_long"):
        return f"of {error['ctx']['actual_length']}"
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return f'"{text}"' if isinstance(value, str) else text


def _dotted(entry: Entry) -> str:
    text = ""
    for step in entry:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _field(model: type[BaseModel], entry: Entry) -> FieldInfo | None:
    """The field that governs an entry: the nearest named one at or above it."""
    for end in range(len(entry), 0, -1):
        holder = _annotation(model, entry[: end - 1])
        step = entry[end - 1]
        if isinstance(step, str) and step in _keys(holder):
            return _keys(holder)[step]
    return None


def _annotation(model: Any, entry: Entry) -> Any:
    """The type that a model declares for an entry, or None where it says nothing."""
    at: Any = model
    for step in entry:
        at = _bare(at)
        arguments = get_args(at)
        if get_origin(at) is dict:
            at = arguments[1]
        elif get_origin(at) in (tuple, list) and arguments:
            at = arguments[0]
        elif isinstance(step, str) and step in _keys(at):
            at = _keys(at)[step].annotation
        else:
            return None
    return _bare(at)


def _bare(annotation: Any) -> Any:
    """The type without Annotated and without `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        if get_origin(annotation) in (Union, types.UnionType):
            real = [part for part in get_args(annotation) if part is not types.NoneType]
            if len(real) == 1:
                annotation = real[0]
                continue
        return annotation


def _keys(annotation: Any) -> dict[str, FieldInfo]:
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in annotation.model_fields.items()}


def _members(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
