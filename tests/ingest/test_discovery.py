"""Files are found once, known by content, and left alone while they are being written."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from ingest.plain import FixedClock, Lake, age
from millpond.core.errors import IngestError
from millpond.ingest.files import discovery as module


def outcomes(landed: Any) -> list[tuple[str, str]]:
    return [(file.path.removeprefix("data/"), file.outcome) for file in landed.files]


def test_globs_reach_into_folders_and_links(lake: Lake) -> None:
    """`**` goes down, links are followed, folders are no files, each file comes once."""
    lake.settings = {"paths": ("data/**/*.csv", "data/*.csv")}
    lake.write("data/deep/er/a.csv", "id,x\n1,1\n")
    lake.write("b.csv", "id,x\n2,2\n")
    lake.write("elsewhere/c.csv", "id,x\n3,3\n")
    (lake.folder / "data/folder.csv").mkdir()
    (lake.folder / "data/link.csv").symlink_to(lake.folder / "elsewhere/c.csv")
    (lake.folder / "data/loop").symlink_to(lake.folder / "data")

    assert sorted(file.path for file in lake.discover().new) == ["data/b.csv", "data/deep/er/a.csv", "data/link.csv"]


def test_unfinished_and_hidden_names_are_skipped(lake: Lake) -> None:
    """Names that programs give to files in transit are not looked at."""
    for name in (".a.csv", "b.csv.part", "c.csv.tmp", "d.csv.crdownload", "e.csv~", "good.csv"):
        lake.write(name, "id,x\n1,1\n")

    assert [file.path for file in lake.discover().new] == ["data/good.csv"]


def test_a_known_file_is_not_read_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Path, size and time are the short cut."""
    lake.write("a.csv", "id,x\n1,1\n")
    lake.load()
    monkeypatch.setattr(module, "examine", lambda *_: pytest.fail("the file was read"))

    assert not lake.discover().work


def test_a_touched_file_is_not_loaded_again(lake: Lake) -> None:
    """The same bytes under another time are no work."""
    path = lake.write("a.csv", "id,x\n1,1\n")
    lake.load()
    age(path, 10)

    found = lake.discover()

    assert not found.work
    assert [file.path for file in found.touched] == ["data/a.csv"]


def test_the_same_content_is_loaded_once(lake: Lake) -> None:
    """A copy under another name is noted as a duplicate, in one load or a later one."""
    lake.write("a.csv", "id,x\n1,1\n")
    lake.write("b.csv", "id,x\n1,1\n")
    assert outcomes(lake.load()) == [("a.csv", "loaded"), ("b.csv", "duplicate")]
    lake.write("c.csv", "id,x\n1,1\n")

    landed = lake.load()

    assert outcomes(landed) == [("c.csv", "duplicate")]
    assert lake.rows("id") == [("1",)]


def test_a_changed_file_is_appended_by_default(lake: Lake) -> None:
    """Its new content is a new file."""
    path = lake.write("a.csv", "id,x\n1,1\n")
    lake.load()
    path.write_text("id,x\n1,1\n2,2\n")

    landed = lake.load()

    assert landed.blind
    assert lake.rows("id", "_position", "_load") == [("1", 1, "load-1"), ("1", 1, "load-2"), ("2", 2, "load-2")]


def test_a_changed_file_replaces_its_rows(lake: Lake) -> None:
    """With `replace` only the new content remains, and the ledger says what went."""
    lake.settings = {"on_change": "replace"}
    path = lake.write("a.csv", "id,x\n1,1\n2,2\n")
    lake.write("b.csv", "id,x\n9,9\n")
    lake.load()
    path.write_text("id,x\n3,3\n")

    landed = lake.load()

    assert not landed.blind
    assert (landed.ledger.inserted, landed.ledger.deleted, landed.ledger.staged) == (1, 2, 3)
    assert lake.rows("id", "_origin") == [("3", "data/a.csv"), ("9", "data/b.csv")]
    assert outcomes(landed) == [("a.csv", "replaced"), ("a.csv", "loaded")]


def test_a_replaced_file_comes_back_through_its_copy(lake: Lake) -> None:
    """Where a copy was set aside, it is needed once the first is replaced."""
    lake.settings = {"on_change": "replace"}
    path = lake.write("a.csv", "id,x\n1,1\n")
    lake.write("b.csv", "id,x\n1,1\n")
    lake.load()
    path.write_text("id,x\n2,2\n")

    lake.load()

    assert lake.rows("id", "_origin") == [("2", "data/a.csv"), ("1", "data/b.csv")]


def test_two_files_may_change_places(lake: Lake) -> None:
    """Contents that swap names are both there afterwards."""
    lake.settings = {"on_change": "replace"}
    one, two = lake.write("a.csv", "id,x\n1,1\n"), lake.write("b.csv", "id,x\n2,22\n")
    lake.load()
    one.write_text("id,x\n2,22\n")
    two.write_text("id,x\n1,1\n")

    lake.load()

    assert lake.rows("id", "_origin") == [("2", "data/a.csv"), ("1", "data/b.csv")]


