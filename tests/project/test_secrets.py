"""A secret stands in no file of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import FindingsError
from millpond.core.excerpt import render
from millpond.project.loader import load

HEAD = "version: 1\nname: lake\n"


def written(folder: Path, url: str, more: str = "") -> Path:
    (folder / "millpond.yaml").write_text(f"{HEAD}catalog:\n  url: {url}\n{more}")
    return folder


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("postgresql://me:hunter2@db/lake", ""),
        ("postgres://me:hunt/er2@db/lake", ""),
        ("postgresql://me@db/lake?password=hunter2", ""),
        ("postgresql://me@db/lake?sslmode=require&sslpassword=hunter2", ""),
        ("postgresql://me:${PW}@db/lake", "variables: {PW: hunter2}\n"),
        ("${URL}", "variables: {PW: hunter2, URL: 'postgresql://me:${PW}@db/lake'}\n"),
        ("postgresql://me:${PW}@db/lake", "environments: {prod: {variables: {PW: hunter2}}}\n"),
        ("postgresql://me:${PW}er2@db/lake", ""),
    ],
)
def test_a_password_in_the_file_is_refused_and_not_shown(url: str, more: str, tmp_path: Path) -> None:
    """Written out, or as the value of a variable of the same file; what is said does not repeat it."""
    with pytest.raises(FindingsError) as refused:
        load(written(tmp_path, url, more), environ={"PW": "hunt"})
    (finding,) = refused.value.findings
    assert finding.code == "MP-1060"
    assert "er2" not in render(finding, folder=tmp_path) + str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:${PW}@db/lake",
        "postgresql://me@db/lake?password=${PW}",
        "'${URL}'",
        "postgresql:///lake",
        "c.db",
    ],
)
def test_a_password_by_reference_is_taken_and_not_printed(url: str, tmp_path: Path) -> None:
    """The environment gives it; the settings do not show it when they are printed."""
    project = load(written(tmp_path, url), environ={"PW": "hunter2", "URL": "postgresql://me:hunter2@db/lake"})
    assert "${" not in project.settings.catalog.url
    assert "hunter2" not in repr(project) + str(project.settings)
