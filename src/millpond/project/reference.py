"""The page docs/reference/project.md, made from the records themselves."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from millpond.project.case_file import CaseFile
from millpond.project.front_matter import FrontMatter
from millpond.project.settings import ProjectSettings
from millpond.project.source import FilesSource

_HEAD = """# Project reference

<!-- Made from the records in src/millpond/project; a test holds that it is current. -->

A project is a folder:

| path | what it is |
|---|---|
| `millpond.yaml` | the project's settings |
| `sources/*.yaml` | sources; each lands in `bronze.<file name>` |
| `seeds/*.csv` | small reference data; each lands in `bronze.<file name>` |
| `models/<layer>/*.sql` | models; each makes `<layer>.<file name>`; layers are bronze, silver, gold, platinum |
| `models/<layer>/*.py` | models in Python: one function under `@millpond.model(...)`; `_*.py` are none |
| `macros/*.sql` | expressions and queries that models share, as `CREATE MACRO` |
| `tests/*.yaml` | given rows and expected rows, for `millpond test` |
| `.millpond/` | state that Millpond keeps; not for version control |

## Variables

`${NAME}` in a YAML value or in the SQL of models and macros is replaced. A name is looked up in this order:
`--var NAME=VALUE`, the process's environment, `variables` of the chosen environment, `variables` of the project. A
value may use variables. Inside quotes in SQL the value is escaped, so that it stays inside them; SQL comments are left
alone. `$${` stands for a plain `${`.

YAML is read by version 1.2's rules: only `true` and `false` are booleans, and `yes`, `no`, `on` and `007` are text.
"""
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "value"}


def page() -> str:
    """The page's text, in Markdown."""
    parts = [
        _HEAD,
        *_section(ProjectSettings, "millpond.yaml"),
        *_section(FilesSource, "sources/*.yaml"),
        *_section(FrontMatter, "Front matter of models/<layer>/*.sql"),
        *_section(CaseFile, "tests/*.yaml"),
    ]
    return "\n".join(parts)


def _section(model: type[BaseModel], title: str, level: int = 2) -> Iterator[str]:
    yield f"{'#' * level} {title}\n"
    yield f"{_doc(model)}\n"
    yield "| key | takes | default | meaning |\n|---|---|---|---|"
    inner: dict[str, type[BaseModel]] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        yield f"| `{key}` | {_takes(field.annotation)} | {_default(field)} | {field.description or ''} |"
        found = _model_in(field.annotation)
        if found is not None:
            inner[f"{key}{_steps(field.annotation)}"] = found
    yield ""
    for key, found in inner.items():
        yield from _section(found, f"`{key}`", level + 1)


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _takes(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _takes(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_takes(part) for part in arguments if part is not types.NoneType)
    if origin is dict:
        return f"mapping of name: {_takes(arguments[1])}"
    if origin in (tuple, list):
        return f"list of {_takes(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return _WORDS.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}) or isinstance(value, BaseModel | dict):
        return ""
    return f"`{value}`"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_model_in, get_args(annotation)) if found is not None), None)


def _steps(annotation: Any) -> str:
    """How the inner records hang below a key: `.NAME` in mappings, `[]` in lists."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Annotated, Union, types.UnionType):
        return _steps(arguments[0])
    if origin is dict:
        return f".NAME{_steps(arguments[1])}"
    if origin in (tuple, list):
        return f"[]{_steps(arguments[0])}"
    return ""
