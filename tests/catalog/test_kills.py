"""SIGKILL at every moment of a publication: all of it is there afterwards, or nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

NOTHING = {
    "head": 1,
    "tables": ["silver.positions"],
    "columns": [["id", "word"]],
    "published": None,
    "cursor": None,
    "files": 0,
    "verdicts": 0,
    "models": 0,
    "ledger": False,
}
ALL = {
    "head": 2,
    "tables": ["gold.trips", "silver.positions"],
    "columns": [["id", "word"], ["id", "word", "more"]],
    "published": 2,
    "cursor": 1,
    "files": 1,
    "verdicts": 1,
    "models": 1,
    "ledger": True,
}


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_killed_publication_is_whole_or_absent_and_can_be_repeated(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever the moment: the store opens, holds all or nothing, and the same step again ends in the same state."""
    script = Path(__file__).with_name("killed.py")
    server = [request.getfixturevalue("postgres").url()] if store == "postgres" else []
    done = subprocess.run([sys.executable, script, tmp_path, *server], capture_output=True, text=True, check=True)
    tries = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(tries) > 20
    assert [row["ended"] for row in tries] == [signal.SIGKILL] * (len(tries) - 1) + [0]
    found = [row["killed"] for row in tries]
    turn = found.index(ALL)
    assert found == [NOTHING] * turn + [ALL] * (len(tries) - turn)
    assert 0 < turn < len(tries)
    assert all(row["again"] == 0 and row["after"] == ALL for row in tries)


def test_a_killed_restore_or_fork_is_whole_or_absent_and_can_be_repeated(tmp_path: Path) -> None:
    """Whatever the moment: pointers and records are those of before or those of after, never some of each."""
    script = Path(__file__).with_name("killed_restore.py")
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=True)
    tries = [json.loads(line) for line in done.stdout.splitlines()]
    for work in ("restore", "fork"):
        own = [row for row in tries if row["work"] == work]
        assert len(own) > 8
        assert [row["ended"] for row in own] == [signal.SIGKILL] * (len(own) - 1) + [0]
        found = [row["killed"] for row in own]
        turn = found.index(found[-1])
        assert 0 < turn < len(own)
        assert found == [found[0]] * turn + [found[-1]] * (len(own) - turn)
        assert all(row["after"] == found[-1] for row in own)
