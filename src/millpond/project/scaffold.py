"""New projects from templates: a template is a folder under `templates/` that is itself a project of its own name."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from millpond.core.errors import ProjectError
from millpond.core.names import closest
from millpond.project import schemas

_TEMPLATES = Path(__file__).parents[1] / "templates"
_NAME = re.compile(r"[a-z][a-z0-9_-]*\Z")
_IGNORED = ".millpond/\n"


def templates() -> tuple[str, ...]:
    """The names of all templates."""
    return tuple(sorted(path.parent.name for path in _TEMPLATES.glob("*/millpond.yaml")))


def scaffold(name: str, into: Path, template: str) -> tuple[Path, ...]:
    """Make the project `into/name`; the paths of its files, sorted.

    Besides the template's files it gets `.gitignore`, the JSON Schemas and the wiring of editors to them. Raises
    ProjectError MP-1041 (bad name), MP-1042 (no such template), MP-1040 (folder in use), MP-1043 (cannot be written).
    """
    _check_name(name)
    if template not in templates():
        raise ProjectError(
            "MP-1042",
            f'there is no template "{template}"',
            next_step=f"choose one of {', '.join(templates())}",
            suggestion=closest(template, templates()),
        )
    folder = into.absolute() / name
    made = not os.path.lexists(folder)
    try:
        if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
            raise ProjectError(
                "MP-1040",
                f"{folder} is there already and not empty",
                next_step="choose another name, or move it away",
            )
        return tuple(sorted(_write(name, folder, _TEMPLATES / template)))
    except OSError as failure:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        raise ProjectError(
            "MP-1043",
            f"the project cannot be written to {folder}: {failure.strerror or failure}",
            next_step="check that the folder may be written and the disk has room",
        ) from failure


def _check_name(name: str) -> None:
    if _NAME.match(name):
        return
    plain = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_0123456789")
    raise ProjectError(
        "MP-1041",
        f'"{name}" is no name for a project',
        next_step="use lower case letters, digits, - and _, with a letter first",
        suggestion=plain if _NAME.match(plain) else None,
    )


def _write(name: str, folder: Path, template: Path) -> Iterator[Path]:
    for source in _files(template):
        path = PurePosixPath(source.relative_to(template).as_posix())
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "millpond.yaml" or schemas.schema_of(path):
            text = source.read_text("utf-8")
            if path.name == "millpond.yaml":
                text = re.sub(r"^name:.*$", f"name: {name}", text, count=1, flags=re.MULTILINE)
            target.write_text(schemas.wire(path, text), "utf-8", newline="\n")
        else:
            shutil.copyfile(source, target)
            shutil.copystat(source, target)
        yield target
    for extra, text in ((".gitignore", _IGNORED), (".vscode/settings.json", schemas.editor_settings())):
        target = folder / extra
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", newline="\n")
        yield target
    yield from schemas.write(folder)


def _files(template: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(template):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(at, name) for name in names)
