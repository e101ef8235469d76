"""Writing a project's test from the lake: a few real rows of a model's inputs, and what the model makes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from millpond.core.errors import ProjectError, QualityError
from millpond.core.names import TableName, closest
from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS, Column
from millpond.engines.engine import Engine
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.graph import Graph
from millpond.pipeline.rehearsal import Rehearsal
from millpond.project.case_file import NOW, ProjectTest
from millpond.project.model import Project
from millpond.sql.quarantine import RECORDS
from millpond.sql.references import volatile
from millpond.sql.rehearsal import held_texts, rejected_of, rejected_places, rows_at, some_rows

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.governance.gate import Gate

Texts = dict[str, str | None]

_PLAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:+/@ -]*[A-Za-z0-9_.+/-])?\Z")
_NOT_PLAIN = ("null", "~")
_REJECTED = 3
"""How many of the rows that a model rejected are taken in besides."""


@frozen
class Recorder:
    """Reads the lake through the gate, for one principal."""

    project: Project
    graph: Graph
    catalog: Catalog
    engine: Engine
    gate: Gate
    principal: str

    def record(self, table: TableName, rows: int) -> str:
        """The text of a test of the model that makes a table, with that many rows of each table that it needs.

        Raises ProjectError MP-1121 where there is no such model, QualityError MP-6131 where one has no table yet,
        AccessError where the principal may not read one.
        """
        model = next((model for model in self.graph.models if model.table == table), None)
        if model is None:
            known = [str(model.table) for model in self.graph.models]
            raise ProjectError(
                "MP-1121",
                f"the project has no model {table}",
                next_step="name one of its models",
                suggestion=closest(str(table), known),
            )
        given = {name: self._rows(model, name, rows) for name in model.needs}
        now = self.catalog.clock.now() if volatile(model.query) else NOW
        test = ProjectTest("record", model.model.path, table, given, (), now=now.replace(microsecond=0))
        expect, rejected = self._outcome(test)
        return _text(test, expect, rejected)

    def _rows(self, model: CompiledModel, table: TableName, limit: int) -> tuple[Texts, ...]:
        catalog = self.catalog
        entry = catalog.find(table)
        if entry is None:
            raise QualityError(
                "MP-6131",
                f"{model.table} needs {table}, which has no table yet",
                next_step="`millpond run` makes it; then record the test",
            )
        schema = catalog.metadata(entry).schema()
        bronze = all(schema.get(name) is not None for name in ORIGIN_COLUMNS)
        columns = tuple(column for column in schema if column.name not in ORIGIN_COLUMNS or not bronze)
        made_by = self.project.model(table)
        order = ("_origin", "_position") if bronze else made_by.key if made_by is not None else ()
        found = self._ask(some_rows(table, columns, order, limit), columns)
        if bronze and catalog.find(RECORDS) is not None:
            places = [(str(origin), int(position)) for origin, position in self._places(model.table, table)]
            rejected = self._ask(rows_at(table, columns, places), columns) if places else ()
            found += tuple(row for row in rejected if row not in found)
        return found

    def _places(self, model: TableName, table: TableName) -> list[tuple[str, int]]:
        with self.gate.query(rejected_places(model, table, _REJECTED), self.principal, door="test") as answer:
            rows = [tuple(row.values()) for batch in answer.reader for row in batch.to_pylist()]
        return [(row[0], row[1]) for row in rows]

    def _ask(self, sql: str, columns: Sequence[Column]) -> tuple[Texts, ...]:
        names = [column.name for column in columns]
        with self.gate.query(sql, self.principal, door="test") as answer:
            rows = [list(row.values()) for batch in answer.reader for row in batch.to_pylist()]
        return tuple(dict(zip(names, row, strict=True)) for row in rows)

    def _outcome(self, test: ProjectTest) -> tuple[list[Texts], list[Texts]]:
        """What the model makes of the rows, and which of them it rejects."""
        with self.engine.session() as session:
            rehearsal = Rehearsal(self.project, self.graph, self.engine, session, test)
            schema = rehearsal.prepare()
            rehearsal.run()
            rows = session.rows(held_texts(test.model, schema.columns))
            expect = [dict(zip(schema.names, row, strict=True)) for row in rows]
            found = session.rows(rejected_of(test.model)) if rehearsal.rejects() else []
            return expect, [{"rule": rule, "value": value} for rule, value, _, _ in found]


def write(folder: Path, name: str, text: str) -> Path:
    """Write a test's file. Raises ProjectError MP-1127 where there is one of that name."""
    path = folder / "tests" / f"{name}.yaml"
    if path.exists():
        raise ProjectError(
            "MP-1127",
            f"there is a file {path.relative_to(folder).as_posix()} already",
            next_step="choose another name with --name",
        )
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _text(test: ProjectTest, expect: Sequence[Texts], rejected: Sequence[Texts]) -> str:
    lines = [
        f"# Recorded from the lake with `millpond test --record {test.model}`: see whether these rows are right.",
        f"model: {test.model}",
    ]
    if test.now != NOW:
        lines.append(f"now: {test.now:%Y-%m-%dT%H:%M:%SZ}")
    lines.append("given:")
    for table, rows in test.given.items():
        lines += [f"  {table}:{'' if rows else ' []'}", *(f"    - {_row(row)}" for row in rows)]
    lines += [f"expect:{'' if expect else ' []'}", *(f"  - {_row(row)}" for row in expect)]
    if rejected:
        lines += ["expect_quarantine:", *(f"  - {_row(row)}" for row in rejected)]
    return "\n".join(lines) + "\n"


def _row(row: Mapping[str, str | None]) -> str:
    return "{" + ", ".join(f"{_scalar(name)}: {_scalar(text)}" for name, text in row.items()) + "}"


def _scalar(text: str | None) -> str:
    if text is None:
        return "null"
    if _PLAIN.match(text) and ": " not in text and text.lower() not in _NOT_PLAIN:
        return text
    return json.dumps(text, ensure_ascii=False)
