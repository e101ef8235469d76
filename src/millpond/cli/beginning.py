"""What a new user types first: nothing at all, `init`, `add`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from millpond.cli.output import json_line, line, said
from millpond.core.errors import ProjectError
from millpond.core.names import TableName, is_plain
from millpond.core.plugins import load, lookup

if TYPE_CHECKING:
    from millpond.cli.options import Context
    from millpond.project.model import Project

_FIRST = """millpond init shop           make a project with a small sample
cd shop
millpond run                 load, clean, check, build
millpond query "FROM gold.revenue_by_day"
millpond --help              everything else"""


def begin() -> None:
    """Print the lines to type first."""
    line(_FIRST)


def init(context: Context, name: str, template: str) -> int:
    """Make a project, print what was made and what to type next."""
    made = lookup("millpond.project.scaffold:scaffold")(name, Path.cwd(), template)
    folder = Path.cwd() / name
    if context.json:
        json_line({"project": name, "template": template, "files": [str(path.relative_to(folder)) for path in made]})
    elif not context.quiet:
        line(f"{name}/")
        for path in sorted(made):
            line(f"  {path.relative_to(folder)}")
        line()
        for words in (f"cd {name}", "millpond run", "millpond ls"):
            line(f"  {words}")
    return 0


def simulate(context: Context, what: str, into: Path, answers: Path | None, days: int, dirt: float, seed: int) -> int:
    """Write made-up data and its answers, and say how to run over them. Raises ProjectError MP-1133."""
    if what != "mobility":
        raise ProjectError(
            "MP-1133",
            f'there is nothing to simulate called "{what}"',
            next_step="millpond simulate mobility",
            suggestion="mobility",
        )
    beside = answers or into.with_name(f"{into.name}-answers.json")
    simulation = load("millpond.project.simulation.mobility")
    made = simulation.make(simulation.Simulation(seed, days, dirt))
    paths = simulation.write(made, into, beside)
    if context.json:
        faults = made.answers["rejected rows by rule"]
        json_line({"files": [str(path) for path in paths], "answers": str(beside), "rejected rows by rule": faults})
    elif not context.quiet:
        line(f"wrote {len(paths) - 1} files to {into}, and what must come of them to {beside}")
        line()
        line(f"  millpond run --var data={into.absolute()}")
    return 0


def add(context: Context, files: tuple[str, ...], name: str | None) -> int:
    """Write a source for files, load it, and show five rows of it."""
    with context.open() as lake:
        path = _write_source(lake.project, files, name)
        shown = path.relative_to(lake.project.folder)
    if not context.json and not context.quiet:
        line(f"wrote {shown}")
    request = lookup("millpond.pipeline.runner:Request")(select=(f"source:{path.stem}",))
    code = int(lookup("millpond.cli.running:run")(context, request, dry_run=False))
    if code:
        return code
    with context.open(settings_only=True) as lake:
        landed = lake.catalog.find(TableName("bronze", path.stem)) is not None
    if not landed:
        said("no rows came: the files are empty, or wait in quarantine (millpond quarantine list)")
        return 0
    return int(lookup("millpond.cli.reading:show")(context, f"bronze.{path.stem}", None, 5))


def _write_source(project: Project, words: tuple[str, ...], name: str | None) -> Path:
    """Write `sources/<name>.yaml`.

    Raises ProjectError MP-1052 when there is one of that name, MP-1053 and MP-1130 for a name that cannot be.
    """
    folder = project.folder
    infer = load("millpond.project.infer")
    globs, files = infer.globbed(words)
    name = name or infer.source_name((*files, *(path for named in globs.values() for path in named)))
    if not is_plain(name):
        raise ProjectError(
            "MP-1053",
            f"{name!r} cannot name a source",
            next_step="use lower case letters, digits and underscores, beginning with a letter",
        )
    table = TableName("bronze", name)
    if rule := lookup("millpond.project.naming:broken")(table, project.settings.naming):
        raise ProjectError(
            "MP-1130",
            f"the name of {table} breaks the project's rule for bronze: {rule}",
            next_step="name the source by --name as the rule says",
        )
    path = folder / "sources" / f"{name}.yaml"
    if path.exists():
        raise ProjectError(
            "MP-1052",
            f"there is a source {name} already",
            next_step=f"name the new one with --name, or add the files to sources/{name}.yaml",
        )
    text = infer.source_yaml(name, files, folder, globs)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path
