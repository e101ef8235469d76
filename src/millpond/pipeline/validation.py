"""`check`: the whole project looked at without running it, and all that is wrong told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from millpond.catalog.partitions import spec_json
from millpond.catalog.types import portable_problem, schema_json
from millpond.core.errors import CatalogError, EngineError, Finding, Location, ModelError, ProjectError, in_order
from millpond.core.names import RESERVED, TableName, closest
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Engine, Session
from millpond.governance.macros import library
from millpond.ingest.partitioning import unpartitioned
from millpond.pipeline.check_validation import check_findings
from millpond.pipeline.compiled import CompiledModel, compile_model
from millpond.pipeline.contract import Built, contract_findings
from millpond.pipeline.graph import ordered, unknotted
from millpond.pipeline.inlining import Views
from millpond.pipeline.refusal import refusal
from millpond.pipeline.roles import role_problems, table_columns
from millpond.project.model import Model, Project
from millpond.sql.binding import create_empty, create_schema, open_lake, probe
from millpond.sql.columns import column_place
from millpond.sql.groups import GroupKey
from millpond.sql.lookback import Lookback
from millpond.sql.marks import mark
from millpond.sql.references import volatile


def validate(
    project: Project,
    engine: Engine,
    known: Mapping[TableName, Schema],
    built: Mapping[TableName, Built] | None = None,
) -> tuple[Finding, ...]:
    """Every problem of the project's SQL, in the order of file and line.

    `known` holds the columns of the tables that models may read: sources with a real, declared or sniffed schema, and
    tables of the lake that no model makes. `built` are the tables that models were built into, which a change of a
    model must not break.
    """
    macros = library(project.macros)
    findings: list[Finding] = [*macros.findings]
    compiled: list[CompiledModel] = []
    views = Views.of(project.models, macros)
    for model in project.models:
        try:
            compiled.append(compile_model(model, macros, views))
        except (ModelError, ProjectError) as wrong:
            findings.append(wrong.finding)
    findings += [
        problem.finding
        for source in project.sources
        if source.table in known and (problem := unpartitioned(source, known[source.table])) is not None
    ]
    sources = {source.table for source in project.sources}
    makeable = sources | {model.table for model in project.models} | set(known)
    texts = {view.path for view in views.models.values()}
    for model_ in compiled:
        findings += _unknown_inputs(model_, makeable, texts - {model_.model.path})
    try:
        order = ordered(tuple(compiled))
    except ModelError as cycle:
        findings.append(cycle.finding)
        order = unknotted(tuple(compiled))
    with engine.session() as session:
        findings += _bind(session, order, known, built or {})
    return in_order(findings)


def _unknown_inputs(model: CompiledModel, makeable: set[TableName], elsewhere: set[Path]) -> list[Finding]:
    """Tables that nothing makes; what is said in the file of a view, is said of the view."""
    return [
        Finding(
            "MP-2010",
            f"{model.table} {verb} {reference.table}, which no source or model makes",
            "correct the name, or add the source or model",
            reference.where,
            closest(str(reference.table), [str(table) for table in makeable]),
        )
        for verb, references in (("reads", model.references), ("is checked against", model.compared))
        for reference in references
        if reference.table not in makeable and reference.where.path not in elsewhere
    ]


def _bind(
    session: Session,
    order: tuple[CompiledModel, ...],
    known: Mapping[TableName, Schema],
    built: Mapping[TableName, Built],
) -> list[Finding]:
    """Bind each model's query against empty tables; a model whose inputs are not known is left out."""
    findings: list[Finding] = []
    bound = dict(known)
    made = {model.table for model in order}
    for statement in open_lake():
        session.execute(statement)
    for table, schema in known.items():
        if table not in made and schema.names:  # Iceberg has tables without columns, the engine has none
            session.execute(create_schema(table.layer))
            session.execute(create_empty(table, schema))
    for model in order:
        if not all(name in bound for name in (*model.inputs, *(view.table for view in model.views))):
            bound.pop(model.table, None)
            continue
        try:
            schema = session.describe(model.query.sql)
        except EngineError as wrong:
            findings.append(refusal(model, wrong, bound.__getitem__))
            bound.pop(model.table, None)
            continue
        problems = _outputs(model, schema) + _volatile(model) + _lookback(model)
        findings += problems
        if any(problem.code in ("MP-2034", "MP-2104") for problem in problems):
            bound.pop(model.table, None)
            continue
        session.execute(create_schema(model.table.layer))
        kept = table_columns(model.model, schema)
        session.execute(create_empty(model.table, kept))
        bound[model.table] = kept
        findings += _mark_problems(session, model.model, model.query.text())
        findings += _partition_problems(model.model, kept)
        findings += check_findings(session, model, schema, bound)
        findings += contract_findings(model, schema, built.get(model.table))
    return findings


