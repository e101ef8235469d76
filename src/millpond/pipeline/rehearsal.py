"""Rehearsing a model on rows that a test gives: the same statements and checks as a run, on plain tables in memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from millpond.core.encoding import encoded
from millpond.core.errors import EngineError, Location, ModelError, ProjectError, QualityError
from millpond.core.names import TableName, closest
from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS, ORIGIN_SCHEMA, Column, Schema
from millpond.engines.engine import Engine, Session
from millpond.pipeline.build import begun, done, reads_changes
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.graph import Graph
from millpond.pipeline.plan import BuildStep, InputRange
from millpond.pipeline.refusal import refused
from millpond.pipeline.roles import table_columns
from millpond.pipeline.table_checks import judge_together
from millpond.pipeline.target import output_schema
from millpond.pipeline.twin import Twin, given_rows, twin_bench
from millpond.project.case_file import Fields, ProjectTest
from millpond.project.check import Target
from millpond.project.model import Project, Source
from millpond.project.yaml_file import typed
from millpond.sql.quarantine import RECORDS
from millpond.sql.references import named_inputs
from millpond.sql.rehearsal import fitting, insert_given

Rows = tuple[Fields, ...]

_UNKNOWN = re.compile(r'[Cc]olumn "([^"]+)" (?:(?:was )?not found|referenced that exists in the SELECT clause)')
_UNKNOWN_OF = re.compile(r'Table "([^"]+)" does not have a column named "([^"]+)"')
_MOST_COLUMNS = 1000


@frozen
class Given:
    """The places of a test's given rows, for what is wrong with them."""

    test: ProjectTest

    def cell(self, table: TableName, row: int, column: str) -> Location:
        """Where a value stands."""
        return self.test.place("given", str(table), row, column)

    def name(self, table: TableName, row: int, column: str) -> Location:
        """Where a column's name stands."""
        return self.test.key_place("given", str(table), row, column)


class Rehearsal:
    """One test on its way: tables are made as they are needed, from the given rows or by the models before."""

    def __init__(self, project: Project, graph: Graph, engine: Engine, session: Session, test: ProjectTest) -> None:
        self._project = project
        self._models = {model.table: model for model in graph.models}
        self._session = session
        self._test = test
        self._twin = Twin(session, test.now)
        self._bench = twin_bench(project, self._twin, engine, test.now)
        self._given = Given(test)

    @property
    def model(self) -> CompiledModel:
        """The model that is tried. Raises ProjectError MP-1121 where the project has none of that name."""
        model = self._models.get(self._test.model)
        if model is None:
            raise ProjectError(
                "MP-1121",
                f"the project has no model {self._test.model}",
                next_step="name one of its models",
                where=self._test.place("model"),
                suggestion=closest(str(self._test.model), map(str, self._models)),
            )
        return model

    def prepare(self) -> Schema:
        """Make what the model reads; the columns of its table.

        Raises ProjectError MP-1124 for a table that the model is not made from, MP-1125 for a column that a table does
        not have, MP-1126 for a value that a column cannot hold, ModelError MP-2011 for a query that cannot be bound.
        """
        model = self.model
        before = self._before(model)
        for table in self._test.given:
            if table not in before:
                raise ProjectError(
                    "MP-1124",
                    f"{model.table} is not made from {table}",
                    next_step="give rows of the tables that it reads, or of those that these are made from",
                    where=self._test.key_place("given", str(table)),
                    suggestion=closest(str(table), map(str, before)),
                )
        return self._schema(model)

    def run(self) -> None:
        """Do the model's step. Raises QualityError MP-6001 where a check stops it, and what a step raises."""
        self._build(self.model)

    def rejects(self) -> bool:
        """Whether anything was rejected."""
        return self._twin.find(RECORDS) is not None

    def _before(self, model: CompiledModel) -> frozenset[TableName]:
        found: set[TableName] = set()
        waiting = list(model.needs)
        while waiting:
            table = waiting.pop()
            if table not in found:
                found.add(table)
                waiting += self._models[table].needs if table in self._models else ()
        return frozenset(found)

    def _schema(self, model: CompiledModel) -> Schema:
        """The columns of a model's table. What it reads and what it is checked against are made first."""
        for table in model.needs:
            self._ensure(table)
        for check in model.model.checks:
            self._ensure_column(check.target)
        return table_columns(model.model, output_schema(self._described(model), model))

    def _ensure(self, table: TableName) -> None:
        if self._twin.find(table) is not None:
            return
        model = self._models.get(table)
        rows = self._test.given.get(table)
        if model is not None and rows is None:
            self._schema(model)
            self._build(model)
            return
        if model is not None:
            self._fill(table, self._schema(model), rows or ())
            return
        source = self._project.source(table)
        if source is None and rows is None:
            raise ProjectError(
                "MP-1124",
                f"{self._test.model} reads {table}, which no source or model makes, and the test gives no rows of it",
                next_step=f"add rows of {table} under `given:`",
                where=self._test.key_place("given"),
            )
        self._fill(table, _landing_columns(source, rows or ()), rows or ())

    def _ensure_column(self, target: Target | None) -> None:
        """Give a source's table the column that a check looks into, where no given row has it."""
        if target is None or target.table in self._models:
            return
        if self._twin.metadata(target.table).schema().get(target.column) is None:
            self._twin.add_columns(target.table, (Column(target.column, "VARCHAR"),))

    def _build(self, model: CompiledModel) -> None:
        inputs = tuple(InputRange(table, None) for table in model.inputs)
        step = BuildStep(model.table, model.model.kind, "create", inputs, "a test")
        news = tuple(given_rows(self._twin, table) for table in model.inputs) if reads_changes(model, step) else ()
        building = begun(self._bench, self._session, self._twin.stage, model, step, news)
        with self._session.transaction():
            work = done(building, step)
        judge_together(self._session, model.model, work.ledger.staged)
        self._twin.forget()

    def _described(self, model: CompiledModel) -> Schema:
        """The columns of a query. A column that no table has is one of its source's, of which nothing is given."""
        for _ in range(_MOST_COLUMNS):
            try:
                return self._session.describe(model.query.text())
            except EngineError as failed:
                if not self._add_unknown(model, failed.finding.message):
                    raise refused(self._session, self._twin.stage, model, failed) from failed
        raise ModelError(
            "MP-2011",
            f"the query of {model.table} names too many columns",
            next_step="correct the query",
            where=Location(model.model.path),
        )

    def _add_unknown(self, model: CompiledModel, message: str) -> bool:
        """Give the source's table the column that the engine misses; whether there was one to give it to."""
        of_table, alone = _UNKNOWN_OF.search(message), _UNKNOWN.search(message)
        landed = [table for table in model.inputs if table not in self._models]
        if of_table is not None:
            named = {alias: table for alias, table in named_inputs(model.query) if table in landed}
            table, column = named.get(of_table[1].lower()), of_table[2]
        elif alone is not None and len(landed) == 1:
            table, column = landed[0], alone[1]
        else:
            return False
        if table is None or self._twin.metadata(table).schema().get(column) is not None:
            return False
        self._twin.add_columns(table, (Column(column, "VARCHAR"),))
        return True

    def _fill(self, table: TableName, schema: Schema, rows: Rows) -> None:
        self._twin.create_table(table, schema)
        bronze = all(schema.get(name) is not None for name in ORIGIN_COLUMNS)
        placed = [_placed(row, number, bronze, self._test.now) for number, row in enumerate(rows, start=1)]
        names = dict.fromkeys(name for row in placed for name in row)
        columns = []
        for name in names:
            column = schema.get(name)
            if column is None:
                number = next(number for number, row in enumerate(rows) if name in row)
                raise ProjectError(
                    "MP-1125",
                    f"{table} has no column {name!r}",
                    next_step=f"its columns are {', '.join(schema.names)}",
                    where=self._given.name(table, number, name),
                    suggestion=closest(name, schema.names),
                )
            columns.append(column)
        if not columns:
            return
        texts = [[as_text(row.get(name)) for row in placed] for name in names]
        for name, column, values in zip(names, columns, texts, strict=True):
            wrong = misfit(self._session, column, values)
            if wrong is not None:
                raise ProjectError(
                    "MP-1126",
                    f"{values[wrong]!r} is no value of the column {name!r} of {table}, which is {column.type}",
                    next_step="write it as the column holds it",
                    where=self._given.cell(table, wrong, name),
                )
        self._session.execute(insert_given(table, columns, texts))


