"""`check`."""

from __future__ import annotations

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
    if lake is not None:
        with lake:
            validate = lookup("millpond.pipeline.validation:validate")
            known, unreached = _known(lake)
            built = lookup("millpond.pipeline.contract:built_tables")(lake.catalog, lake.project.models)
            findings = in_order((*findings, *unreached, *validate(lake.project, lake.engine, known, built)))
    show_findings(findings, as_json=context.json)
    if lake is not None and not context.json and not context.quiet:
        told = f"{counted(len(lake.project.sources), 'source')}, {counted(len(lake.project.models), 'model')}"
        line(f"{told}: {counted(len(findings), 'finding') if findings else 'nothing wrong'}")
    return 2 if any(finding.severity == "error" for finding in findings) else 0


def _known(lake: Lakehouse) -> tuple[dict[TableName, Schema], tuple[Finding, ...]]:
    """Columns of the lake's tables and of sources not landed yet; what is wrong with those that cannot tell."""
    known = {entry.name: lake.catalog.metadata(entry).schema() for entry in lake.catalog.tables()}
    sniff = lookup("millpond.ingest.preview:expected_schema")
    unreached = []
    for source in lake.project.sources:
        if source.table in known:
            continue
        try:
            schema = sniff(source, lake.project, lake.engine, lake.clock)
        except IngestError as failed:
            unreached.append(failed.finding)
        else:
            if schema is not None:
                known[source.table] = schema
    return known, tuple(unreached)