def _partition_problems(model: Model, columns: Schema) -> list[Finding]:
    """Partition fields that the model's table cannot have."""
    findings = []
    known = [(at, field) for at, field in enumerate(model.partition) if columns.get(field.column) is not None]
    for position, field in known:
        try:
            spec_json((field,), schema_json(Schema(columns.of((field.column,)))))
        except CatalogError as wrong:
            findings.append(replace(wrong.finding, where=model.place(f"partition.{position}")))
    return findings


def _outputs(compiled: CompiledModel, schema: Schema) -> list[Finding]:
    model, findings = compiled.model, []
    names = [name.lower() for name in schema.names]
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        step = "give one of them another name with AS"
        told = f"{model.table} has two columns called {name!r}"
        findings.append(Finding("MP-2034", told, step, _column(compiled, name)))
    for column in schema:
        if column.name.lower().startswith(RESERVED):
            told = f"the column name {column.name!r} of {model.table} is reserved"
            step = f"give the column a name that does not begin with {RESERVED}"
            findings.append(Finding("MP-2006", told, step, _column(compiled, column.name)))
    findings += role_problems(model, schema)
    kept = table_columns(model, schema)
    for index, field in enumerate(model.partition):
        findings += _missing(model, kept, field.column, f"partition.{index}", "MP-2033", "the partition column")
    for index, name in enumerate(model.cluster):
        findings += _missing(model, kept, name, f"cluster.{index}", "MP-2036", "the cluster column")
    for column in schema:
        findings += _type_problem(compiled, column)
    return findings


def _column(compiled: CompiledModel, name: str) -> Location:
    """Where the query names a column that it gives; its file where that cannot be told."""
    found = column_place(compiled.query, name) if compiled.model.function is None else None
    return found or Location(compiled.model.path)


def _missing(model: Model, schema: Schema, name: str, entry: str, code: str, what: str) -> list[Finding]:
    if schema.get(name) is not None:
        return []
    step = "name a column that the query gives, or add it to the query"
    told = f"{what} {name!r} is not among the columns of {model.table}"
    return [Finding(code, told, step, model.place(entry), closest(name, schema.names))]


def _type_problem(model: CompiledModel, column: Column) -> list[Finding]:
    problem = portable_problem(column.type)
    if problem is None:
        return []
    told = f"column {column.name!r} of {model.table} has the type {column.type}: {problem}"
    return [Finding("MP-2040", told, "cast it to a type that every engine can hold", _column(model, column.name))]


def _lookback(model: CompiledModel) -> list[Finding]:
    """What the author says of windows, and the query does not keep to."""
    most, found = model.model.lookback, model.lookback
    if most is None or isinstance(model.groups, GroupKey):
        return []
    if isinstance(found, Lookback) and found.seconds <= most:
        return []
    told = found if isinstance(found, str) else f"its windows reach back {found.seconds:,} seconds, and not {most:,}"
    step = "order windows by a time of the key: RANGE BETWEEN INTERVAL 27 DAYS PRECEDING AND CURRENT ROW"
    if isinstance(found, Lookback):
        step = "say a longer lookback, or shorten the frames"
    where = model.model.place("lookback")
    return [Finding("MP-2106", f"{model.table} does not keep to its lookback: {told}", step, where)]


def _volatile(model: CompiledModel) -> list[Finding]:
    if not model.incremental and model.model.kind != "snapshot":
        return []
    meaning = "depend on when rows arrive" if model.incremental else "get a version of every row with each run"
    return [
        Finding(
            "MP-2041",
            f"{name} gives another value in each run, so {model.table} would {meaning}",
            "take the value from the data, or make the model a replace",
            where,
            severity="warning",
        )
        for name, where in volatile(model.query)
    ]


def _mark_problems(session: Session, model: Model, query: str) -> list[Finding]:
    """What is wrong with the expression that tells which rows delete."""
    if model.delete_when is None:
        return []
    try:
        (column,) = session.describe(probe(query, mark(model.delete_when, ())))
    except EngineError as wrong:
        told = f"delete_when of {model.table} cannot be judged: {wrong.finding.message.splitlines()[0]}"
        return [Finding("MP-2101", told, "correct the expression", model.place("delete_when"))]
    if column.type == "BOOLEAN":
        return []
    told = f"delete_when of {model.table} is of type {column.type}, and must be true or false"
    return [Finding("MP-2101", told, "write a comparison, such as op = 'D'", model.place("delete_when"))]
