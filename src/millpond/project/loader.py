"""A project's folder becomes frozen records; everything that is wrong with it is said at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from millpond.core.errors import Finding, FindingsError, Location, ProjectError
from millpond.core.names import LAYERS, TableName, closest, is_plain
from millpond.core.plugins import lookup
from millpond.project.findings import Findings
from millpond.project.function_file import read_function
from millpond.project.model import Model, Project, Source
from millpond.project.model_file import read_model
from millpond.project.naming import check_rule
from millpond.project.partitions import partitions
from millpond.project.secrets import check_catalog
from millpond.project.seed import check_seed, settings
from millpond.project.settings import FORMAT_VERSION, ProjectSettings
from millpond.project.source import FilesSource
from millpond.project.sql_file import SqlFile
from millpond.project.text_file import read
from millpond.project.validation import Validated, validate
from millpond.project.variables import Declaration, Variables
from millpond.project.yaml_file import Document, Entry, Tree, compose

PROJECT_FILE = "millpond.yaml"
DEFAULT_ENVIRONMENT = "prod"

_DECISIVE = ("version", "storage", "catalog", "engine", "environments", "variables", "time_zone")
"""Settings that say where the lake is, or how the engine reads a query."""

_YAML = (".yaml", ".yml")
_SEEDS = (".csv",)


def find(start: Path) -> Path:
    """The nearest folder at or above `start` that holds a millpond.yaml. Raises ProjectError MP-1001."""
    start = start.absolute()
    if not start.exists():
        raise ProjectError(
            "MP-1001", f"there is no folder {start}", next_step="name the folder of a project with --project DIR"
        )
    for folder in (start, *start.parents):
        if os.path.isfile(folder / PROJECT_FILE):  # noqa: PTH113 - a folder that may not be read holds none
            return folder
    raise _no_project(start)


def load(
    folder: Path,
    *,
    environment: str | None = None,
    variables: Mapping[str, str] = {},
    environ: Mapping[str, str],
    settings_only: bool = False,
) -> Project:
    """Read a project; with `settings_only`, its settings alone: sources and models are then not looked at, and
    nothing is said of macros.

    `variables` come from the command line, `environ` is the process's environment. Raises ProjectError MP-1001 when
    the folder holds no project, else FindingsError with every problem of every file, by file and line.
    """
    loading = _Loading(_project_folder(folder), environment, variables, environ)
    project, findings = loading.survey(settings_only)
    if project is None or findings:
        raise FindingsError(findings)
    return project


def survey(
    folder: Path,
    *,
    environment: str | None = None,
    variables: Mapping[str, str] = {},
    environ: Mapping[str, str],
) -> tuple[Project | None, tuple[Finding, ...]]:
    """What can be read of a project beside everything that is wrong with it; None where its settings are.

    Raises ProjectError MP-1001 when the folder holds no project.
    """
    return _Loading(_project_folder(folder), environment, variables, environ).survey()


def _project_folder(folder: Path) -> Path:
    folder = folder.resolve()
    if not os.path.lexists(folder / PROJECT_FILE):
        raise _no_project(folder)
    return folder


def _no_project(start: Path) -> ProjectError:
    other = start / "millpond.yml"
    return ProjectError(
        "MP-1001",
        f"there is no {PROJECT_FILE} in {start}" + ("" if start.parent == start else " or above it"),
        next_step=f"mv {other} {start / PROJECT_FILE}"
        if os.path.isfile(other)  # noqa: PTH113
        else "millpond init NAME (makes a project), or name a project's folder with --project DIR",
    )


class _Loading:
    """One load: the findings and variables that all files share."""

    def __init__(
        self, folder: Path, environment: str | None, given: Mapping[str, str], environ: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._file = folder / PROJECT_FILE
        self._environment = environment or DEFAULT_ENVIRONMENT
        self._given = given
        self._environ = environ
        self._findings = Findings()
        self._makers: dict[str, Path] = {}
        self._naming: dict[str, str] = {}
        self._naming_places: dict[str, Location] = {}
        self._variables: Variables | None = None
        """None when millpond.yaml cannot tell them: then none is replaced and none is missed."""

    def survey(self, settings_only: bool = False) -> tuple[Project | None, tuple[Finding, ...]]:
        """What could be read, and everything that is wrong."""
        declared = self._settings()
        sources = () if settings_only else (*self._sources(), *self._seeds())
        models = () if settings_only else tuple(self._models())
        macros = tuple(self._macros(Findings() if settings_only else self._findings))
        resolved = self._resolved()
        findings = self._findings.ordered()
        if declared is None:
            return None, findings
        return Project(self._folder, declared, self._environment, resolved, sources, models, macros), findings

    def _settings(self) -> ProjectSettings | None:
        tree = self._compose(self._file)
        if tree is None:
            return None
        written = tree.build(Findings(), as_text=_is_variable)
        if not _is_readable(written, self._findings):
            return None
        if not isinstance(written.data, dict):
            return validate(ProjectSettings, written, self._findings).record
        declared = _declared(written, self._environment)
        check_catalog(written, declared, self._findings)
        self._variables = Variables(self._given, self._environ, declared, self._findings)
        document = tree.build(self._findings, as_text=_is_variable, substitute=self._variables.substitute)
        validated = validate(ProjectSettings, document, self._findings)
        if validated.part is not None:
            self._check_environment(validated)
            self._naming = {str(layer): rule for layer, rule in validated.part.naming.items()}
            self._naming_places = {layer: document.value_place(("naming", layer)) for layer in self._naming}
            _check_zone(validated.part.time_zone, document.value_place(("time_zone",)), self._findings)
        return validated.record or _sound_part(validated)

    def _sources(self) -> Iterator[Source]:
        for path in _files(self._folder / "sources", _YAML):
            if not _check_name(path, self._findings):
                continue
            tree = self._compose(path)
            if tree is None:
                continue
            document = tree.build(self._findings, substitute=self._variables.substitute if self._variables else None)
            validated = validate(FilesSource, document, self._findings)
            if validated.part is None:
                continue
            table = _source_table(path, validated.part, document, self._findings)
            if table is None:
                continue
            self._note_maker(table, path, document.value_place(("table",)) if validated.part.table else Location(path))
            fields = partitions(validated.part.partition, document, self._findings)
            if validated.record is not None:
                yield Source(path.stem, path, table, validated.record, fields, document.places())

    def _seeds(self) -> Iterator[Source]:
        for path in _files(self._folder / "seeds", _SEEDS):
            if not _check_name(path, self._findings):
                continue
            table = TableName("bronze", path.stem)
            self._note_maker(table, path, Location(path))
            try:
                sound = check_seed(path, self._findings)
            except ProjectError as error:
                self._findings.take(error)
            else:
                if sound:
                    yield Source(path.stem, path, table, settings(path, self._folder))

    def _models(self) -> Iterator[Model]:
        root = self._folder / "models"
        for path in _files(root, (".sql", ".py")):
            if path.suffix == ".py" and path.stem.startswith("_"):
                continue  # what functions share
            layer = path.relative_to(root).parts[0]
            if layer not in LAYERS:
                _refuse_layer(path, None if path.parent == root else layer, self._findings)
            elif _check_name(path, self._findings):
                self._note_maker(TableName(layer, path.stem), path, Location(path))
                try:
                    model = self._model(path, TableName(layer, path.stem))
                except ProjectError as error:
                    self._findings.take(error)
                else:
                    if model is not None:
                        yield model

    def _model(self, path: Path, table: TableName) -> Model | None:
        if path.suffix == ".py":
            return read_function(path, table, self._findings)
        return read_model(path, table, self._variables, self._findings)

    def _macros(self, findings: Findings) -> Iterator[SqlFile]:
        variables = self._variables.noting(findings) if self._variables else None
        for path in _files(self._folder / "macros", (".sql",)):
            try:
                text = read(path)
            except ProjectError as error:
                findings.take(error)
            else:
                sql, shifts = variables.substitute_sql(text, path) if variables else (text, ())
                yield SqlFile(path, sql, shifts)

    def _compose(self, path: Path) -> Tree | None:
        try:
            tree = compose(read(path), path)
        except ProjectError as error:
            self._findings.take(error)
            return None
        if tree.root is None:
            self._findings.add(
                "MP-1009",
                "this file says nothing",
                next_step="millpond init NAME shows what belongs here; remove the file if it is not needed",
                where=Location(path, 1),
            )
            return None
        return tree

    def _note_maker(self, table: TableName, path: Path, where: Location) -> None:
        """Remember who makes a table; two makers of one table, or two sources of one name, are refused.

        So is a name that breaks the project's rule.
        """
        check_rule(table, where, self._naming, self._naming_places, self._findings)
        first = self._makers.setdefault(str(table), path)
        if first != path:
            self._findings.add(
                "MP-1018",
                f"{table} is made twice, first by {first.relative_to(self._folder).as_posix()}",
                next_step="rename or remove one of the two files",
                where=where,
            )
        if path.suffix.lower() in (*_YAML, *_SEEDS) and self._makers.setdefault(path.stem, path) != path:
            self._findings.add(
                "MP-1038",
                f'a second source is called "{path.stem}"',
                next_step="rename one of the two files",
                where=Location(path),
            )

    def _check_environment(self, settings: Validated[ProjectSettings]) -> None:
        if settings.part is None or ("environments",) in settings.dropped:
            return
        known = sorted({*settings.part.environments, DEFAULT_ENVIRONMENT})
        if self._environment not in known:
            self._findings.add(
                "MP-1015",
                f'there is no environment "{self._environment}"',
                next_step=f"declare it under `environments:` in millpond.yaml; there are {', '.join(known)}",
                where=Location(self._file),
                suggestion=closest(self._environment, known),
            )

    def _resolved(self) -> dict[str, str]:
        if self._variables is None:
            return {}
        resolved = self._variables.resolved()
        for name in self._variables.unused():
            self._findings.add(
                "MP-1014",
                f"the project has no variable {name}",
                next_step=f"declare it under `variables:` in millpond.yaml, or leave --var {name} out",
                where=Location(self._file),
                suggestion=self._variables.suggest(name),
            )
        return resolved


def _sound_part(settings: Validated[ProjectSettings]) -> ProjectSettings | None:
    """What can be read of wrong settings, where that is enough to judge the rest of the project by."""
    known = settings.dropped.isdisjoint((key,) for key in _DECISIVE)
    return settings.part if known else None


def _is_variable(entry: Entry) -> bool:
    return (len(entry) == 2 and entry[0] == "variables") or (
        len(entry) == 4 and entry[0] == "environments" and entry[2] == "variables"
    )


def _is_readable(document: Document, findings: Findings) -> bool:
    """Whether this release reads the file's format at all; else every other complaint would mislead."""
    version = document.data.get("version") if isinstance(document.data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version == FORMAT_VERSION:
        return True
    findings.add(
        "MP-1030",
        f"the project is written in version {version} of the format; this release reads version {FORMAT_VERSION}",
        next_step="install a release of Millpond that reads it" if version > FORMAT_VERSION else "write `version: 1`",
        where=document.value_place(("version",)),
    )
    return False


def _declared(document: Document, environment: str) -> dict[str, Declaration]:
    """The variables that hold in an environment, read before anything else is validated."""
    declared: dict[str, Declaration] = {}
    for entry in (("variables",), ("environments", environment, "variables")):
        section: Any = document.data
        for step in entry:
            section = section.get(step) if isinstance(section, dict) else None
        for name, value in section.items() if isinstance(section, dict) else ():
            if isinstance(value, str):
                declared[name] = Declaration(value, document.value_place((*entry, name)))
    return declared


def _check_zone(zone: str, where: Location, findings: Findings) -> None:
    if zone == "UTC":
        return
    known = lookup("pytz:all_timezones_set")
    if zone not in known:
        findings.add(
            "MP-1036",
            f'there is no time zone "{zone}"',
            next_step="write an IANA name such as Europe/Berlin or UTC",
            where=where,
            suggestion=closest(zone, sorted(known)),
        )


def _files(folder: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder by path, without hidden ones."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(endings):
                yield Path(at, name)


def _check_name(path: Path, findings: Findings) -> bool:
    if is_plain(path.stem):
        return True
    plain = re.sub(r"[^a-z0-9_]+", "_", path.stem.lower()).strip("_")
    plain = f"_{plain}" if plain[:1].isdigit() else plain
    findings.add(
        "MP-1016",
        f'"{path.stem}" is no name for a table: lower case letters, digits and underscores, no digit first',
        next_step="rename the file",
        where=Location(path),
        suggestion=f"{plain}{path.suffix}" if plain else None,
    )
    return False


def _refuse_layer(path: Path, layer: str | None, findings: Findings) -> None:
    findings.add(
        "MP-1017",
        "this model lies in no layer's folder" if layer is None else f'"{layer}" is not a layer',
        next_step=f"models lie under models/{', models/'.join(LAYERS)}",
        where=Location(path),
        suggestion=closest(layer, LAYERS) if layer else None,
    )


def _source_table(path: Path, settings: FilesSource, document: Document, findings: Findings) -> TableName | None:
    if settings.table is None:
        return TableName("bronze", path.stem)
    try:
        table = TableName.parse(settings.table)
    except ValueError:
        table = None
    if table is not None and table.layer == "bronze":
        return table
    plain = re.sub(r"[^a-z0-9_]+", "_", settings.table.lower().rpartition(".")[2]).strip("_")
    findings.add(
        "MP-1019",
        f'a source lands in a bronze table, not in "{settings.table}"',
        next_step="write bronze.NAME, or leave the key out",
        where=document.value_place(("table",)),
        suggestion=f"bronze.{plain}" if plain else None,
    )
    return None
