"""Errors as values: codes, places, exit codes, the shape that `--json` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millpond.core import errors
from millpond.core.errors import ConflictError, Finding, FindingsError, Location, MillpondError, ProjectError

PLACE = Location(Path("/p/sources/a.yaml"), 3, 5, 4)


def test_an_error_shows_its_code_and_sentence() -> None:
    """What is raised reads as `CODE: sentence`, and carries its finding."""
    error = ProjectError("MP-1006", 'unknown key "pths"', next_step="use paths", where=PLACE, suggestion="paths")
    assert str(error) == 'MP-1006: unknown key "pths"'
    assert error.code == "MP-1006"
    assert error.finding == Finding("MP-1006", 'unknown key "pths"', "use paths", PLACE, "paths")


def test_a_place_reads_as_file_line_and_column() -> None:
    """Parts that are unknown are left out."""
    path = Path("a.yaml")
    assert [str(Location(path)), str(Location(path, 3)), str(Location(path, 3, 5))] == [
        "a.yaml",
        "a.yaml:3",
        "a.yaml:3:5",
    ]


def test_several_findings_are_one_error() -> None:
    """The first one gives the error its code; all of them are kept."""
    first, second = Finding("MP-1005", "one", "fix"), Finding("MP-1006", "two", "fix")
    error = FindingsError((first, second))
    assert (error.code, error.findings, error.exit_code) == ("MP-1005", (first, second), 2)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ProjectError", 2),
        ("ModelError", 2),
        ("CatalogError", 1),
        ("ConflictError", 1),
        ("EngineError", 1),
        ("IngestError", 1),
        ("QualityError", 1),
        ("RunError", 1),
        ("RequestError", 2),
        ("AccessError", 1),
        ("HostError", 1),
    ],
)
def test_each_family_has_its_exit_code(kind: str, code: int) -> None:
    """2 means that the author has to change something, 1 that the work failed."""
    family = getattr(errors, kind)
    assert issubclass(family, MillpondError)
    assert family("MP-0000", "x", next_step="y").exit_code == code


def test_a_conflict_is_a_catalog_error() -> None:
    """Who handles catalog errors handles conflicts too."""
    assert isinstance(ConflictError("MP-3010", "x", next_step="y"), errors.CatalogError)


def test_the_json_shape_is_pinned() -> None:
    """Every finding has the same eight keys, with numbers as numbers."""
    finding = Finding("MP-1006", "m", "n", PLACE, "s")
    assert json.loads(json.dumps(finding.as_json(Path("/p")))) == {
        "code": "MP-1006",
        "severity": "error",
        "message": "m",
        "file": "sources/a.yaml",
        "line": 3,
        "column": 5,
        "suggestion": "s",
        "next_step": "n",
    }


def test_what_is_unknown_is_null_in_json() -> None:
    """No place, or only a file, gives null and never 0."""
    keys = ("file", "line", "column", "suggestion")
    without, only_file = Finding("MP-1014", "m", "n"), Finding("MP-1014", "m", "n", Location(Path("/q/a.yaml")))
    assert [without.as_json()[key] for key in keys] == [None, None, None, None]
    assert [only_file.as_json(Path("/p"))[key] for key in keys] == ["/q/a.yaml", None, None, None]
