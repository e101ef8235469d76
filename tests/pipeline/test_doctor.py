"""Doctor: one changed bit in any kind of file is found and located, and a table is put back to a whole version."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from millpond.catalog import cleaning, manifests
from millpond.catalog.checksums import LARGEST
from millpond.catalog.reachability import recent
from millpond.catalog.repair import repair
from millpond.cli.main import app
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.lakehouse import open_lakehouse
from millpond.pipeline.doctor import Diagnosis, diagnose, mend
from tests.pipeline.test_upkeep import Shop

SILVER = TableName("silver", "orders")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A project that was run twice."""
    made = Shop(tmp_path)
    made.day()
    made.day()
    yield made
    made.lake.close()


def examined(shop: Shop) -> Diagnosis:
    """What doctor finds, with nothing remembered from before."""
    return diagnose(shop.lake.project, shop.lake.catalog, shop.lake.engine)


def parts(shop: Shop) -> dict[str, str]:
    """A file of each kind of the table's newest version."""
    entry = shop.lake.catalog.table(SILVER)
    snapshot = shop.lake.catalog.metadata(entry).current_snapshot
    assert snapshot is not None
    newest = max(manifests.of_snapshot(snapshot), key=lambda manifest: manifest.sequence_number)
    data = manifests.files(newest)[0].path
    return {
        "metadata": entry.metadata_location,
        "list": snapshot["manifest-list"],
        "manifest": newest.path,
        "data": data,
    }


def flip(path: str, place: int) -> None:
    """Change one bit."""
    content = bytearray(Path(path).read_bytes())
    content[place % len(content)] ^= 1
    Path(path).write_bytes(content)


def test_a_healthy_lake_is_whole(shop: Shop) -> None:
    """Every file is looked at, and most are compared with their checksum."""
    found = examined(shop)
    assert found.findings == ()
    facts = dict(found.facts)
    assert facts["files compared with their checksum"] == facts["files examined"]
    assert {client.client for client in found.clients} == {"millpond"}


@pytest.mark.parametrize("kind", ["metadata", "list", "manifest", "data"])
@pytest.mark.parametrize("place", [3, 200, -20])
def test_one_changed_bit_is_found_and_located(shop: Shop, kind: str, place: int) -> None:
    """Whether the format notices or not."""
    path = parts(shop)[kind]
    flip(path, place)
    found = [finding for finding in examined(shop).findings if finding.severity == "error"]
    assert [finding.code for finding in found] == ["MP-3192"]
    assert path in found[0].message
    assert "silver.orders (prod)" in found[0].message


def test_a_missing_file_and_a_short_one_are_told_apart(shop: Shop) -> None:
    """Each by its own code."""
    files = parts(shop)
    Path(files["data"]).write_bytes(Path(files["data"]).read_bytes()[:-1])
    Path(files["manifest"]).unlink()
    assert {finding.code for finding in examined(shop).findings} == {"MP-3190"}
    Path(files["list"]).unlink()
    assert not examined(shop).sound


def test_the_footer_of_a_large_file_is_read_by_the_engine(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no checksum was taken, its frame and footer must do; damage between them is not seen."""
    monkeypatch.setattr("millpond.catalog.checksums.LARGEST", 10)
    shop.day()
    path = parts(shop)["data"]
    assert dict(examined(shop).facts)["data files known by size and footer only"] == 4
    flip(path, -30)
    assert {finding.code for finding in examined(shop).findings} <= {"MP-3193"}
    flip(path, -1)
    assert {finding.code for finding in examined(shop).findings} == {"MP-3193"}
    assert LARGEST > 10


def test_a_pointer_that_history_contradicts_is_found(shop: Shop) -> None:
    """The pointer store says everything twice where it matters."""
    shop.lake.catalog.head()
    with sqlite3.connect(shop.folder / ".millpond/catalog.db") as db:
        db.execute("UPDATE pointers SET uuid = 'x' || substr(uuid, 2) WHERE name = 'orders' AND layer = 'silver'")
    db.close()
    assert "MP-3195" in {finding.code for finding in examined(shop).findings}


def test_a_page_of_the_catalog_that_is_overwritten_is_found(shop: Shop) -> None:
    """SQLite's own look tells where."""
    shop.lake.close()
    path = shop.folder / ".millpond/catalog.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'commit_tables_commit'").fetchone()
    db.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 + 4080] ^= 0xFF
    path.write_bytes(content)
    try:
        codes = {finding.code for finding in examined(shop).findings}
    except CatalogError as damage:
        codes = {damage.code}
    assert codes & {"MP-3195", "MP-3053"}


