"""Variables: `${NAME}` in YAML values and in SQL.

A name is looked up in this order: `--var`, the process's environment, the chosen environment's `variables`, the
project's `variables`. A variable's own value may use variables. `$${` stands for a plain `${`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from millpond.core.errors import Location
from millpond.core.names import closest
from millpond.core.records import frozen
from millpond.project.findings import Findings
from millpond.project.sql_file import Shift
from millpond.project.text_file import line_and_column

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)\})?")
_SQL = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))|(?P<string>'(?:[^']|'')*(?:'|\Z))|(?P<identifier>\"(?:[^\"]|\"\")*(?:\"|\Z))"
    r"|(?P<escape>\$\$\{)|(?P<reference>\$\{(?:[A-Za-z_][A-Za-z0-9_]*\})?)",
    re.DOTALL,
)


@frozen
class Declaration:
    """A variable as a project declares it."""

    value: str
    where: Location


class Variables:
    """The values of one load; what cannot be found is noted in `findings`."""

    def __init__(
        self,
        given: Mapping[str, str],
        environ: Mapping[str, str],
        declared: Mapping[str, Declaration],
        findings: Findings,
    ) -> None:
        self._given = given
        self._environ = environ
        self._declared = declared
        self._findings = findings
        self._resolving: list[str] = []
        self.used: set[str] = set()

    def noting(self, findings: Findings) -> Variables:
        """The same variables, with what cannot be found noted elsewhere."""
        other = Variables(self._given, self._environ, self._declared, findings)
        other.used = self.used
        return other

    def resolved(self) -> dict[str, str]:
        """Every variable that the project declares or the command line gives, with its value."""
        found = {name: self._value(name) for name in sorted({*self._declared, *self._given})}
        return {name: value for name, value in found.items() if value is not None}

    def substitute(self, text: str, place: Callable[[int], Location]) -> str:
        """The text with its variables replaced; what is unknown stays as written and is noted."""
        position = -1

        def replaced(match: re.Match[str]) -> str:
            nonlocal position
            position += 1
            if match.group() == "$${":
                return "${"
            value = self._look_up(match.group("name"), place(position))
            return match.group() if value is None else value

        return _REFERENCE.sub(replaced, text)

    def substitute_sql(self, sql: str, path: Path) -> tuple[str, tuple[Shift, ...]]:
        """The SQL with its variables replaced, outside of comments, and how far columns moved.

        Inside a quoted string or identifier a value is escaped, so that it stays inside.
        """
        if "${" not in sql:
            return sql, ()
        edits: list[tuple[int, int, str]] = []
        for match in _SQL.finditer(sql):
            if match["escape"]:
                edits.append((match.start(), match.end(), "${"))
            elif match["reference"]:
                edits.extend(self._edits(sql, match.start(), match.end(), "", path))
            elif match["string"] or match["identifier"]:
                edits.extend(self._edits(sql, match.start(), match.end(), match.group()[0], path))
        return _apply(sql, edits)

    def unused(self) -> tuple[str, ...]:
        """Names from the command line that the project neither declares nor uses."""
        return tuple(sorted(name for name in self._given if name not in self.used and name not in self._declared))

    def suggest(self, name: str) -> str | None:
        """The variable that was most likely meant."""
        return closest(name, sorted({*self._declared, *self._given, *self.used} - {name}))

    def _edits(self, sql: str, start: int, end: int, quote: str, path: Path) -> list[tuple[int, int, str]]:
        edits = []
        for match in _REFERENCE.finditer(sql, start, end):
            if match.group() == "$${":
                edits.append((match.start(), match.end(), "${"))
                continue
            line, column = line_and_column(sql, match.start())
            where = Location(path, line, column, len(match.group()))
            value = self._look_up(match["name"], where)
            if value is not None and "\n" in value.replace("\r", "\n"):
                self._findings.add(
                    "MP-1013",
                    f"the value of ${{{match['name']}}} has more than one line",
                    next_step="give it a value of one line; SQL text belongs into the model",
                    where=where,
                )
            elif value is not None:
                edits.append((match.start(), match.end(), value.replace(quote, quote * 2) if quote else value))
        return edits

    def _look_up(self, name: str | None, where: Location) -> str | None:
        if name is None:
            self._findings.add(
                "MP-1011",
                "this is not a variable: the form is ${NAME}",
                next_step="write ${NAME} with letters, digits and underscores, or $${ for a plain ${",
                where=where,
            )
            return None
        value = self._value(name)
        if value is None and name not in self._declared:
            near = self.suggest(name)
            self._findings.add(
                "MP-1010",
                f"the variable {name} has no value",
                next_step=f"set it in the environment (a secret always), or say --var {name}=VALUE, or declare it "
                "under `variables:` in millpond.yaml",
                where=where,
                suggestion=f"${{{near}}}" if near else None,
            )
        elif value is not None:
            self.used.add(name)
        return value

    def _value(self, name: str) -> str | None:
        for known in (self._given, self._environ):
            if name in known:
                return known[name]
        declared = self._declared.get(name)
        if declared is None:
            return None
        if name in self._resolving:
            self._refuse_circle(self._resolving[self._resolving.index(name) :])
            return None
        self._resolving.append(name)
        try:
            return self.substitute(declared.value, lambda _: declared.where)
        finally:
            self._resolving.pop()

    def _refuse_circle(self, names: list[str]) -> None:
        start = names.index(min(names))
        circle = [*names[start:], *names[:start], names[start]]
        self._findings.add(
            "MP-1012",
            f"variables stand for each other: {' -> '.join(circle)}",
            next_step="give one of them a value of its own",
            where=self._declared[circle[0]].where,
        )


def _apply(sql: str, edits: list[tuple[int, int, str]]) -> tuple[str, tuple[Shift, ...]]:
    parts: list[str] = []
    shifts: list[Shift] = []
    done = 0
    for start, end, value in edits:
        parts.extend((sql[done:start], value))
        line, column = line_and_column(sql, start)
        shifts.append(Shift(line, column, end - start, len(value)))
        done = end
    return "".join([*parts, sql[done:]]), tuple(shifts)
