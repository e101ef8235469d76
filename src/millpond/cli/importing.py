"""`import`: what other tools check, as checks to be pasted into models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from millpond.cli.edge import show_findings
from millpond.cli.output import counted, json_line, line, said
from millpond.core.names import TableName
from millpond.project.check_text import check_lines
from millpond.quality.imports.dbt_tests import read_properties
from millpond.quality.imports.gx import read_suite
from millpond.quality.imports.translation import Left, Result, Translated, told_apart

if TYPE_CHECKING:
    from millpond.cli.options import Context
    from millpond.project.model import Project


def gx(context: Context, files: tuple[Path, ...], model: str | None) -> int:
    """Print the expectations of suites as checks of one model; 3 when something is left."""
    return _tell(context, [result for file in files for result in read_suite(file, model)])


def dbt_tests(context: Context, files: tuple[Path, ...]) -> int:
    """Print the data tests of property files as checks, by model; 3 when something is left."""
    with context.open() as lake:
        project = lake.project
    return _tell(
        context,
        [result for file in files for result in read_properties(file, lambda name: _table(project, name))],
        project,
    )


def _tell(context: Context, results: list[Result], project: Project | None = None) -> int:
    apart = told_apart(results)
    made = [result for result in apart if isinstance(result, Translated)]
    left = [result for result in apart if isinstance(result, Left)]
    for model in dict.fromkeys(result.model for result in made):
        table = _table(project, model) if project and model else None
        mine = [result for result in made if result.model == model]
        if context.json:
            for result in mine:
                place: dict[str, object] = {
                    "file": str(result.where.path),
                    "line": result.where.line or None,
                    "note": result.note,
                    "description": result.description,
                }
                name = str(table) if table else model
                json_line(
                    {"event": "check", "model": name, "check": dict(result.entry), "from": result.origin, **place}
                )
            continue
        if model is not None:
            line(f"# {table or f'{model}: the project has no model of this name'}")
        line("checks:")
        for result in mine:
            for text in check_lines(result.entry, result.description):
                line(text)
    if not context.json:
        for result in made:
            if result.note:
                said(f"{result.where}: {result.origin}: {result.note}")
    show_findings(tuple(result.finding() for result in left), as_json=context.json)
    if not context.json and not context.quiet:
        said(f"{counted(len(made), 'check')} from {counted(len(apart), 'test')}; {len(left)} not translated")
    return 3 if left else 0


def _table(project: Project, name: str) -> TableName | None:
    """The one model, else the one source, of a name without its layer."""
    models = [model.table for model in project.models if model.table.name == name.lower()]
    sources = [source.table for source in project.sources if source.table.name == name.lower()]
    return next((found[0] for found in (models, sources) if len(found) == 1), None)