def test_a_damaged_table_is_put_back_and_what_is_lost_is_told(shop: Shop) -> None:
    """The rows come again from the input with the next run."""
    rows = shop.rows("SELECT * FROM silver.orders")
    days = shop.rows("SELECT * FROM gold.days")
    before = shop.lake.catalog.table(SILVER)
    Path(parts(shop)["data"]).unlink()
    (done,) = repair(shop.lake.catalog, "me")
    assert (done.table, done.damaged) == (SILVER, before.commit)
    assert [record.number for record in done.lost] == [before.commit]
    assert [record.ledger.inserted for record in done.lost if record.ledger] == [10]
    assert done.consumers == (TableName("gold", "days"),)
    assert examined(shop).sound
    assert shop.lake.catalog.history()[0].kind == "repair"
    assert len(shop.rows("SELECT * FROM silver.orders")) == 10
    assert shop.lake.runner.run().ok
    assert shop.rows("SELECT * FROM silver.orders") == rows
    assert shop.rows("SELECT * FROM gold.days") == days


def test_damaged_metadata_can_be_repaired_too(shop: Shop) -> None:
    """The pointer moves without the damaged file being understood."""
    Path(parts(shop)["metadata"]).write_text("{")
    shop.lake.catalog.cache.forget(parts_of(shop))
    assert len(repair(shop.lake.catalog, "me")) == 1
    assert len(shop.rows("SELECT * FROM silver.orders")) == 10


def parts_of(shop: Shop) -> str:
    """The metadata file of the table, from the pointer alone."""
    return shop.lake.catalog.table(SILVER).metadata_location


def test_a_table_without_a_whole_version_is_told(shop: Shop) -> None:
    """Nothing is changed."""
    folder = Path(shop.lake.catalog.table(SILVER).location)
    for path in (folder / "data").rglob("*.parquet"):
        path.unlink()
    head = shop.lake.catalog.head()
    with pytest.raises(CatalogError) as refused:
        repair(shop.lake.catalog, "me")
    assert refused.value.code == "MP-3199"
    assert shop.lake.catalog.head() == head


def test_the_command_fails_when_something_is_wrong(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, one JSON object a line; after --repair the next look is good."""
    monkeypatch.chdir(shop.folder)
    flip(parts(shop)["data"], 50)

    def doctor(*words: str) -> tuple[int, list[dict[str, object]]]:
        with pytest.raises(SystemExit) as ended:
            app(["doctor", "--json", *words])
        return int(str(ended.value.code)), [json.loads(text) for text in capsys.readouterr().out.splitlines()]

    code, told = doctor()
    assert (code, told[0]["code"]) == (1, "MP-3192")
    code, told = doctor("--repair")
    assert code == 1
    assert [one["event"] for one in told[-2:]] == ["repaired", "given_up"]
    assert told[-1]["commit"] == told[-2]["damaged"]
    assert doctor()[0] == 0


@pytest.mark.parametrize("kind", ["metadata", "list", "manifest", "data"])
@pytest.mark.parametrize("harm", ["flip", "unlink"])
def test_a_damaged_past_version_is_given_up_by_name_and_upkeep_cleans_again(shop: Shop, kind: str, harm: str) -> None:
    """What is whole stays readable, now and at its commit; what is not is told with its commits and why."""
    second = shop.lake.catalog.table(SILVER).commit
    shop.day()
    path = parts(shop)[kind]
    entry = shop.lake.catalog.table(SILVER)
    shop.lake.tags.add("month-end", entry.commit, "me")
    shop.day()
    shop.lake.close()
    if harm == "flip":
        flip(path, 150)
    else:
        Path(path).unlink()
    shop.lake = open_lakehouse(shop.folder)
    catalog = shop.lake.catalog
    if harm == "flip" and kind != "data":  # what is gone may still be in memory
        with pytest.raises(CatalogError) as refused:
            cleaning.strays(catalog, recent, timedelta(0))
        assert f"silver.orders (prod) as of commit {entry.commit}" in refused.value.finding.message
    back, lost = mend(shop.lake.project, catalog, "me")
    told = {(one.table, one.commit): one for one in lost}
    if (kind, harm) == ("metadata", "unlink"):
        assert (back, lost) == ((), ())  # it was given up by whoever took the file away
    else:
        assert any(path in reason for reason in told[SILVER, entry.commit].reasons)
        assert told[SILVER, entry.commit].tags == ("month-end",)
    again = examined(shop)
    assert [finding for finding in again.findings if finding.severity == "error"] == []
    assert mend(shop.lake.project, catalog, "me") == ((), ())
    cleaning.strays(catalog, recent, timedelta(0))
    assert len(shop.rows("SELECT * FROM silver.orders")) == (20 if kind in ("data", "manifest") else 40)
    assert len(shop.rows("SELECT * FROM silver.orders", at=second)) == 20
    assert shop.lake.upkeep.run((), lambda _event: None).ok
    assert len(shop.rows("SELECT * FROM silver.orders", at=second)) == 20
