"""The commands and their options; what they do lies in the modules beside this one."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from millpond.cli.options import Commands, Context, Records, TableOrVerb, command
from millpond.core.plugins import lookup

app = typer.Typer(
    name="millpond",
    cls=Commands,
    help="A folder of SQL and YAML becomes a governed lakehouse.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=False,
)
quarantine = typer.Typer(help="Records that were rejected, kept as they came.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")
token = typer.Typer(help="Tokens for other programs that use the catalog.", no_args_is_help=True)
app.add_typer(token, name="token")

quality = typer.Typer(cls=TableOrVerb, help="How good and how fresh the tables are: `quality [TABLE]`.")
app.add_typer(quality, name="quality")
importing = typer.Typer(help="Take over what other tools check.", no_args_is_help=True)
app.add_typer(importing, name="import")

Select = Annotated[
    list[str] | None,
    typer.Option("--select", "-s", help="Tables: name, +name, name+, tag:x, layer:gold, source:x; may be repeated."),
]
Retry = Annotated[list[str] | None, typer.Option("--retry", help="Model with an open circuit to try at once.")]
At = Annotated[str | None, typer.Option("--at", help="A commit number, a time or a tag.")]
_MOST = 2**31 - 1
"""More rows, commits or runs than anyone asks for; every store takes the number."""
_PORTS = 2**16 - 1


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


@command(app, "simulate")
def simulate(
    context: Context,
    what: Annotated[str, typer.Argument(metavar="TEMPLATE", help="mobility.")],
    into: Annotated[Path, typer.Option("--into", help="Folder for the files; must be empty.")] = Path("simulated"),
    answers: Annotated[
        Path | None, typer.Option("--answers", help="File for the right answers; else beside the folder.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days.")] = 3,
    dirt: Annotated[float, typer.Option("--dirt", min=0, max=20, help="Percent of rows that get a fault.")] = 0.5,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same files.")] = 2026,
) -> int | None:
    """Make data for a template's project, with a share of dirt, and a file of the right answers."""
    return int(lookup("millpond.cli.beginning:simulate")(context, what, into, answers, days, dirt / 100, seed))


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
    retry: Retry = None,
) -> int | None:
    """Print the steps that a run would take."""
    return int(lookup("millpond.cli.running:plan")(context, _request(select, rebuild, drop, retry, failed=failed)))


