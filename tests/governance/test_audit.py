"""Every read is on record, without a cell of data."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from millpond.core.errors import AccessError
from millpond.core.names import TableName
from millpond.governance.audit import Audit, AuditRecord

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RECORD = AuditRecord("ada", "cli", "FROM silver.trips", NOON, (TableName("silver", "trips"),), 7, "abc")


def test_a_read_is_recorded_and_completed(tmp_path: Path) -> None:
    """Who, when, by which door, what, at which commit, under which policy, how much, in which time."""
    audit = Audit(tmp_path / "state" / "audit.db")
    identity = audit.record(RECORD)
    assert audit.recent()[0].outcome == "started"
    audit.complete(identity, "done", 12, 0.5)
    found = audit.recent()[0]
    assert (found.principal, found.door, found.sql, found.at) == ("ada", "cli", "FROM silver.trips", NOON)
    assert (found.tables, found.commit, found.policy_hash) == ((TableName("silver", "trips"),), 7, "abc")
    assert (found.outcome, found.rows, found.seconds, found.error) == ("done", 12, 0.5, None)
    audit.close()


def test_the_newest_reads_come_first(tmp_path: Path) -> None:
    """As many as were asked for."""
    audit = Audit(tmp_path / "audit.db")
    for minute in range(5):
        audit.record(AuditRecord("ada", "cli", f"SELECT {minute}", NOON + timedelta(minutes=minute)))
    assert [record.sql for record in audit.recent(2)] == ["SELECT 4", "SELECT 3"]
    audit.close()


def test_the_audit_survives_being_closed(tmp_path: Path) -> None:
    """It opens again by itself, and another process reads the same file."""
    audit = Audit(tmp_path / "audit.db")
    audit.record(RECORD)
    audit.close()
    audit.record(RECORD)
    assert len(Audit(tmp_path / "audit.db").recent()) == 2
    audit.close()


def test_broken_text_is_recorded_all_the_same(tmp_path: Path) -> None:
    """A refused statement is on record even when it is no text."""
    audit = Audit(tmp_path / "audit.db")
    audit.record(AuditRecord("ada", "cli", "SELECT '\ud800'", NOON, outcome="refused", error="MP-8001"))
    assert audit.recent()[0].error == "MP-8001"
    audit.close()


def test_an_audit_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A file that is no database, a folder that cannot be made."""
    (tmp_path / "audit.db").write_text("this is no database, and it is long enough to be taken for one" * 40)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "audit.db", tmp_path / "file" / "audit.db"):
        with pytest.raises(AccessError, match="MP-8014"):
            Audit(path).record(RECORD)


def test_threads_share_one_audit(tmp_path: Path) -> None:
    """No record is lost."""
    audit = Audit(tmp_path / "audit.db")
    threads = [threading.Thread(target=lambda: [audit.record(RECORD) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(audit.recent(1000)) == 40
    audit.close()


def test_the_table_holds_no_place_for_data(tmp_path: Path) -> None:
    """Its columns are those of the record and nothing more."""
    audit = Audit(tmp_path / "audit.db")
    audit.record(RECORD)
    audit.close()
    with sqlite3.connect(tmp_path / "audit.db") as file:
        columns = [row[1] for row in file.execute("PRAGMA table_info(reads)")]
    file.close()
    assert columns == [
        *("id", "at", "principal", "door", "sql_hash", "sql", "tables", "commit_number", "policy_hash"),
        *("outcome", "rows", "seconds", "error"),
    ]
