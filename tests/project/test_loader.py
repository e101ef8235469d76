"""Finding and reading whole projects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from millpond.core.errors import Finding, FindingsError, Location, ProjectError
from millpond.core.names import TableName
from millpond.project.loader import find, load
from millpond.project.model import Project

SETTINGS = """
version: 1
name: shop
variables:
  data: ./data
  year: 2026
environments:
  dev:
    variables: {data: ./sample}
"""
SOURCE = "kind: files\npaths: ['${data}/*.csv']\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """A project of these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def findings(
    folder: Path,
    environment: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Everything that is wrong with a project."""
    with pytest.raises(FindingsError) as caught:
        load(folder, environment=environment, variables=variables or {}, environ={})
    return caught.value.findings


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project in which nothing is wrong."""
    return write(
        tmp_path,
        {
            "millpond.yaml": SETTINGS,
            "sources/orders.yaml": SOURCE,
            "sources/eu/customers.yml": SOURCE + "table: bronze.people\n",
            "models/silver/orders.sql": "SELECT * FROM bronze.orders WHERE year = ${year}",
            "models/gold/deep/totals.SQL": "SELECT count(*) AS n FROM silver.orders",
        },
    )


def test_a_project_is_read_whole(shop: Path) -> None:
    """Settings, variables, sources and models, with absolute paths."""
    project = load(shop, environ={})
    assert isinstance(project, Project)
    assert (project.folder, project.state, project.environment) == (shop, shop / ".millpond", "prod")
    assert project.settings.name == "shop"
    assert project.variables == {"data": "./data", "year": "2026"}
    assert [(source.name, str(source.table), source.settings.paths) for source in project.sources] == [
        ("orders", "bronze.orders", ("./data/*.csv",)),
        ("customers", "bronze.people", ("./data/*.csv",)),
    ]
    assert {str(model.table): model.sql for model in project.models} == {
        "gold.totals": "SELECT count(*) AS n FROM silver.orders",
        "silver.orders": "SELECT * FROM bronze.orders WHERE year = 2026",
    }
    orders = project.source(TableName("bronze", "orders"))
    assert orders is not None
    assert orders.place("paths.0") == Location(shop / "sources/orders.yaml", 2, 9, 15)
    assert project.model(TableName("silver", "orders")) is not None
    assert project.model(TableName("silver", "gone")) is project.source(TableName("bronze", "gone")) is None


def test_settings_can_be_read_alone(shop: Path) -> None:
    """Files of sources and models are then not looked at, even broken ones; settings are, with their variables."""
    (shop / "models" / "silver" / "broken.sql").write_text("/*---\nkind: [\n---*/")
    with pytest.raises(FindingsError):
        load(shop, environ={})
    project = load(shop, environ={}, settings_only=True)
    assert (project.sources, project.models) == ((), ())
    assert (project.settings.name, project.variables["year"]) == ("shop", "2026")


def test_a_relative_folder_gives_absolute_paths(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the process goes later."""
    monkeypatch.chdir(shop / "models")
    assert load(Path(".."), environ={}).folder == shop


@pytest.mark.parametrize(
    ("environment", "variables", "environ", "paths"),
    [
        (None, {}, {}, "./data/*.csv"),
        ("dev", {}, {}, "./sample/*.csv"),
        ("dev", {}, {"data": "/env"}, "/env/*.csv"),
        ("dev", {"data": "/var"}, {"data": "/env"}, "/var/*.csv"),
    ],
)
def test_variables_come_in_order(
    shop: Path, environment: str | None, variables: dict[str, str], environ: dict[str, str], paths: str
) -> None:
    """--var, the process's environment, the chosen environment, the project."""
    project = load(shop, environment=environment, variables=variables, environ=environ)
    assert project.sources[0].settings.paths == (paths,)
    assert project.variables["data"] == paths.removesuffix("/*.csv")


def test_the_project_is_found_upward(shop: Path) -> None:
    """From any folder inside it."""
    assert find(shop / "models" / "silver") == find(shop) == shop


def test_no_project_is_said_with_what_to_do(tmp_path: Path) -> None:
    """The next step makes one."""
    for attempt in (lambda: find(tmp_path), lambda: load(tmp_path, environ={})):
        with pytest.raises(ProjectError) as caught:
            attempt()
        assert caught.value.code == "MP-1001"
        assert "millpond init NAME" in caught.value.finding.next_step


def test_a_settings_file_of_nearly_the_right_name_is_noticed(tmp_path: Path) -> None:
    """The next step renames it."""
    (tmp_path / "millpond.yml").touch()
    with pytest.raises(ProjectError) as caught:
        find(tmp_path)
    assert caught.value.finding.next_step.startswith("mv ")


def test_what_does_not_belong_to_the_project_is_passed_over(shop: Path) -> None:
    """Hidden files and files of other endings, whatever is in them."""
    write(
        shop,
        {
            "sources/notes.txt": "x",
            "sources/.draft.yaml": "[",
            "models/README.md": "x",
            "models/.ipynb_checkpoints/x.sql": "",
            "models/silver/._orders.sql": "\x00",
        },
    )
    assert len(load(shop, environ={}).models) == 2


def test_a_project_may_have_nothing_but_settings(tmp_path: Path) -> None:
    """Folders come as they are needed; an empty section means its defaults."""
    project = load(
        write(tmp_path, {"millpond.yaml": "version: 1\nname: x\nstorage:\nenvironments:\n  dev:\n"}), environ={}
    )
    assert (project.sources, project.models, project.variables) == ((), (), {})
    assert project.settings.storage.root == ".millpond/lake"


def test_findings_of_all_files_come_at_once_in_order(shop: Path) -> None:
    """By file, line and column."""
    write(
        shop,
        {
            "millpond.yaml": SETTINGS + "time_zome: UTC\nengine: {threads: 0}\n",
            "sources/orders.yaml": "kind: files\npths: x\n",
            "models/silver/orders.sql": "/*---\nkind: append\n",
            "models/gold/deep/totals.SQL": "\xff",
        },
    )
    (shop / "models/gold/deep/totals.SQL").write_bytes(b"\xff")
    found = [(f.where and f.where.path.name, f.where and f.where.line, f.code) for f in findings(shop)]
    assert found == [
        ("millpond.yaml", 10, "MP-1006"),
        ("millpond.yaml", 11, "MP-1008"),
        ("totals.SQL", 1, "MP-1003"),
        ("orders.sql", 1, "MP-1020"),
        ("orders.yaml", 1, "MP-1007"),
        ("orders.yaml", 2, "MP-1006"),
    ]


@pytest.mark.parametrize(
    ("damage", "code"),
    [(b"", "MP-1009"), (b"version: 1\nname: [", "MP-1004"), (b"\x00\x01\x02", "MP-1003"), (b"- a\n- b\n", "MP-1008")],
    ids=["empty", "cut off", "overwritten", "a list"],
)
def test_a_damaged_settings_file_is_one_finding(shop: Path, damage: bytes, code: str) -> None:
    """The rest is still read, and variables that nobody can know are not missed."""
    (shop / "millpond.yaml").write_bytes(damage)
    write(shop, {"models/silver/bad.sql": "-- nothing"})
    assert [f.code for f in findings(shop)] == [code, "MP-1021"]


def test_settings_that_cannot_be_read_are_a_finding(shop: Path) -> None:
    """Such as a link into nowhere."""
    (shop / "millpond.yaml").unlink()
    (shop / "millpond.yaml").symlink_to("gone.yaml")
    assert [f.code for f in findings(shop)] == ["MP-1002"]


def test_an_unknown_environment_is_refused(shop: Path) -> None:
    """With the nearest that there is; prod is always there."""
    (found,) = findings(shop, environment="dve")
    assert (found.code, found.suggestion) == ("MP-1015", "dev")
    assert load(shop, environment="prod", environ={}).environment == "prod"


def test_a_variable_that_nobody_uses_is_refused(shop: Path) -> None:
    """A slip in --var would else change nothing in silence."""
    (found,) = findings(shop, variables={"dta": "/x"})
    assert (found.code, found.suggestion) == ("MP-1014", "data")


def test_variables_of_other_environments_need_no_value(tmp_path: Path) -> None:
    """Only what holds here must resolve."""
    text = "version: 1\nname: x\nenvironments:\n  dev:\n    variables: {root: '${NOWHERE}'}\n"
    assert load(write(tmp_path, {"millpond.yaml": text}), environ={}).variables == {}
    assert [f.code for f in findings(tmp_path, environment="dev")] == ["MP-1010"]


def test_values_of_variables_are_taken_as_written(tmp_path: Path) -> None:
    """Numbers, dates and booleans need no quotes; 1.10 stays 1.10."""
    text = "version: 1\nname: x\nvariables: {a: 1.10, b: 2026-01-01, c: true, d: 007}\n"
    project = load(write(tmp_path, {"millpond.yaml": text}), environ={})
    assert project.variables == {"a": "1.10", "b": "2026-01-01", "c": "true", "d": "007"}


def test_a_setting_may_come_from_a_variable(tmp_path: Path) -> None:
    """Numbers too."""
    text = "version: 1\nname: x\nengine:\n  threads: ${CORES}\n  memory: ${MEMORY}\nstorage: {root: '${ROOT}/lake'}\n"
    project = load(
        write(tmp_path, {"millpond.yaml": text}), environ={"CORES": "2", "MEMORY": "500MB", "ROOT": "s3://b"}
    )
    assert (project.settings.engine.threads, project.settings.engine.memory) == (2, "500MB")
    assert project.settings.storage.root == "s3://b/lake"


@pytest.mark.parametrize(("zone", "suggestion"), [("Europe/Berln", "Europe/Berlin"), ("12345678", None)])
def test_an_unknown_time_zone_is_refused(tmp_path: Path, zone: str, suggestion: str | None) -> None:
    """At its place."""
    write(tmp_path, {"millpond.yaml": f'version: 1\nname: x\ntime_zone: "{zone}"\n'})
    (found,) = findings(tmp_path)
    assert (found.code, found.suggestion) == ("MP-1036", suggestion)
    assert found.where == Location(tmp_path / "millpond.yaml", 3, 12, len(zone) + 2)


def test_known_time_zones_are_taken(tmp_path: Path) -> None:
    """By IANA name."""
    write(tmp_path, {"millpond.yaml": "version: 1\nname: x\ntime_zone: Europe/Berlin\n"})
    assert load(tmp_path, environ={}).settings.time_zone == "Europe/Berlin"


@pytest.mark.parametrize("version", ["0", "2"])
def test_another_format_version_is_the_only_complaint_about_settings(tmp_path: Path, version: str) -> None:
    """Keys of another version mean nothing here."""
    write(tmp_path, {"millpond.yaml": f"version: {version}\ntitle: x\n"})
    assert [f.code for f in findings(tmp_path)] == ["MP-1030"]


def test_a_record_cannot_be_changed(shop: Path) -> None:
    """What was declared stays as it was read."""
    with pytest.raises(ValueError, match="frozen"):
        load(shop, environ={}).settings.name = "other"  # type: ignore[misc]
