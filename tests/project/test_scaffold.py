"""New projects."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from millpond.core.errors import ProjectError
from millpond.project import scaffold as scaffolding
from millpond.project.loader import load
from millpond.project.scaffold import scaffold, templates

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_there_are_four_templates() -> None:
    """As the documentation says."""
    assert templates() == ("empty", "mobility", "starter", "valleybike")


@pytest.mark.parametrize("template", ["starter", "mobility", "valleybike", "empty"])
def test_a_new_project_has_nothing_wrong(tmp_path: Path, template: str) -> None:
    """It loads as it is, under the name that it was given, and was made in under a second."""
    start = time.monotonic()
    made = scaffold("my_project-2", tmp_path, template)
    assert time.monotonic() - start < 1
    project = load(tmp_path / "my_project-2", environ={})
    assert project.settings.name == "my_project-2"
    assert set(made) == {path for path in (tmp_path / "my_project-2").rglob("*") if path.is_file()}
    assert (tmp_path / "my_project-2" / ".gitignore").read_text("utf-8") == ".millpond/\n"


def test_yaml_files_are_wired_to_schemas_that_are_there(tmp_path: Path) -> None:
    """An editor that follows the first line finds the file."""
    scaffold("shop", tmp_path, "starter")
    for path in [tmp_path / "shop/millpond.yaml", *(tmp_path / "shop/sources").iterdir()]:
        first = path.read_text("utf-8").split("\n")[0]
        schema = path.parent / first.partition("$schema=")[2]
        assert schema.is_file(), path


def test_an_empty_folder_may_be_there_already(tmp_path: Path) -> None:
    """Nothing is lost by filling it."""
    (tmp_path / "shop").mkdir()
    assert scaffold("shop", tmp_path, "empty")


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """Nor is a file overwritten that has the project's name."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "note").write_text("mine", "utf-8")
    (tmp_path / "other").write_text("mine", "utf-8")
    for name in ("shop", "other"):
        with pytest.raises(ProjectError) as caught:
            scaffold(name, tmp_path, "empty")
        assert caught.value.code == "MP-1040"
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["note"]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("My Shop", "my-shop"),
        ("2026", None),
        ("../up", "up"),
        ("", None),
        ("a/b", "a-b"),
        ("-x", "x"),
        ("shop\n", "shop"),
    ],
)
def test_bad_names_are_refused(tmp_path: Path, name: str, suggestion: str | None) -> None:
    """With one that would do, where there is one; nothing is written."""
    with pytest.raises(ProjectError) as caught:
        scaffold(name, tmp_path, "empty")
    assert (caught.value.code, caught.value.finding.suggestion) == ("MP-1041", suggestion)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_template_is_refused(tmp_path: Path) -> None:
    """With the one that was meant."""
    with pytest.raises(ProjectError) as caught:
        scaffold("shop", tmp_path, "startr")
    assert (caught.value.code, caught.value.finding.suggestion) == ("MP-1042", "starter")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error with a reason, in the middle of writing too."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scaffolding.shutil, "copyfile", full)
    with pytest.raises(ProjectError, match="No space left on device") as caught:
        scaffold("shop", tmp_path, "starter")
    assert caught.value.code == "MP-1043"
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_parent_is_an_error_with_a_reason(tmp_path: Path) -> None:
    """The system's own words are kept."""
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError) as caught:
        scaffold("shop", tmp_path / "file", "empty")
    assert caught.value.code == "MP-1043"


def test_the_example_is_the_template(tmp_path: Path) -> None:
    """examples/valleybike is what `millpond init valleybike --template valleybike` makes."""
    scaffold("valleybike", tmp_path, "valleybike")
    made = {
        path.relative_to(tmp_path): path.read_text("utf-8")
        for path in tmp_path.rglob("*")
        if path.is_file() and ".millpond" not in path.parts
    }
    kept = {
        path.relative_to(EXAMPLES): path.read_text("utf-8")
        for path in (EXAMPLES / "valleybike").rglob("*")
        if path.is_file() and ".millpond" not in path.parts and path.suffix != ".gz"
    }
    assert kept == made


def test_templates_hold_no_state_and_no_code() -> None:
    """They are data of the package."""
    folder = Path(scaffolding.__file__).parents[1] / "templates"
    odd = [path for path in folder.rglob("*") if path.suffix in (".py", ".pyc") or path.name == ".millpond"]
    assert odd == []
    assert all(os.access(path, os.R_OK) for path in folder.rglob("*"))