def as_text(value: Any) -> str | None:
    """A value of a test's file as the text that its column is read from: what is nested, as JSON."""
    if value is None or isinstance(value, str):
        return value
    return encoded(_meant(value))


def _meant(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _meant(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_meant(inner) for inner in value]
    return typed(value) if isinstance(value, str) else value


def misfit(session: Session, column: Column, texts: Sequence[str | None]) -> int | None:
    """Which of the texts is no value of the column's type, None where all are."""
    if column.type == "VARCHAR":
        return None
    return next((i for i, (fits,) in enumerate(session.rows(fitting(column, texts))) if not fits), None)


def stopped_by(failed: QualityError) -> str | None:
    """The check that stopped a step, by its rule."""
    found = re.match(r"the check (.+) of \S+ stopped the step", failed.finding.message)
    return found[1] if found and failed.code == "MP-6001" else None


def _placed(row: Fields, number: int, bronze: bool, now: datetime) -> dict[str, Any]:
    """A given row of a source's table, with where it came from where the test does not say."""
    if not bronze:
        return dict(row)
    moment = now.replace(tzinfo=None).isoformat(sep=" ")
    origin = {"_origin": "given", "_position": str(number), "_load": "given", "_loaded_at": moment}
    return {**origin, **row}


def _landing_columns(source: Source | None, rows: Rows) -> Schema:
    """The columns of a table that no model makes: declared, or as the given rows have them."""
    declared = dict(source.settings.columns or {}) if source is not None else {}
    columns = [Column(name, kind) for name, kind in declared.items()]
    known = {name.lower() for name in (*declared, *ORIGIN_COLUMNS)}
    text = source is not None and not _has_types(source)
    for name in dict.fromkeys(name for row in rows for name in row):
        if name.lower() not in known:
            values = [row[name] for row in rows if row.get(name) is not None]
            columns.append(Column(name, "VARCHAR" if text else _kind(values)))
            known.add(name.lower())
    return Schema((*columns, *ORIGIN_SCHEMA) if source is not None or not columns else tuple(columns))


def _has_types(source: Source) -> bool:
    """Whether the source's records have types of their own."""
    settings = source.settings
    return settings.format == "parquet" or any(path.endswith(".parquet") for path in settings.paths)


def _kind(values: Sequence[Any]) -> str:
    """The type that fits values of which nothing else is known."""
    kinds = {_kind_of(typed(value)) if isinstance(value, str) else "JSON" for value in values}
    if kinds == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return kinds.pop() if len(kinds) == 1 and "JSON" not in kinds else "VARCHAR"


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, datetime):
        return "TIMESTAMP"
    kinds = ((int, "BIGINT"), (float, "DOUBLE"), (date, "DATE"))
    return next((kind for python, kind in kinds if isinstance(value, python)), "VARCHAR")
