"""`check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from millpond.cli.edge import show_findings
from millpond.cli.output import counted, line
from millpond.core.errors import Finding, IngestError, in_order
from millpond.core.names import TableName
from millpond.core.plugins import lookup
from millpond.core.schema import Schema

if TYPE_CHECKING:
    from millpond.cli.options import Context
    from millpond.lakehouse import Lakehouse


def check(context: Context) -> int:
    """Print every finding; 2 when one of them is an error."""
    lake, findings = context.survey()
    tests: Sequence[object] = ()
    if lake is not None:
        with lake:
            validate = lookup("millpond.pipeline.validation:validate")
            known, unreached = _known(lake)
            built = lookup("millpond.pipeline.contract:built_tables")(lake.catalog, lake.project.models)
            told = (*findings, *unreached, *validate(lake.project, lake.engine, known, built))
            tests, wrong = _tests(lake, sound=not any(finding.severity == "error" for finding in told))
            findings = in_order((*told, *wrong))
    show_findings(findings, as_json=context.json)
    if lake is not None and not context.json and not context.quiet:
        counts: list[tuple[Sequence[object], str]] = [(lake.project.sources, "source"), (lake.project.models, "model")]
        counts += [(tests, "test")] if tests else []
        what = ", ".join(counted(len(parts), word) for parts, word in counts)
        line(f"{what}: {counted(len(findings), 'finding') if findings else 'nothing wrong'}")
    return 2 if any(finding.severity == "error" for finding in findings) else 0


def _tests(lake: Lakehouse, *, sound: bool) -> tuple[Sequence[object], tuple[Finding, ...]]:
    """The project's tests and what is wrong with them; where the models are not `sound`, their files alone are read."""
    tests, findings = lookup("millpond.project.case_file:read_tests")(lake.project.folder)
    if sound and tests:
        problems = lookup("millpond.pipeline.proving:problems")
        findings = (*findings, *problems(lake.project, lake.runner.graph(), lake.engine, tests))
    return tests, findings


def _known(lake: Lakehouse) -> tuple[dict[TableName, Schema], tuple[Finding, ...]]:
    """Columns of the lake's tables and of sources not landed yet; what is wrong with those that cannot tell."""
    known = {entry.name: lake.catalog.metadata(entry).schema() for entry in lake.catalog.tables()}
    unreached = []
    for source in lake.project.sources:
        if source.table in known:
            continue
        try:
            schema = lake.readers(source, lake.project).columns(lake.engine, lake.clock)
        except IngestError as failed:
            unreached.append(failed.finding)
        else:
            if schema is not None:
                known[source.table] = schema
    return known, tuple(unreached)
