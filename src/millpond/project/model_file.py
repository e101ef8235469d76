"""A model's file becomes a record: front matter checked, variables replaced."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TypeVar

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.project.check import Check
from millpond.project.checks import checks
from millpond.project.findings import Findings
from millpond.project.front_matter import BreakerEntry, FrontMatter, split
from millpond.project.kinds import check_kind, check_unique
from millpond.project.model import Breaker, ColumnNotes, Model
from millpond.project.partitions import partitions
from millpond.project.settings import seconds
from millpond.project.sql_file import SqlFile
from millpond.project.text_file import read
from millpond.project.validation import Validated, validate
from millpond.project.variables import Variables
from millpond.project.yaml_file import Document, compose

M = TypeVar("M", bound=FrontMatter)

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def read_model(path: Path, table: TableName, variables: Variables | None, findings: Findings) -> Model | None:
    """Read one model; None when its front matter does not validate, with what is wrong in `findings`.

    Raises ProjectError where the file cannot be read or taken apart at all.
    """
    text = read(path)
    parts = split(text, path)
    if not _COMMENTS.sub("", parts.sql).strip(" \t\n;"):
        findings.add(
            "MP-1021",
            "this model has no query",
            next_step="write a SELECT" + (" below the front matter" if parts.yaml else ""),
            where=Location(path, 1),
        )
    sql, shifts = variables.substitute_sql(parts.sql, path) if variables else (parts.sql, ())
    tree = compose(parts.yaml, path)
    document = tree.build(findings, substitute=variables.substitute if variables else None, retype=True)
    validated = validate(FrontMatter, document, findings)
    return declared_model(SqlFile(path, sql, shifts), table, validated, document, findings)


def declared_model(
    file: SqlFile,
    table: TableName,
    validated: Validated[M],
    document: Document,
    findings: Findings,
) -> Model | None:
    """The model that a declaration and a query make; None when the declaration does not validate."""
    matter = validated.part
    if matter is None:
        return None
    check_kind(matter, document, findings)
    model = Model(
        table=table,
        kind=matter.kind,
        path=file.path,
        sql=file.sql,
        dialect=matter.dialect,
        key=matter.key,
        order=matter.order,
        event_time=matter.event_time,
        delete_when=matter.delete_when,
        tombstones=matter.tombstones,
        exclude=matter.exclude,
        lookback=None if matter.lookback is None else seconds(matter.lookback),
        partition=partitions(matter.partition, document, findings),
        cluster=matter.cluster,
        checks=_checks(table, validated, document, findings),
        on_fail=matter.on_fail,
        review_by=matter.review_by,
        breaker=_breaker(matter.breaker),
        columns={name: ColumnNotes(**dict(said)) for name, said in matter.columns.items()},
        description=matter.description,
        owner=matter.owner,
        tags=matter.tags,
        places=document.places(),
        shifts=file.shifts,
    )
    return model if validated.record else None


def _breaker(said: BreakerEntry | None) -> Breaker | None:
    if said is None:
        return None
    return Breaker(float(said.max_failed.rstrip(" %")) / 100, said.after, seconds(said.retry))


def _checks(table: TableName, validated: Validated[M], document: Document, findings: Findings) -> tuple[Check, ...]:
    matter = validated.part
    if matter is None:
        return ()
    written = (position for position in itertools.count() if ("checks", position) not in validated.dropped)
    found = checks(zip(written, matter.checks, strict=False), matter.on_fail, document, findings)
    for check in found:
        if check.kind == "relationship" and check.target is not None and check.target.table == table:
            findings.add(
                "MP-1142",
                f"{check.rule} asks for rows of {table} itself, which are judged one by one and not among each other",
                next_step="judge the whole table: `sql: SELECT ...`, a query whose rows are failures",
                where=check.where,
            )
    check_unique(matter.kind, found, findings)
    return found
