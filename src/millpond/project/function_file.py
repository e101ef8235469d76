"""A Python model's file becomes a record: its declaration is read from the text, and nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from millpond.core.errors import Location, ProjectError
from millpond.core.names import TableName, closest
from millpond.project.findings import Findings
from millpond.project.front_matter import FrontMatter
from millpond.project.model import Function, Model
from millpond.project.model_file import declared_model
from millpond.project.sql_file import SqlFile
from millpond.project.text_file import read
from millpond.project.validation import validate
from millpond.project.yaml_file import Document, Entry

_FORM = "write @millpond.model(...) above one function of the file, with all that it says written out"


class FunctionMatter(FrontMatter):
    """What `@millpond.model` takes: the front matter of a model, but for the dialect, and its inputs."""

    inputs: dict[str, str] = Field(default_factory=dict, description="The table that each argument of it reads.")


def read_function(path: Path, table: TableName, findings: Findings) -> Model | None:
    """Read one Python model; None when its declaration does not validate, with what is wrong in `findings`.

    Raises ProjectError MP-1312 for a file that is no Python or that declares no model, or several.
    """
    text = read(path)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as wrong:
        line, column = getattr(wrong, "lineno", None) or 1, getattr(wrong, "offset", None) or 1
        said = getattr(wrong, "msg", str(wrong))
        raise _no_model(f"this is no Python: {said}", Location(path, line, max(column, 1))) from None
    function, decorator = _declared(tree, path)
    document = _Reader(path, text).document(decorator)
    validated = validate(FunctionMatter, document, findings)
    if validated.part is None:
        return None
    inputs = _inputs(function, validated.part, document, findings)
    _check_columns(validated.part, document, findings)
    if validated.part.kind == "view":
        where = document.value_place(("kind",))
        findings.add("MP-1313", "a view is a query, and a function is none", next_step="write it in SQL", where=where)
    model = declared_model(SqlFile(path, ""), table, validated, document, findings)
    return replace(model, function=Function(function.name, inputs, _text(tree, function, decorator))) if model else None


def _declared(tree: ast.Module, path: Path) -> tuple[ast.FunctionDef, ast.Call]:
    found = [
        (node, decorator)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in ("millpond.model", "model")
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise _no_model("this file declares no model", Location(path, 1))
    raise _no_model("this file declares a second model", Location(path, found[1][1].lineno))


def _text(tree: ast.Module, function: ast.FunctionDef, decorator: ast.Call) -> str:
    """The file without layout, comments and declaration: equal text means an equal function."""
    function.decorator_list.remove(decorator)
    return ast.unparse(tree)


def _inputs(
    function: ast.FunctionDef, matter: FunctionMatter, document: Document, findings: Findings
) -> tuple[tuple[str, TableName], ...]:
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    for name in names:
        if name not in matter.inputs:
            told = f"{function.name}() takes {name}, of which `inputs` says nothing"
            where = document.key_place(("inputs",))
            findings.add("MP-1313", told, next_step=f'add "{name}": "layer.table" to `inputs`', where=where)
    found = []
    for name, said in matter.inputs.items():
        where = document.key_place(("inputs", name))
        if name not in names or arguments.posonlyargs:
            told = f"{function.name}() takes no argument {name!r} by name"
            step = "name the arguments of the function in `inputs`"
            findings.add("MP-1313", told, next_step=step, where=where, suggestion=closest(name, names))
        try:
            found.append((name, TableName.parse(said)))
        except ValueError:
            told = f"{said!r} is not a table name of the form layer.name"
            at = document.value_place(("inputs", name))
            findings.add("MP-1313", told, next_step="name a table as layer.name", where=at)
    return tuple(found)


def _check_columns(matter: FunctionMatter, document: Document, findings: Findings) -> None:
    """What the function gives is known without running it only by what is declared."""
    untyped = [name for name, notes in matter.columns.items() if notes.type is None]
    for name in untyped:
        told = f"the column {name} has no type"
        where = document.key_place(("columns", name))
        findings.add("MP-1313", told, next_step=f'write columns={{"{name}": "BIGINT"}}, say', where=where)
    if not matter.columns:
        told = "the model declares no columns"
        where = document.value_place(())
        findings.add("MP-1313", told, next_step='add columns={"name": "TYPE", ...}, all that it gives', where=where)
    if matter.dialect != "duckdb":
        told = "a function is written in no dialect of SQL"
        findings.add("MP-1313", told, next_step="take `dialect` out", where=document.key_place(("dialect",)))


class _Reader:
    """Turns the arguments of a call into values with their places, as a YAML file's are."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.split("\n")
        self.values: dict[Entry, Location] = {}
        self.keys: dict[Entry, Location] = {}

    def document(self, call: ast.Call) -> Document:
        """What a declaration says. Raises ProjectError MP-1312 for what is not written out."""
        self.values[()] = self._place(call)
        if call.args:
            raise _no_model("what a model says is given by name", self._place(call.args[0]))
        data = {}
        for keyword in call.keywords:
            if keyword.arg is None:
                raise _no_model("what a model says is written out, not unpacked", self._place(keyword.value))
            self.keys[keyword.arg,] = self._place(keyword, len(keyword.arg))
            data[keyword.arg] = self._value(keyword.value, (keyword.arg,))
        return Document(self._path, data, self.values, self.keys)

    def _value(self, node: ast.expr, entry: Entry) -> Any:
        self.values[entry] = self._place(node)
        if isinstance(node, ast.List | ast.Tuple):
            return [self._value(item, (*entry, number)) for number, item in enumerate(node.elts)]
        if isinstance(node, ast.Dict):
            return dict(self._entries(node, entry))
        try:
            return ast.literal_eval(node)
        except ValueError:
            raise _no_model("what a model says is written out, not computed", self._place(node)) from None

    def _entries(self, node: ast.Dict, entry: Entry) -> Iterator[tuple[str, Any]]:
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                raise _no_model("a key is written out as text", self._place(key or value))
            inner = (*entry, key.value)
            self.keys[inner] = self._place(key)
            if entry == ("columns",) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                self.values[inner] = self._place(value)  # a type alone is the short form of what is said of a column
                yield key.value, {"type": self._value(value, (*inner, "type"))}
            else:
                yield key.value, self._value(value, inner)

    def _place(self, node: ast.expr | ast.keyword, length: int | None = None) -> Location:
        line = self._lines[node.lineno - 1]
        column = len(line.encode()[: node.col_offset].decode(errors="ignore"))
        if length is None:
            whole = node.end_lineno == node.lineno and node.end_col_offset is not None
            length = (node.end_col_offset or 0) - node.col_offset if whole else len(line) - column
        return Location(self._path, node.lineno, column + 1, max(length, 1))


def _no_model(message: str, where: Location) -> ProjectError:
    return ProjectError("MP-1312", message, next_step=_FORM, where=where)
