"""Proving a project's tests: each model is rehearsed on given rows, and what it makes of them compared."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal

from millpond.core.encoding import decoded
from millpond.core.errors import Finding, MillpondError, ProjectError, QualityError
from millpond.core.names import closest
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Engine, Session
from millpond.pipeline.graph import Graph
from millpond.pipeline.rehearsal import Rehearsal, as_text, misfit, stopped_by
from millpond.project.case_file import Fields, ProjectTest
from millpond.project.model import Project
from millpond.sql.rehearsal import held, meant, rejected_of

Row = dict[str, Any]

_JUDGED = ("rule", "value", "reason")
"""What `expect_quarantine` may say besides fields of the record."""


@frozen
class Difference:
    """Rows that were meant and are not there, rows that nobody meant, and pairs of the two that are nearly one."""

    columns: tuple[str, ...] = ()
    missing: tuple[Row, ...] = ()
    unexpected: tuple[Row, ...] = ()
    changed: tuple[tuple[Row, Row], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether everything is as it was meant."""
        return not (self.missing or self.unexpected or self.changed)


@frozen
class Proof:
    """What came of one test. `finding` says what kept it from being done at all; `stopped` which check ended it."""

    test: ProjectTest
    seconds: float
    rows: Difference = Difference()
    rejected: Difference = Difference()
    stopped: str | None = None
    finding: Finding | None = None

    @property
    def outcome(self) -> Literal["passed", "failed"]:
        """Whether the model did what the test says."""
        right = self.finding is None and self.rows.empty and self.rejected.empty
        return "passed" if right and self.stopped == self.test.expect_stop else "failed"


def prove(project: Project, graph: Graph, engine: Engine, tests: Iterable[ProjectTest]) -> Iterator[Proof]:
    """Do each test, one by one."""
    with engine.session():
        pass  # what loads once is not counted against the first test
    for test in tests:
        started = time.monotonic()
        try:
            with engine.session() as session:
                proof = _prove(Rehearsal(project, graph, engine, session, test), session, test)
        except MillpondError as failed:
            proof = Proof(test, 0.0, finding=failed.finding)
        yield Proof(test, time.monotonic() - started, proof.rows, proof.rejected, proof.stopped, proof.finding)


def problems(project: Project, graph: Graph, engine: Engine, tests: Iterable[ProjectTest]) -> Iterator[Finding]:
    """What is wrong with tests before any is done: names of models, tables and columns, and values."""
    for test in tests:
        try:
            with engine.session() as session:
                schema = Rehearsal(project, graph, engine, session, test).prepare()
                _meant(session, test, schema)
        except MillpondError as wrong:
            yield wrong.finding


def _prove(rehearsal: Rehearsal, session: Session, test: ProjectTest) -> Proof:
    schema = rehearsal.prepare()
    columns, wanted = _meant(session, test, schema)
    try:
        rehearsal.run()
    except QualityError as failed:
        rule = stopped_by(failed)
        if rule is None:
            raise
        return Proof(test, 0.0, stopped=rule, finding=None if rule == test.expect_stop else failed.finding)
    rows = Difference()
    if test.expect is not None:
        names = columns or schema.names
        found = [dict(zip(names, row, strict=True)) for row in session.rows(held(test.model, names))]
        rows = compare(names, rehearsal.model.model.key, wanted, found)
    rejected = _rejected(session, test) if rehearsal.rejects() else []
    return Proof(test, 0.0, rows, _compare_rejected(test, rejected))


def _meant(session: Session, test: ProjectTest, schema: Schema) -> tuple[tuple[str, ...], list[Row]]:
    """The columns that a test names, and the rows that it means, as the table's columns hold them.

    Raises ProjectError MP-1125 for a column that the table does not have, MP-1126 for a value that one cannot hold.
    """
    expected = test.expect or ()
    columns: dict[str, Column] = {}
    for number, row in enumerate(expected):
        for name in row:
            column = schema.get(name)
            if column is None:
                raise ProjectError(
                    "MP-1125",
                    f"{test.model} has no column {name!r}",
                    next_step=f"its columns are {', '.join(schema.names)}",
                    where=test.key_place("expect", number, name),
                    suggestion=closest(name, schema.names),
                )
            columns.setdefault(name, column)
    texts = [[as_text(row.get(name)) for row in expected] for name in columns]
    for (name, column), values in zip(columns.items(), texts, strict=True):
        wrong = misfit(session, column, values)
        if wrong is not None:
            raise ProjectError(
                "MP-1126",
                f"{values[wrong]!r} is no value of the column {name!r} of {test.model}, which is {column.type}",
                next_step="write it as the column holds it",
                where=test.place("expect", wrong, name),
            )
    names = tuple(column.name for column in columns.values())
    rows = session.rows(meant(tuple(columns.values()), texts)) if columns else [()] * len(expected)
    return names, [dict(zip(names, row, strict=True)) for row in rows]


def compare(columns: Sequence[str], key: Sequence[str], wanted: Sequence[Row], found: Sequence[Row]) -> Difference:
    """Compare rows in any order, each as often as it is there.

    What is left on both sides is paired by the key, or by how much is the same.
    """
    missing, unexpected = list(wanted), list(found)
    for row in wanted:
        twin = next((other for other in unexpected if _same_row(row, other, columns)), None)
        if twin is not None:
            missing.remove(row)
            unexpected.remove(twin)
    changed: list[tuple[Row, Row]] = []
    by = [name for name in key if name in columns]
    for row in list(missing):
        near = _nearest(row, unexpected, columns, by)
        if near is not None:
            changed.append((row, near))
            missing.remove(row)
            unexpected.remove(near)
    return Difference(tuple(columns), tuple(missing), tuple(unexpected), tuple(changed))


def _same_row(one: Row, other: Row, columns: Iterable[str]) -> bool:
    return all(_same(one.get(name), other.get(name)) for name in columns)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _nearest(row: Row, others: Sequence[Row], columns: Sequence[str], key: Sequence[str]) -> Row | None:
    if key:
        return next((other for other in others if _same_row(row, other, key)), None)
    alike = [(sum(_same(row.get(name), other.get(name)) for name in columns), other) for other in others]
    best = max(alike, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] * 2 >= len(columns) else None


def _rejected(session: Session, test: ProjectTest) -> list[Row]:
    rows = session.rows(rejected_of(test.model))
    return [dict(zip((*_JUDGED, "raw"), row, strict=True)) for row in rows]


def _compare_rejected(test: ProjectTest, found: Sequence[Row]) -> Difference:
    """Each expected record must be one of those that were rejected, and no other may be."""
    left = [{**{name: row[name] for name in _JUDGED}, "record": row["raw"]} for row in found]
    fields = {id(row): _fields(row["record"]) for row in left}
    missing = []
    for wanted in test.expect_quarantine:
        texts = {name: as_text(value) for name, value in wanted.items()}
        match = next((row for row in left if _matches(texts, row, fields[id(row)])), None)
        if match is None:
            missing.append(dict(texts))
        else:
            left.remove(match)
    names = dict.fromkeys(name for row in missing for name in row)
    columns = tuple(names) if not left else tuple(dict.fromkeys((*names, *_JUDGED, "record")))
    return Difference(columns, tuple(missing), tuple(left))


def _fields(raw: str | None) -> Fields:
    try:
        said = decoded(raw or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _matches(wanted: dict[str, str | None], row: Row, fields: Fields) -> bool:
    return all(text == (row[name] if name in _JUDGED else _plain(fields.get(name))) for name, text in wanted.items())


def _plain(value: Any) -> str | None:
    return format(value, "f") if isinstance(value, Decimal) else as_text(value)
