"""Objects are found by URL and fetched once."""

from __future__ import annotations

import gzip
from pathlib import Path
from urllib.parse import quote

import pytest

from ingest.plain import Lake
from millpond.core.errors import IngestError
from millpond.ingest.files import objects
from millpond.ingest.files.looks import copies


def address(path: Path) -> str:
    """The URL of a path on this machine, in which a glob may follow."""
    return f"file://{quote(str(path))}"


def names(pattern: str, folder: Path) -> list[str]:
    return [one.name.removeprefix(address(folder) + "/") for one in objects.stored(pattern)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.csv", ["a.csv"]),
        ("*.csv", ["a.csv", "b.csv", "c[1].csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("[!a].csv", ["b.csv"]),
        ("c[[]1].csv", ["c[1].csv"]),
        ("deep/*.csv", ["deep/d.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "c[1].csv", "deep/d.csv", "deep/er/e.csv"]),
        ("*/er/*", ["deep/er/e.csv"]),
        ("none/*.csv", []),
        ("gone.csv", []),
    ],
)
def test_globs_of_urls_mean_what_globs_of_paths_mean(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    """A star stays in its folder, two go down."""
    for name in ("a.csv", "b.csv", "c[1].csv", "deep/d.csv", "deep/er/e.csv", "other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("id\n1\n")

    assert names(f"{address(tmp_path)}/{pattern}", tmp_path) == expected


def test_objects_land_like_files_with_their_url_as_origin(lake: Lake) -> None:
    """New ones are loaded, known ones are not fetched again."""
    store = lake.folder / "store"
    lake.settings = {"paths": (f"{address(store)}/*.csv",)}
    lake.write("store/a.csv", "id\n1\n2")
    lake.write("store/.hidden.csv", "id\n9\n")

    lake.load()
    fetched = sorted(copies(lake.project).iterdir())
    lake.write("store/b.csv", "id\n3\n")
    lake.load()

    assert lake.ask("SELECT id, _origin FROM {things} ORDER BY id") == [
        ("1", f"{address(store)}/a.csv"),
        ("2", f"{address(store)}/a.csv"),
        ("3", f"{address(store)}/b.csv"),
    ]
    assert len(fetched) == 1
    assert len(list(copies(lake.project).iterdir())) == 2
    assert not lake.discover().work


def test_packed_objects_are_fetched_as_they_are(lake: Lake) -> None:
    """Nothing unpacks them on the way: size and hash are those of the object."""
    lake.settings = {"paths": (f"{address(lake.folder)}/store/*.csv.gz",)}
    packed = lake.write("store/a.csv.gz", gzip.compress(b"id\n1\n"))

    [file] = lake.discover().new
    lake.load()

    assert file.absolute.read_bytes() == packed.read_bytes()
    assert lake.ask("SELECT id FROM {things}") == [("1",)]


def test_an_object_that_changed_is_fetched_again(lake: Lake) -> None:
    """The copy's name holds the size and time of what it is a copy of."""
    store = lake.folder / "store"
    lake.settings = {"paths": (f"{address(store)}/a.csv",), "on_change": "replace"}
    lake.write("store/a.csv", "id\n1\n")
    lake.load()
    lake.write("store/a.csv", "id\n22\n")

    lake.load()

    assert lake.ask("SELECT id FROM {things}") == [("22",)]


def test_a_named_object_that_is_missing_is_told(lake: Lake) -> None:
    """As for a named file."""
    lake.settings = {"paths": (f"{address(lake.folder)}/gone.csv",)}

    assert [finding.code for finding in lake.discover().findings] == ["MP-5002"]


def test_an_unknown_kind_of_address_fails_its_source_alone(lake: Lake) -> None:
    """The look ends with the error, the load raises it, at the path in the source's file."""
    lake.settings = {"paths": ("carrier-pigeon://loft/*.csv",)}

    assert lake.discover().work
    with pytest.raises(IngestError) as refused:
        lake.load()

    assert refused.value.code == "MP-5001"
    assert "carrier-pigeon" in refused.value.finding.message


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    """Secrets come from the environment."""
    with pytest.raises(IngestError) as refused:
        objects.stored("s3://key:hunter2@bucket/*.csv")

    assert refused.value.code == "MP-5001"
    assert "hunter2" not in str(refused.value)


def test_a_store_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens on the port of the endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    with pytest.raises(IngestError) as refused:
        objects.stored("s3://bucket/*.csv")

    assert refused.value.code == "MP-5012"
    assert "hunter2" not in str(refused.value)


def test_options_follow_an_address_and_globs_keep_their_question_marks() -> None:
    """`?region=...` are options; `?` before a name is one character."""
    assert objects.split_options("s3://b/a?.csv") == ("s3://b/a?.csv", "")
    assert objects.split_options("s3://b/a?.csv?region=eu-west-1") == ("s3://b/a?.csv", "?region=eu-west-1")