def test_a_refused_change_stops_the_load(lake: Lake) -> None:
    """With `refuse` nothing lands, and the error names the file."""
    lake.settings = {"on_change": "refuse"}
    path = lake.write("a.csv", "id,x\n1,1\n")
    lake.load()
    path.write_text("id,x\n2,22\n")
    lake.write("b.csv", "id,x\n3,3\n")

    with pytest.raises(IngestError) as refused:
        lake.load()

    assert refused.value.code == "MP-5004"
    assert "data/a.csv" in str(refused.value)
    assert lake.rows("id") == [("1",)]


def test_an_empty_file_that_fills_is_no_change(lake: Lake) -> None:
    """A file loaded without records has nothing to change."""
    lake.settings = {"on_change": "refuse"}
    path = lake.write("a.csv", "")
    assert outcomes(lake.load()) == [("a.csv", "loaded")]
    path.write_text("id,x\n1,1\n")

    lake.load()

    assert lake.rows("id") == [("1",)]


def test_new_parser_settings_read_loaded_files_anew(lake: Lake) -> None:
    """The rows read under the old settings are replaced, never doubled."""
    lake.write("a.csv", "id,x\n1,NA\n")
    lake.load()
    lake.settings = {"csv": {"null": ["NA"]}}

    landed = lake.load()

    assert not landed.blind
    assert lake.rows("id", "x") == [("1", None)]


def test_a_rejected_file_is_tried_again_when_it_changes(lake: Lake) -> None:
    """A page in place of a file is quarantined once; the file that follows lands."""
    path = lake.write("a.csv", "<html>not now</html>\n")
    assert outcomes(lake.load()) == [("a.csv", "rejected")]
    assert not lake.discover().work
    path.write_text("id,x\n1,1\n")

    assert outcomes(lake.load()) == [("a.csv", "loaded")]
    assert lake.rows("id") == [("1",)]


@pytest.mark.parametrize("content", [b"", b"id,x\n1,", gzip.compress(b"id,x\n1,1\n" * 99, mtime=0)[:-20]])
def test_a_fresh_file_without_end_is_left_for_later(lake: Lake, content: bytes) -> None:
    """What was written just now and has no end may still grow; a little later it is taken as it is."""
    path = lake.write("a.csv", content)
    lake.clock = FixedClock(0)
    found = lake.discover()
    assert not found.work
    assert [(file.path, file.ready_ns > path.stat().st_mtime_ns) for file in found.unsettled] == [("data/a.csv", True)]
    age(path, 60)

    assert lake.discover().work


def test_a_fresh_whole_file_is_taken_at_once(lake: Lake) -> None:
    """A file that was moved here a moment ago is whole."""
    lake.clock = FixedClock(0)
    lake.write("a.csv", "id,x\n1,1\n")
    lake.write("b.csv.gz", gzip.compress(b"id,x\n2,2"))
    lake.write("c.json", '[{"id": 3}]')

    found = lake.discover()

    assert len(found.new) in (2, 3)
    assert "data/a.csv" in [file.path for file in found.new]
    assert "data/c.json" in [file.path for file in found.new]


@pytest.mark.skipif(not hasattr(__import__("fcntl"), "F_SETLEASE"), reason="only Linux tells who writes a file")
def test_a_file_that_somebody_writes_is_left_for_later(lake: Lake) -> None:
    """As long as a process holds a fresh file open for writing, it is not taken."""
    lake.clock = FixedClock(0)
    path = lake.write("a.csv", "")
    with path.open("w") as writer:
        writer.write("id,x\n1,1\n")
        writer.flush()
        assert [file.reason for file in lake.discover().unsettled] == ["another process is writing it"]

    assert lake.discover().new


def test_a_file_that_changes_while_it_is_read_is_left_for_later(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size and time must be the same before and after the look."""
    path = lake.write("a.csv", "id,x\n1,1\n")
    real = module.examine

    def grow(where: Path, settings: Any) -> Any:
        told = real(where, settings)
        with path.open("a") as writer:
            writer.write("2,2\n")
        return told

    monkeypatch.setattr(module, "examine", grow)

    assert [file.reason for file in lake.discover().unsettled] == ["it changed while it was read"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_told_and_the_others_go_on(lake: Lake) -> None:
    """Permission is missing for one file only."""
    lake.write("a.csv", "id,x\n1,1\n").chmod(0)
    lake.write("b.csv", "id,x\n2,2\n")

    found = lake.discover()

    assert [finding.code for finding in found.findings] == ["MP-5003"]
    assert [file.path for file in found.new] == ["data/b.csv"]


def test_a_broken_link_is_told_and_the_others_go_on(lake: Lake) -> None:
    """A link to nothing is a finding."""
    (lake.folder / "data/a.csv").symlink_to("nowhere.csv")
    lake.write("b.csv", "id,x\n2,2\n")

    found = lake.discover()

    assert [finding.code for finding in found.findings] == ["MP-5003"]
    assert [file.path for file in found.new] == ["data/b.csv"]


def test_a_named_file_that_is_missing_is_told(lake: Lake) -> None:
    """A path without a pattern should exist."""
    lake.settings = {"paths": ("data/gone.csv", "data/*.csv")}

    assert [finding.code for finding in lake.discover().findings] == ["MP-5002"]
