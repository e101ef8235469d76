"""The pointer store's file: how it is made, recognised, refused and shared."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from millpond.catalog import mounts, sqlite
from millpond.catalog.migrations.upgrade import FOLDER, upgrade
from millpond.catalog.relations import SCHEMA
from millpond.catalog.store import REVISION, Store
from millpond.core.errors import CatalogError, HostError

FIRST_RELEASE = Path(__file__).parent / "data" / "store_0001.sql"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "catalog.db"


def test_a_new_file_is_what_the_tables_say(path: Path) -> None:
    """The migrations lead to exactly the tables that the code uses."""
    store = Store.open(path)
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SCHEMA) == []
    store.close()


def test_the_code_reads_the_newest_revision() -> None:
    """The newest migration is the revision that the store expects."""
    assert ScriptDirectory(str(FOLDER)).get_current_head() == REVISION


def test_a_file_of_the_first_release_opens_with_what_it_held(path: Path) -> None:
    """A file as revision 0001 left it is brought to this version and loses nothing."""
    path.parent.mkdir()
    with sqlite3.connect(path) as made:
        made.executescript(FIRST_RELEASE.read_text())
    made.close()
    store = Store.open(path)
    with store.read() as connection:
        assert (
            connection.scalar(text("SELECT metadata_location FROM pointers")) == "/lake/silver/positions-1/metadata/0"
        )
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISION
        assert compare_metadata(MigrationContext.configure(connection), SCHEMA) == []
    store.close()


def test_an_older_file_goes_through_every_later_migration(path: Path, tmp_path: Path) -> None:
    """A store at one revision is upgraded in one transaction to a later one."""
    folder = tmp_path / "migrations"
    shutil.copytree(FOLDER / "versions", folder / "versions")
    (folder / "versions" / "later.py").write_text(
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision = 'later'\ndown_revision = '{REVISION}'\n"
        "def upgrade():\n    op.add_column('commits', sa.Column('note', sa.String()))\n"
    )
    store = Store.open(path)
    upgrade(store, "later", folder)
    with store.read() as connection:
        assert "note" in {column["name"] for column in inspect(connection).get_columns("commits")}
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "later"
    upgrade(store, "later", folder)
    store.close()


@pytest.mark.parametrize("folder", ["n?a", "pc%20#", "a&b=c;d", "ü 'q\" *"])
def test_the_file_lies_where_its_path_says(tmp_path: Path, folder: str) -> None:
    """Signs that mean something in a URL stand for themselves; the file is nowhere else."""
    path = tmp_path / folder / "catalog.db"
    Store.open(path).close()
    assert path.exists()
    assert [found.name for found in tmp_path.iterdir()] == [folder]


def test_a_failing_migration_changes_nothing(path: Path, tmp_path: Path) -> None:
    """When one step of an upgrade fails, the file stays at its revision with its tables."""
    folder = tmp_path / "migrations"
    shutil.copytree(FOLDER / "versions", folder / "versions")
    (folder / "versions" / "later.py").write_text(
        f"from alembic import op\nrevision = 'later'\ndown_revision = '{REVISION}'\n"
        "def upgrade():\n    op.drop_table('verdicts')\n    op.drop_table('no_such_table')\n"
    )
    store = Store.open(path)
    with pytest.raises(Exception, match="no_such_table"):
        upgrade(store, "later", folder)
    with store.read() as connection:
        assert inspect(connection).has_table("verdicts")
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISION
    store.close()


def test_alembic_is_not_loaded_for_a_file_of_this_version(path: Path) -> None:
    """Opening a store that is up to date does not pay for importing Alembic."""
    Store.open(path).close()
    script = (
        "import sys; from pathlib import Path; from millpond.catalog.store import Store;"
        "Store.open(Path(sys.argv[1])).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_file_of_a_newer_release_is_refused(path: Path) -> None:
    """A schema version that this release does not know is left alone."""
    store = Store.open(path)
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(CatalogError) as refused:
        Store.open(path)
    assert refused.value.code == "MP-3052"


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """Bytes that are no database give an error with a next step, and stay as they are."""
    path.parent.mkdir()
    path.write_bytes(b"not a database at all, but long enough to look like one" * 100)
    with pytest.raises(CatalogError) as refused:
        Store.open(path)
    assert refused.value.code == "MP-3053"


def test_a_folder_in_the_way_is_an_error_of_the_host(path: Path) -> None:
    """A path that cannot be opened says so."""
    path.mkdir(parents=True)
    with pytest.raises(HostError) as refused:
        Store.open(path)
    assert refused.value.code == "MP-9021"


def test_a_file_in_place_of_the_folder_is_an_error_of_the_host(tmp_path: Path) -> None:
    """A folder that cannot be made says so."""
    (tmp_path / "state").write_text("a file")
    with pytest.raises(HostError) as refused:
        Store.open(tmp_path / "state" / "catalog.db")
    assert refused.value.code == "MP-9021"


def test_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's log cannot be shared over a network."""
    monkeypatch.setattr(mounts, "file_system", lambda _path: "nfs4")
    with pytest.raises(HostError) as refused:
        Store.open(path)
    assert refused.value.code == "MP-9020"


