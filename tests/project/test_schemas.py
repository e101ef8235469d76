"""JSON Schemas for editors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from millpond.project import schemas
from millpond.project.front_matter import FrontMatter
from millpond.project.settings import ProjectSettings
from millpond.project.source import FilesSource

SCHEMAS = {name: json.loads(text) for name, text in schemas.files().items()}


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a schema."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from parts(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from parts(item)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schemas_speak_draft_07(name: str) -> None:
    """Which is what the language servers of editors understand; every reference leads somewhere."""
    schema = SCHEMAS[name]
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    for part in parts(schema):
        assert not {"$defs", "prefixItems", "discriminator"} & set(part)
        if isinstance(part.get("$ref"), str):
            assert part["$ref"].removeprefix("#/definitions/") in schema["definitions"]


@pytest.mark.parametrize(
    ("name", "model"),
    [("project.json", ProjectSettings), ("source.json", FilesSource), ("front_matter.json", FrontMatter)],
)
def test_schemas_know_every_key_and_no_other(name: str, model: Any) -> None:
    """With what each means."""
    properties = SCHEMAS[name]["properties"]
    assert set(properties) == {field.alias or key for key, field in model.model_fields.items()}
    for said in properties.values():
        meant = SCHEMAS[name]["definitions"][said["$ref"].rpartition("/")[2]] if "$ref" in said else said
        assert meant["description"]
    assert SCHEMAS[name]["additionalProperties"] is False


def test_an_editor_takes_what_the_loader_takes() -> None:
    """A single entry without brackets, and a variable in place of a number."""
    paths = SCHEMAS["source.json"]["properties"]["paths"]
    assert {option["type"] for option in paths["anyOf"]} == {"string", "array"}
    threads = SCHEMAS["project.json"]["definitions"]["EngineSettings"]["properties"]["threads"]
    assert {"type": "string", "pattern": "\\$\\{"} in list(parts(threads))


def test_schemas_are_written_once(tmp_path: Path) -> None:
    """What is up to date is left alone; what is not is written again."""
    written = schemas.write(tmp_path)
    assert sorted(path.name for path in written) == sorted(SCHEMAS)
    assert schemas.write(tmp_path) == ()
    written[0].write_text("{}", "utf-8")
    assert schemas.write(tmp_path) == (written[0],)


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("millpond.yaml", "# yaml-language-server: $schema=.millpond/schema/project.json"),
        ("sources/a.yaml", "# yaml-language-server: $schema=../.millpond/schema/source.json"),
        ("sources/eu/a.yml", "# yaml-language-server: $schema=../../.millpond/schema/source.json"),
        ("data/a.yaml", "kind: files"),
        ("models/silver/a.sql", "kind: files"),
    ],
)
def test_files_tell_editors_their_schema(path: str, first: str) -> None:
    """In the first line, by a path from where they lie; once."""
    wired = schemas.wire(PurePosixPath(path), "kind: files\n")
    assert wired.split("\n")[0] == first
    assert schemas.wire(PurePosixPath(path), wired) == wired


def test_the_settings_of_the_editor_name_schemas_that_exist() -> None:
    """For editors that go by the workspace."""
    mapped = json.loads(schemas.editor_settings())["yaml.schemas"]
    assert {PurePosixPath(path).name for path in mapped} <= set(SCHEMAS)