@command(app, "run")
def run(
    context: Context,
    select: Select = None,
    rebuild: Annotated[
        list[str] | None, typer.Option("--rebuild", help="Model to build anew, with all after it.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", help="Table of a removed model to drop.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="What the last run did not finish.")] = False,
    retry: Retry = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a run that holds the project.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
) -> int | None:
    """Load what is new and bring every table up to date."""
    request = _request(select, rebuild, drop, retry, failed=failed, wait=wait)
    return int(lookup("millpond.cli.running:run")(context, request, dry_run=dry_run))


@command(app, "runs")
def runs(
    context: Context,
    run_id: Annotated[str | None, typer.Argument(help="Show what happened in this run.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="How many runs.")] = 20,
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
    limit: Annotated[int, typer.Option("--limit", min=0, max=_MOST, help="How many rows.")] = 5,
) -> int | None:
    """Show a table's columns and first rows."""
    return int(lookup("millpond.cli.reading:show")(context, table, at, limit))


@command(app, "ls")
def ls(
    context: Context,
    layer: Annotated[str | None, typer.Argument(help="Only this layer.")] = None,
    at: At = None,
) -> int | None:
    """List tables."""
    return int(lookup("millpond.cli.reading:ls")(context, layer, at))


@command(app, "history")
def history(
    context: Context,
    table: Annotated[str | None, typer.Argument(help="Only commits that changed this table.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="How many commits, the newest first.")] = 20,
) -> int | None:
    """List commits: when, who, what, and how many rows."""
    return int(lookup("millpond.cli.history:history")(context, table, limit))


@command(app, "diff")
def diff(
    context: Context,
    table: Annotated[str, typer.Argument(help="A table.")],
    at: Annotated[str, typer.Option("--at", help="Before: a commit number, a time or a tag.")],
    to: Annotated[str | None, typer.Option("--to", help="After; else now.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, max=_MOST, help="How many rows; else 20, and with --json all.")
    ] = None,
) -> int | None:
    """Show which rows of a table came, went and changed between two moments."""
    return int(lookup("millpond.cli.history:diff")(context, table, at, to, limit))


@command(app, "restore")
def restore(
    context: Context,
    to: Annotated[str, typer.Option("--to", help="A commit number, a time or a tag.")],
    table: Annotated[str | None, typer.Argument(help="A table.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every table.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> int | None:
    """Make a table, or all, what they were, by a new commit; the next run goes on from there."""
    return int(lookup("millpond.cli.history:restore")(context, table, to, every=every, dry_run=dry_run))


@command(app, "tag")
def tag(
    context: Context,
    name: Annotated[str | None, typer.Argument(help="A name for a commit; without one, tags are listed.")] = None,
    at: At = None,
    listed: Annotated[bool, typer.Option("--list", help="List the tags.")] = False,
    delete: Annotated[str | None, typer.Option("--delete", metavar="NAME", help="Take this name away.")] = None,
) -> int | None:
    """Name a commit, so that what it holds is kept for ever."""
    return int(lookup("millpond.cli.history:tag")(context, name, at, listed=listed, delete=delete))


@command(quarantine, "list")
def quarantine_list(
    context: Context,
    records: Records,
    every: Annotated[bool, typer.Option("--all", help="Also what is replayed, discarded or healed.")] = False,
    at: At = None,
) -> int | None:
    """List rejected records that wait for a decision."""
    return int(lookup("millpond.cli.quarantine:list_all")(context, records, every, at))


@command(quarantine, "show")
def quarantine_show(
    context: Context,
    records: Records,
    raw: Annotated[bool, typer.Option("--raw", help="As they may be edited: one JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As they may be edited: comma-separated values.")] = False,
    at: At = None,
) -> int | None:
    """Show rejected records as they came, and where their lives stand."""
    return int(lookup("millpond.cli.quarantine:show")(context, records, at, raw=raw, as_csv=csv))


@command(quarantine, "fix")
def quarantine_fix(
    context: Context,
    records: Records,
    set_to: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a column.")] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", metavar="NAME", help="Set a column to NULL.")] = None,
    sql: Annotated[
        list[str] | None, typer.Option("--sql", metavar="NAME=EXPRESSION", help="Compute a column from the others.")
    ] = None,
    edited: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="What `show --raw` printed, edited; or other bytes."),
    ] = None,
) -> int | None:
    """Mend records; the raw ones are kept beside."""
    mend = lookup("millpond.cli.quarantine:fix")
    return int(mend(context, records, set_to or (), unset or (), sql or (), edited))


@command(quarantine, "replay")
def quarantine_replay(context: Context, records: Records) -> int | None:
    """Land what is fixed in bronze, once, and bring up to date what stands on it."""
    return int(lookup("millpond.cli.quarantine:replay")(context, records))


@command(quarantine, "discard")
def quarantine_discard(
    context: Context,
    records: Records,
    because: Annotated[str | None, typer.Option("--because", help="Why, kept with the record.")] = None,
) -> int | None:
    """Give records up: they stay in quarantine, and are never opened again."""
    return int(lookup("millpond.cli.quarantine:discard")(context, records, because))


@command(quality, "show")
def quality_show(
    context: Context,
    table: Annotated[str | None, typer.Argument(help="A table; without one, all of them in a line each.")] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="How many of the newest steps a score looks at.")] = 10,
    at: At = None,
) -> int | None:
    """Show scores of checks, what holds tables back, and (of one table) its profile; `quality [TABLE]` will do."""
    return int(lookup("millpond.cli.quality:quality")(context, table, steps, at))


@command(quality, "suggest")
def quality_suggest(
    context: Context, table: Annotated[str, typer.Argument(help="A table.")], at: At = None
) -> int | None:
    """Print checks that every row of a table passes, to be pasted into a model's front matter."""
    return int(lookup("millpond.cli.quality:suggest")(context, table, at))


Model = Annotated[str | None, typer.Option("--model", help="The model that they are for, where the file does not say.")]


@command(importing, "gx")
def import_gx(
    context: Context, files: Annotated[list[Path], typer.Argument(help="Suites in JSON.")], model: Model = None
) -> int | None:
    """Print Great Expectations suites as checks; what cannot be translated is listed."""
    return int(lookup("millpond.cli.importing:gx")(context, tuple(files), model))


@command(importing, "dbt-tests")
def import_dbt_tests(
    context: Context, files: Annotated[list[Path], typer.Argument(help="Property files such as schema.yml.")]
) -> int | None:
    """Print dbt data tests as checks; what cannot be translated is listed."""
    return int(lookup("millpond.cli.importing:dbt_tests")(context, tuple(files)))


@command(app, "test")
def prove(
    context: Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Tests, files or models.")] = None,
    record: Annotated[str | None, typer.Option("--record", metavar="MODEL", help="Write one from real rows.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="With --record: name of the file under tests/.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="With --record: rows of each input.")] = 5,
) -> int | None:
    """Try models on given rows, without a lake."""
    if record is not None:
        return int(lookup("millpond.cli.proving:record")(context, record, name, rows))
    return int(lookup("millpond.cli.proving:prove_tests")(context, tuple(names or ())))


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
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=_PORTS, help="Port; 0 takes a free one.")] = 8787,
    open_access: Annotated[bool, typer.Option("--open", help="Without tokens, on loopback only.")] = False,
    upkeep: Annotated[bool, typer.Option("--upkeep/--no-upkeep", help="Keep written tables small.")] = True,
) -> int | None:
    """Serve the catalog to other engines."""
    return int(lookup("millpond.cli.serving:serve")(context, host, port, open_access, upkeep))


@command(token, "create")
def token_create(
    context: Context,
    name: Annotated[str, typer.Argument(help="Name of the program; its commits bear it.")],
    scope: Annotated[str, typer.Option("--scope", help="catalog:read or catalog:write.")] = "catalog:read",
    expires: Annotated[str | None, typer.Option("--expires", help="After 90m, 12h or 30d; else never.")] = None,
) -> int | None:
    """Make a token and show it, this once."""
    return int(lookup("millpond.cli.tokens:create")(context, name, scope, expires))


@command(token, "list")
def token_list(context: Context) -> int | None:
    """List tokens: whose they are, what they allow, and whether they are good."""
    return int(lookup("millpond.cli.tokens:list_all")(context))


@command(token, "revoke")
def token_revoke(context: Context, name: Annotated[str, typer.Argument(help="Name of the token.")]) -> int | None:
    """End a token at once, also for a gateway that is running."""
    return int(lookup("millpond.cli.tokens:revoke")(context, name))


@command(app, "connect")
def connect(
    context: Context,
    client: Annotated[str, typer.Argument(help="spark, trino, pyiceberg, duckdb, sail, polars or pandas.")],
    host: Annotated[str, typer.Option("--host", help="Where `millpond serve` listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=_PORTS, help="On which port.")] = 8787,
    open_access: Annotated[bool, typer.Option("--open", help="It was started with --open.")] = False,
) -> int | None:
    """Print the configuration of another engine for this lake."""
    return int(lookup("millpond.cli.connecting:connect")(context, client, host, port, open_access))


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace", line_buffering=True)
    _keep_only(sys.argv[1:2])
    try:
        app()
    except SystemExit as ended:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Everything is closed by now; taking the modules apart would cost another tenth.
        os._exit(ended.code if isinstance(ended.code, int) else 0)


def _keep_only(words: list[str]) -> None:
    """Forget the commands that were not asked for: to make the options of all takes as long as to read a project."""
    asked = [command for command in app.registered_commands if command.name in words]
    if asked:
        app.registered_commands, app.registered_groups = asked, []


def _request(
    select: list[str] | None,
    rebuild: list[str] | None,
    drop: list[str] | None,
    retry: list[str] | None,
    *,
    failed: bool,
    wait: bool = False,
) -> object:
    make = lookup("millpond.pipeline.request:Request")
    tables = {"select": select, "rebuild": rebuild, "drop": drop, "retry": retry}
    return make(**{name: tuple(given or ()) for name, given in tables.items()}, failed=failed, wait=wait)
