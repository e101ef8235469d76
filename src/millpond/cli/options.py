"""The options that every command takes, and the context that they make."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

from millpond.cli.edge import guarded, show_findings
from millpond.core.errors import Finding, ProjectError
from millpond.core.plugins import lookup
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.lakehouse import Lakehouse


_USAGE: type[Exception] = typer.BadParameter.__mro__[1]
"""What is raised for words that no command takes; the library tells only kinds of it by name."""


@frozen
class Context:
    """What the common options say."""

    project: Annotated[Path | None, typer.Option("--project", help="Project folder; else found upward from here.")] = (
        None
    )
    env: Annotated[str | None, typer.Option("--env", help="Environment.")] = None
    var: Annotated[list[str] | None, typer.Option("--var", help="Variable as NAME=VALUE; may be repeated.")] = None
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False

    @property
    def color(self) -> bool:
        """Whether colours are wanted: on a terminal, unless told otherwise."""
        return sys.stdout.isatty() and not self.no_color and "NO_COLOR" not in os.environ

    @property
    def interactive(self) -> bool:
        """Whether a person watches."""
        return sys.stdout.isatty() and not self.json and not self.quiet

    def variables(self) -> dict[str, str]:
        """The variables given by --var. Raises ProjectError MP-1091 where `=` is missing."""
        given = {}
        for word in self.var or []:
            name, equals, value = word.partition("=")
            if not equals:
                raise ProjectError("MP-1091", f"--var {word} has no value", next_step="write it as --var name=value")
            given[name] = value
        return given

    def open(self, settings_only: bool = False) -> Lakehouse:
        """The lakehouse of the project that the options name; for who needs no sources and models, without them."""
        opener, folder = lookup("millpond.lakehouse:open_lakehouse"), self.project or Path.cwd()
        given = {"environment": self.env, "variables": self.variables()}
        return cast("Lakehouse", opener(folder, **given, settings_only=settings_only))

    def survey(self) -> tuple[Lakehouse | None, tuple[Finding, ...]]:
        """The lakehouse of what can be read of the project, and what is wrong with the rest."""
        look = lookup("millpond.lakehouse:survey_lakehouse")
        lake, findings = look(self.project or Path.cwd(), environment=self.env, variables=self.variables())
        return lake, findings


@frozen
class Records:
    """Which quarantined records the options of a command mean."""

    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of records, or their beginnings.")] = (
        None
    )
    model: Annotated[list[str] | None, typer.Option("--model", help="Only records meant for this table.")] = None
    rule: Annotated[list[str] | None, typer.Option("--rule", help="Only records that broke this rule.")] = None
    source: Annotated[list[str] | None, typer.Option("--source", help="Only records that came from this source.")] = (
        None
    )
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only rejected then or later.")] = None
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only rejected then or earlier.")] = None
    status: Annotated[
        list[str] | None,
        typer.Option("--status", help="Only open, fixed, replayed, discarded or healed ones."),
    ] = None
    overdue: Annotated[bool, typer.Option("--overdue", help="Only records whose review is overdue.")] = False


class Commands(TyperGroup):
    """All commands. With --json, words that no command takes are told as every other error is: as a JSON line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command that the words name; by itself, the process ends with its exit code."""
        work = partial(super().main, args, prog_name, complete_var, windows_expand_args=windows_expand_args, **extra)
        words = list(sys.argv[1:] if args is None else args)
        if not standalone_mode or "--json" not in words:
            return work(standalone_mode=standalone_mode)
        try:
            code = work(standalone_mode=False)
        except _USAGE as wrong:
            message = str(cast("Any", wrong).format_message()).rstrip(".")
            asked = next((word for word in words[:1] if word in self.commands), None)
            step = f"`millpond {asked} --help` tells what it takes" if asked else "`millpond --help` lists the commands"
            show_findings((Finding("MP-1096", message, step),), as_json=True)
            code = 2
        sys.exit(code or 0)


class TableOrVerb(TyperGroup):
    """A group whose first word may be a table in place of a verb: it then means `show`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `show` before what is no verb."""
        verb = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if verb else ["show", *args])


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., int | None]], Callable[..., None]]:
    """Register a function as a command: its first parameter is the Context, made of the common options.

    A parameter that is Records is made of the options that choose quarantined records.
    """

    def register(function: Callable[..., int | None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        grouped = {parameter.name: parameter.annotation for parameter in own if parameter.annotation is Records}

        @functools.wraps(function)
        def run(**given: Any) -> None:
            context = Context(**{field.name: given.pop(field.name) for field in fields(Context)})
            for group, kind in grouped.items():
                given[group] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            raise typer.Exit(guarded(context, lambda: function(context, **given)))

        spread = [
            part
            for parameter in own
            for part in (_parts(parameter.annotation) if parameter.name in grouped else [parameter])
        ]
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [parameter.replace(kind=keyword) for parameter in (*spread, *_parts(Context))]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name)(run)
        return run

    return register


@functools.cache
def _parts(kind: type) -> tuple[inspect.Parameter, ...]:
    """The options that a record is made of, as parameters of a command."""
    return tuple(inspect.signature(kind, eval_str=True).parameters.values())
