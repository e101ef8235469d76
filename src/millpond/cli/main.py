"""The commands and their options; what they do lies in the modules beside this one."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from millpond.cli.options import Context, command
from millpond.core.plugins import lookup

app = typer.Typer(
    name="millpond",
    help="A folder of SQL and YAML becomes a governed lakehouse.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=False,
)
quarantine = typer.Typer(help="Records that were rejected, kept as they came.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")

Select = Annotated[
    list[str] | None,
    typer.Option("--select", "-s", help="Tables: name, +name, name+, tag:x, layer:gold, source:x; may be repeated."),
]
At = Annotated[str | None, typer.Option("--at", help="A commit number or a time.")]


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Say how to begin when no command is given."""
    if context.invoked_subcommand is None:
        lookup("millpond.cli.beginning:begin")()


@command(app, "init")
def init(
    context: Context,
    name: Annotated[str, typer.Argument(help="Name of the folder to make.")],
    template: Annotated[
        str, typer.Option("--template", "-t", help="starter, mobility, valleybike or empty.")
    ] = "starter",
) -> int | None:
    """Make a project in a new folder."""
    return int(lookup("millpond.cli.beginning:init")(context, name, template))


@command(app, "add")
def add(
    context: Context,
    files: Annotated[list[str], typer.Argument(help="Files or globs of one kind.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the source; else from the first file.")] = None,
) -> int | None:
    """Make a source from files, load it and show five rows."""
    return int(lookup("millpond.cli.beginning:add")(context, tuple(files), name))


@command(app, "check")
def check(context: Context) -> int | None:
    """Look at the whole project without running it."""
    return int(lookup("millpond.cli.checking:check")(context))


@command(app, "plan")
def plan(
    context: Context,
    select: Select = None,
    rebuild: Annotated[list[str] | None, typer.Option("--rebuild", help="Model to build anew.")] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", help="Table of a removed model to drop.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="What the last run did not finish.")] = False,
) -> int | None:
    """Print the steps that a run would take."""
    return int(lookup("millpond.cli.running:plan")(context, _request(select, rebuild, drop, failed, False)))


@command(app, "run")
def run(
    context: Context,
    select: Select = None,
    rebuild: Annotated[
        list[str] | None, typer.Option("--rebuild", help="Model to build anew, with all after it.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", help="Table of a removed model to drop.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="What the last run did not finish.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a run that holds the project.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
) -> int | None:
    """Load what is new and bring every table up to date."""
    request = _request(select, rebuild, drop, failed, wait)
    return int(lookup("millpond.cli.running:run")(context, request, dry_run=dry_run))


@command(app, "runs")
def runs(
    context: Context,
    run_id: Annotated[str | None, typer.Argument(help="Show what happened in this run.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many runs.")] = 20,
) -> int | None:
    """Show past runs, or the log of one."""
    return int(lookup("millpond.cli.running:runs")(context, run_id, limit))


@command(app, "query")
def query(
    context: Context,
    sql: Annotated[str, typer.Argument(help="One SELECT statement.")],
    at: At = None,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write the result to this file.")] = None,
) -> int | None:
    """Ask the lake."""
    return int(lookup("millpond.cli.reading:query")(context, sql, at, csv, parquet))


@command(app, "show")
def show(
    context: Context,
    table: Annotated[str, typer.Argument(help="A table.")],
    at: At = None,
    limit: Annotated[int, typer.Option("--limit", help="How many rows.")] = 5,
) -> int | None:
    """Show a table's columns and first rows."""
    return int(lookup("millpond.cli.reading:show")(context, table, at, limit))


@command(app, "ls")
def ls(
    context: Context,
    layer: Annotated[str | None, typer.Argument(help="Only this layer.")] = None,
) -> int | None:
    """List tables."""
    return int(lookup("millpond.cli.reading:ls")(context, layer))


@command(quarantine, "list")
def quarantine_list(
    context: Context,
    model: Annotated[str | None, typer.Option("--model", help="Only records meant for this table.")] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only records that broke this rule.")] = None,
) -> int | None:
    """List rejected records."""
    return int(lookup("millpond.cli.reading:quarantine_list")(context, model, rule))


@command(quarantine, "show")
def quarantine_show(
    context: Context,
    record: Annotated[str, typer.Argument(metavar="ID", help="Id of the record, or the beginning of it.")],
) -> int | None:
    """Show one rejected record as it came."""
    return int(lookup("millpond.cli.reading:quarantine_show")(context, record))


@command(app, "maintain")
def maintain(
    context: Context,
    select: Select = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> int | None:
    """Keep the lake small and fast: rewrite files, forget the old past, delete what nothing needs."""
    return int(lookup("millpond.cli.upkeep:maintain")(context, tuple(select or ()), dry_run))


@command(app, "doctor")
def doctor(
    context: Context,
    repair: Annotated[bool, typer.Option("--repair", help="Put damaged tables back to a whole version.")] = False,
) -> int | None:
    """Look whether everything that the lake names is there and whole."""
    return int(lookup("millpond.cli.upkeep:doctor")(context, repair))


@command(app, "serve")
def serve(
    context: Context,
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.")] = 8787,
    open_access: Annotated[bool, typer.Option("--open", help="Without tokens, on loopback only.")] = False,
) -> int | None:
    """Serve the catalog to other engines."""
    return int(lookup("millpond.cli.serving:serve")(context, port, open_access))


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    # A command lives for a second: looking for garbage while modules load would be a tenth of it.
    gc.set_threshold(100_000, 50, 100)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace", line_buffering=True)
    try:
        app()
    except SystemExit as ended:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Everything is closed by now; taking the modules apart would cost another tenth.
        os._exit(ended.code if isinstance(ended.code, int) else 0)


def _request(
    select: list[str] | None, rebuild: list[str] | None, drop: list[str] | None, failed: bool, wait: bool
) -> object:
    make = lookup("millpond.pipeline.request:Request")
    return make(tuple(select or ()), tuple(rebuild or ()), tuple(drop or ()), failed, wait)
