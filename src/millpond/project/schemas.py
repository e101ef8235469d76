"""JSON Schemas of the YAML files, for editors: draft-07, which their YAML language servers speak."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel

from millpond.project.case_file import CaseFile
from millpond.project.front_matter import FrontMatter
from millpond.project.settings import ProjectSettings
from millpond.project.source import FilesSource

FOLDER = PurePosixPath(".millpond/schema")

_SCHEMAS: tuple[tuple[str, type[BaseModel], str], ...] = (
    ("project.json", ProjectSettings, "millpond.yaml"),
    ("source.json", FilesSource, "sources/*.yaml"),
    ("test.json", CaseFile, "tests/*.yaml"),
    ("front_matter.json", FrontMatter, "the front matter of a model"),
)
_VARIABLE = {"type": "string", "pattern": "\\$\\{"}


def files() -> dict[str, str]:
    """The text of each schema file by its name."""
    return {
        name: json.dumps(_schema(model, title), indent=2, ensure_ascii=False) + "\n" for name, model, title in _SCHEMAS
    }


def write(folder: Path) -> tuple[Path, ...]:
    """Write the schemas below a project's folder; what is up to date is left alone. The paths that were written."""
    written = []
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        path = folder / FOLDER / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8", newline="\n")
            written.append(path)
    return tuple(written)


def wire(path: PurePosixPath, text: str) -> str:
    """The text of a project's YAML file, with a first line that tells editors its schema; other files unchanged."""
    name = schema_of(path)
    if name is None or text.startswith("# yaml-language-server:"):
        return text
    up = PurePosixPath(*[".."] * (len(path.parts) - 1))
    return f"# yaml-language-server: $schema={up / FOLDER / name}\n{text}"


def schema_of(path: PurePosixPath) -> str | None:
    """The name of the schema for a file, by its path in the project; None where there is none."""
    if path == PurePosixPath("millpond.yaml"):
        return "project.json"
    folders = {"sources": "source.json", "tests": "test.json"}
    return folders.get(path.parts[0]) if path.suffix in (".yaml", ".yml") else None


def editor_settings() -> str:
    """The text of `.vscode/settings.json`, which maps files to schemas."""
    mapped = {str(FOLDER / name): pattern for name, _, pattern in _SCHEMAS if pattern.endswith(".yaml")}
    return json.dumps({"yaml.schemas": mapped}, indent=2) + "\n"


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/definitions/{model}")
    definitions = schema.pop("$defs", {})
    schema["title"] = title
    whole: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    if definitions:
        whole["definitions"] = definitions
    taken: dict[str, Any] = _taking_variables(whole)
    return taken


def _taking_variables(part: Any) -> Any:
    """The schema with `${NAME}` allowed where a number or a boolean is, without the titles that pydantic makes up."""
    if isinstance(part, list):
        return [_taking_variables(item) for item in part]
    if not isinstance(part, dict):
        return part
    taken = {key: _taking_variables(value) for key, value in part.items() if key != "title" or "$schema" in part}
    if taken.get("type") in ("integer", "number", "boolean"):
        kept = {key: taken.pop(key) for key in ("description", "default") if key in taken}
        return {**kept, "anyOf": [taken, _VARIABLE]}
    return taken
