"""YAML with the place of each key and value.

Values are read by YAML 1.2's rules, as editors do: only `true` and `false` are booleans, `yes`, `no` and `on` are text,
and so are numbers with a leading zero. Dates and timestamps become what they say. Tags are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from millpond.core.errors import Location, ProjectError
from millpond.core.records import frozen
from millpond.project.findings import Findings
from millpond.project.text_file import line_and_column

Entry = tuple[str | int, ...]
"""A path into a document: keys and list positions."""

Substitute = Callable[[str, Callable[[int], Location]], str]
"""Replaces `${NAME}` in a text; the second argument gives the place of the text's n-th variable."""

_MOST_VALUES = 50_000
_UNCLOSED = "expected ',' or"
_LONGEST_NAME = 60

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,37})\Z|0x[0-9a-fA-F]{1,32}\Z|0o[0-7]{1,40}\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?=[eE])))(?:[eE][-+]?[0-9]+)?\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]+[0-9]{2}:[0-9]{2}.*\Z")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    form: value
    for word, value in (("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}


@frozen
class Document:
    """What a file says, and where: `values` and `keys` give the place of each entry's value and key."""

    path: Path
    data: Any
    values: dict[Entry, Location]
    keys: dict[Entry, Location]

    def value_place(self, entry: Entry) -> Location:
        """Where a value stands, or the nearest thing that holds it."""
        while entry not in self.values and entry:
            entry = entry[:-1]
        return self.values.get(entry, Location(self.path))

    def key_place(self, entry: Entry) -> Location:
        """Where a key stands; for a list's item, where the item stands."""
        return self.keys.get(entry) or self.value_place(entry)

    def places(self) -> dict[str, Location]:
        """The place of each value by dotted path, such as `key.0`."""
        return {".".join(map(str, entry)): where for entry, where in self.values.items() if entry}


class _Loader(yaml.SafeLoader):
    """Composes nodes without guessing their types."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the parent declares it


@frozen
class Tree:
    """A file's YAML as nodes, not yet turned into values."""

    path: Path
    text: str
    root: Node | None

    def build(
        self,
        findings: Findings,
        *,
        substitute: Substitute | None = None,
        as_text: Callable[[Entry], bool] = lambda _: False,
        retype: bool = False,
    ) -> Document:
        """The values with their places.

        Scalars under an entry for which `as_text` holds are kept as they are written, and nothing is substituted
        in them. With `retype`, an unquoted value that a variable gave is read as if it stood in the file.
        """
        builder = _Builder(self, findings, substitute, as_text, retype)
        data = builder.value(self.root, ()) if self.root is not None else None
        return Document(self.path, data, builder.values, builder.keys)


def compose(text: str, path: Path) -> Tree:
    """Read YAML.

    Raises ProjectError MP-1004 at the place of a syntax error, MP-1028 when aliases blow the document up.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is not None and _size(root, {}) > _MOST_VALUES:
            raise ProjectError(
                "MP-1028",
                "aliases make this file far larger than it looks",
                next_step="write out what the aliases stand for",
                where=Location(path, 1),
            )
    except yaml.MarkedYAMLError as wrong:
        before = wrong.problem_mark.index - 1 if wrong.problem_mark else -1
        if before >= 0 and text[before : before + 2] == "${":
            line, column = line_and_column(text, before)
            raise ProjectError(
                "MP-1004",
                "this is not valid YAML: inside brackets, ${NAME} needs quotes",
                next_step="put the value in quotes",
                where=Location(path, line, column, 2),
            ) from wrong
        unclosed = wrong.context_mark and (wrong.problem or "").startswith(_UNCLOSED)
        mark = wrong.context_mark if unclosed else wrong.problem_mark or wrong.context_mark
        where = Location(path, mark.line + 1, mark.column + 1) if mark else Location(path)
        raise _syntax(wrong.problem or "it cannot be read", where) from wrong
    except yaml.reader.ReaderError as wrong:
        line, column = line_and_column(text, wrong.position)
        raise _syntax(
            f"the character U+{ord(text[wrong.position]):04X} is not allowed", Location(path, line, column)
        ) from wrong
    except RecursionError as wrong:
        raise _syntax("it is nested too deeply", Location(path)) from wrong
    return Tree(path, text, root)


def _size(node: Node, known: dict[int, float]) -> float:
    """How many values a node stands for once aliases are followed; endless for one that holds itself."""
    if id(node) not in known:
        known[id(node)] = math.inf
        if isinstance(node, MappingNode):
            size = 1 + sum(_size(part, known) for pair in node.value for part in pair)
        elif isinstance(node, SequenceNode):
            size = 1 + sum(_size(part, known) for part in node.value)
        else:
            size = 1
        known[id(node)] = size
    return known[id(node)]


def _syntax(problem: str, where: Location) -> ProjectError:
    next_step = "correct the YAML here"
    if "'\\t'" in problem:
        problem, next_step = "a tab cannot indent", "indent with spaces"
    elif problem.startswith(_UNCLOSED):
        problem, next_step = "this bracket is not closed, or a comma is missing", "close the bracket"
    elif "mapping values are not allowed" in problem:
        problem, next_step = "a second `key: value` on this line", "put the text in quotes, or each key on its own line"
    elif "could not find expected ':'" in problem:
        next_step = "write the line as `key: value`"
    elif "expected a single document" in problem or "but found another document" in problem:
        problem, next_step = "a second document begins here", "keep one YAML document in each file"
    elif "expected <block end>" in problem:
        problem, next_step = "this line does not fit the lines above it", "indent it like its neighbours"
    return ProjectError("MP-1004", f"this is not valid YAML: {problem}", next_step=next_step, where=where)


class _Builder:
    """Turns nodes into values, noting places and what is wrong."""

    def __init__(
        self,
        tree: Tree,
        findings: Findings,
        substitute: Substitute | None,
        as_text: Callable[[Entry], bool],
        retype: bool,
    ) -> None:
        self._tree = tree
        self._findings = findings
        self._substitute = substitute
        self._as_text = as_text
        self._retype = retype
        self.values: dict[Entry, Location] = {}
        self.keys: dict[Entry, Location] = {}

    def value(self, node: Node, entry: Entry) -> Any:
        """The value of a node; its place and those of all in it are noted."""
        self.values.setdefault(entry, self._place(node))
        if self._tree.text[node.start_mark.index : node.start_mark.index + 1] == "!":
            self._findings.add(
                "MP-1033",
                "YAML tags are not used here",
                next_step="remove the tag; put the value in quotes to make it text",
                where=self._place(node),
            )
        if isinstance(node, MappingNode):
            return self._mapping(node, entry)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*entry, position)) for position, item in enumerate(node.value)]
        return self._scalar(str(node.value), node, entry)

    def _mapping(self, node: MappingNode, entry: Entry) -> dict[str, Any]:
        said: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key is None:
                continue
            if key == "<<" and not key_node.style:
                merged = self._merged(value_node, entry) | merged
                continue
            inner = (*entry, key)
            if key in said:
                self._findings.add(
                    "MP-1005",
                    f'the key "{_short(key)}" is written twice, first in line {self.keys[inner].line}',
                    next_step="keep one of the two",
                    where=self._place(key_node),
                )
                continue
            self.keys[inner] = self._place(key_node)
            empty = isinstance(value_node, ScalarNode) and not value_node.value and not value_node.style
            self.values[inner] = self._place(key_node if empty else value_node)
            said[key] = self.value(value_node, inner)
        return merged | said

    def _merged(self, node: Node, entry: Entry) -> dict[str, Any]:
        parts = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in parts:
            if isinstance(part, MappingNode):
                merged = self._mapping(part, entry) | merged
                for key in merged:
                    self.keys.setdefault((*entry, key), self._place(part))
            else:
                self._findings.add(
                    "MP-1034",
                    "`<<` takes in mappings only",
                    next_step="point it at an anchored mapping",
                    where=self._place(part),
                )
        return merged

    def _key(self, node: Node) -> str | None:
        if isinstance(node, ScalarNode):
            return str(node.value)
        self._findings.add(
            "MP-1035", "a key must be plain text", next_step="write `key: value`", where=self._place(node)
        )
        return None

    def _scalar(self, written: str, node: Node, entry: Entry) -> Any:
        plain = isinstance(node, ScalarNode) and node.style is None
        if self._as_text(entry):
            return None if plain and _WORDS.get(written, written) is None else written
        text = written
        if self._substitute is not None and "${" in written:
            text = self._substitute(written, lambda position: self._variable_place(node, position))
            plain = plain and self._retype
        return typed(text) if plain else text

    def _place(self, node: Node) -> Location:
        start, end = node.start_mark, node.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Location(self._tree.path, start.line + 1, start.column + 1, max(1, length))

    def _variable_place(self, node: Node, position: int) -> Location:
        raw = self._tree.text[node.start_mark.index : node.end_mark.index]
        found = [match.start() for match in re.finditer(r"\$\{", raw)]
        if position >= len(found):
            return self._place(node)
        line, column = line_and_column(self._tree.text, node.start_mark.index + found[position])
        close = raw.find("}", found[position])
        return Location(self._tree.path, line, column, close - found[position] + 1 if close >= 0 else 2)


def typed(text: str) -> Any:
    """What an unquoted scalar means: null, true, false, a number, a date, a timestamp, else the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text, 0) if text.startswith(("0x", "0o")) else int(text)
    if _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    try:
        if _DATE.match(text):
            return date.fromisoformat(text)
        if _TIMESTAMP.match(text):
            return datetime.fromisoformat(re.sub(r"[Tt ]+", "T", text, count=1).replace(" ", ""))
    except ValueError:
        return text
    return text


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 3] + "..."