def test_the_file_is_kept_with_full_sync_and_a_write_ahead_log(path: Path) -> None:
    """What is reported done survives a power cut."""
    store = Store.open(path)
    with store.read() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    store.close()


def test_a_failed_block_writes_nothing(path: Path) -> None:
    """Whatever raises inside a write leaves no row behind."""
    store = Store.open(path)
    statement = text("INSERT INTO namespaces VALUES ('prod', 'silver', '{}')")

    def fail() -> None:
        with store.write() as connection:
            connection.execute(statement)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM namespaces")) == 0
    store.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_taken_away_is_written_no_more(path: Path, replaced: bool) -> None:
    """SQLite would go on with it, and all that it said is in would end with the process."""
    store = Store.open(path)
    copy = shutil.copy(path, path.with_name("backup.db"))
    path.unlink()
    if replaced:
        Path(copy).rename(path)
    for use in (store.read, store.write):
        with pytest.raises(CatalogError) as refused, use():
            pytest.fail("it was let in")
        assert refused.value.code == "MP-3059"
    assert not store.ready()
    store.close()
    again = Store.open(path)
    assert again.ready()
    again.close()


def test_a_reader_sees_one_state(path: Path) -> None:
    """What another connection commits meanwhile is not seen inside a read."""
    store = Store.open(path)
    with store.read() as reader:
        assert reader.scalar(text("SELECT count(*) FROM namespaces")) == 0
        with store.write() as writer:
            writer.execute(text("INSERT INTO namespaces VALUES ('prod', 'silver', '{}')"))
        assert reader.scalar(text("SELECT count(*) FROM namespaces")) == 0
    store.close()


def test_a_writer_that_does_not_end_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for another writer ends with an error that names the file."""
    monkeypatch.setattr(sqlite, "WAIT_S", 0.05)
    store = Store.open(path)
    with store.write(), pytest.raises(CatalogError) as refused, store.write():
        pass
    assert refused.value.code == "MP-3054"
    store.close()


def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    """The first one makes the schema; the others wait and find it."""
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(Store.open(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.ready() for store in opened] == [True] * 8
    for store in opened:
        store.close()


MOUNTS = r"""22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /data rw,relatime shared:1 - nfs4 server:/data rw
31 30 0:41 / /data/local\040disk rw - xfs /dev/sdb1 rw
32 22 0:42 / /remote rw - fuse.sshfs host:/ rw
33 22 0:43 / /mounted rw - ext4 /dev/sdc1 rw
34 33 0:44 / /mounted rw - cifs //host/share rw
"""


@pytest.mark.parametrize(
    ("place", "kind", "network"),
    [
        ("/home/x/catalog.db", "ext4", False),
        ("/data/x", "nfs4", True),
        ("/data", "nfs4", True),
        ("/database/x", "ext4", False),
        ("/data/local disk/x", "xfs", False),
        ("/remote/x", "fuse.sshfs", True),
        ("/mounted/x", "cifs", True),
    ],
)
def test_the_mount_over_a_path_decides(place: str, kind: str, network: bool) -> None:
    """The longest mount point wins, the last one where two are the same; blanks are written in octal."""
    assert mounts.file_system(Path(place), MOUNTS) == kind
    assert mounts.is_network(kind) is network
