"""Sources from the names of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import ProjectError
from millpond.project.findings import Findings
from millpond.project.infer import source_name, source_yaml
from millpond.project.source import FilesSource
from millpond.project.validation import validate
from millpond.project.variables import Variables
from millpond.project.yaml_file import compose


def touch(folder: Path, *names: str) -> list[Path]:
    """Empty files of these names."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def read_back(text: str) -> FilesSource:
    """What the loader makes of a source's text."""
    findings = Findings()
    known = Variables({}, {}, {}, findings)
    validated = validate(
        FilesSource, compose(text, Path("s.yaml")).build(findings, substitute=known.substitute), findings
    )
    assert findings.ordered() == ()
    assert validated.record is not None
    return validated.record


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (["orders.csv"], "orders"),
        (["Daily Orders.csv.gz"], "daily_orders"),
        (["orders-2026-03.csv"], "orders_2026_03"),
        (["VB_Routes_Data_2018_06_28.csv.gz", "VB_Routes_Data_2018_07_01.csv.gz"], "vb_routes_data"),
        (["a.csv", "a.csv"], "a"),
        (["inbox/x.csv", "inbox/y.csv"], "inbox"),
        (["2026.csv"], "source_2026"),
        (["---.csv"], "source"),
        (["été.csv"], "t"),
        (["noending"], "noending"),
    ],
)
def test_a_source_is_named_after_its_files(files: list[str], name: str) -> None:
    """A plain table name: the stem, or what several stems share."""
    assert source_name([Path(file) for file in files]) == name


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("a.csv", "csv"),
        ("a.CSV.GZ", "csv"),
        ("a.tsv.zst", "tsv"),
        ("a.json", "json"),
        ("a.jsonl", "ndjson"),
        ("a.ndjson.gz", "ndjson"),
        ("a.parquet", "parquet"),
        ("a.txt", None),
        ("a", None),
    ],
)
def test_the_format_is_told_by_the_ending(tmp_path: Path, file: str, form: str | None) -> None:
    """Where the ending says nothing, the loader looks into the files."""
    settings = read_back(source_yaml("a", touch(tmp_path, file), tmp_path))
    assert (settings.kind, settings.paths, settings.format) == ("files", (file,), form)


def test_paths_are_relative_inside_the_project_only(tmp_path: Path) -> None:
    """So that the project can be moved."""
    inside, outside = touch(tmp_path, "shop/data/a.csv", "elsewhere/b.csv")
    settings = read_back(source_yaml("a", [inside, outside], tmp_path / "shop"))
    assert settings.paths == ("data/a.csv", str(tmp_path / "elsewhere/b.csv"))


def test_all_files_of_a_folder_become_one_glob(tmp_path: Path) -> None:
    """So that tomorrow's file is found; a choice of some stays a choice."""
    files = touch(tmp_path, "data/a.csv.gz", "data/b.csv.gz", "data/c.csv")
    assert read_back(source_yaml("x", files[:2], tmp_path)).paths == ("data/*.csv.gz",)
    touch(tmp_path, "data/z.csv.gz")
    assert read_back(source_yaml("x", files[:2], tmp_path)).paths == ("data/a.csv.gz", "data/b.csv.gz")


def test_names_with_special_signs_are_kept(tmp_path: Path) -> None:
    """Brackets are no glob, a dollar sign no variable, a quote ends nothing."""
    (file,) = touch(tmp_path, 'a[1] "${x}" é.csv')
    settings = read_back(source_yaml("a", [file], tmp_path))
    assert list(tmp_path.glob(settings.paths[0])) == [file]


def test_the_text_tells_editors_its_schema(tmp_path: Path) -> None:
    """As every file that Millpond writes."""
    text = source_yaml("a", touch(tmp_path, "a.csv"), tmp_path)
    assert text.startswith("# yaml-language-server: $schema=../.millpond/schema/source.json\n")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A folder as well."""
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(ProjectError) as caught:
            source_yaml("a", [path], tmp_path)
        assert caught.value.code == "MP-1050"


def test_files_of_several_formats_are_refused(tmp_path: Path) -> None:
    """A source reads all its files in one way."""
    with pytest.raises(ProjectError, match="csv, parquet") as caught:
        source_yaml("a", touch(tmp_path, "a.csv", "b.parquet"), tmp_path)
    assert caught.value.code == "MP-1051"
