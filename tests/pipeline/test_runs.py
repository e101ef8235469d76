"""The run log."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from millpond.core.errors import RunError
from millpond.pipeline.events import Event
from millpond.pipeline.runs import RunLog

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_run_is_shown_with_its_events_in_order(tmp_path: Path) -> None:
    """What was noted is read back as it was."""
    log = RunLog(tmp_path / "runs.db")
    log.start("a", "prod", NOW)
    log.note("a", Event("step_started", NOW, {"table": "silver.x"}))
    log.note("a", Event("step_finished", NOW, {"table": "silver.x", "seconds": 1.5}))
    log.end("a", "ok", NOW)
    (run,) = log.recent()
    assert (run.id, run.status, run.steps, run.failed) == ("a", "ok", 1, ())
    assert [name for _, name, _ in log.events("a")] == ["step_started", "step_finished"]


def test_what_a_failed_run_left_is_what_it_had_planned_and_not_finished(tmp_path: Path) -> None:
    """--failed takes the failed step and those that were not reached."""
    log = RunLog(tmp_path / "runs.db")
    log.start("a", "prod", NOW)
    log.note("a", Event("run_started", NOW, {"tables": ["bronze.r", "silver.x", "gold.y"]}))
    log.note("a", Event("step_finished", NOW, {"table": "bronze.r"}))
    log.note("a", Event("step_failed", NOW, {"table": "silver.x"}))
    log.end("a", "failed", NOW)
    assert log.last_failed() == ("silver.x", "gold.y")
    assert log.recent()[0].failed == ("silver.x",)


def test_a_run_that_did_not_end_before_the_next_began_was_killed(tmp_path: Path) -> None:
    """Even where another process has its number by now: only one run holds the project."""
    log = RunLog(tmp_path / "runs.db")
    log.start("r1", "prod", NOW)
    log.start("r2", "prod", NOW + timedelta(seconds=1))
    assert [(run.id, run.status) for run in log.recent()] == [("r2", "running"), ("r1", "killed")]


def test_the_newest_run_is_the_newest_though_the_clock_was_set_back(tmp_path: Path) -> None:
    """`run --failed` goes on from what failed last, whatever time it says."""
    log = RunLog(tmp_path / "runs.db")
    log.start("r1", "prod", NOW)
    log.end("r1", "ok", NOW)
    log.start("r2", "prod", NOW - timedelta(hours=1))
    log.note("r2", Event("run_started", NOW - timedelta(hours=1), {"tables": ["gold.y"]}))
    log.end("r2", "failed", NOW - timedelta(hours=1))
    assert [run.id for run in log.recent()] == ["r2", "r1"]
    assert log.last_failed() == ("gold.y",)


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    """A run that never ended is not said to be running when nobody runs it."""
    path = tmp_path / "runs.db"
    code = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path; "
        "from millpond.pipeline.runs import RunLog; RunLog(Path(sys.argv[1])).start('a', 'prod', datetime.now(UTC))"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert RunLog(path).recent()[0].status == "killed"


def test_an_unknown_run_is_refused(tmp_path: Path) -> None:
    """Asking for a run that never was is an error, not an empty log."""
    with pytest.raises(RunError) as refused:
        RunLog(tmp_path / "runs.db").events("nope")
    assert refused.value.code == "MP-7030"


def test_a_damaged_log_says_what_is_lost_and_what_to_do(tmp_path: Path) -> None:
    """It is not the disk's refusal, and it does not hide behind SQLite's words."""
    path = tmp_path / "runs.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(RunError) as refused:
        RunLog(path).start("a", "prod", NOW)
    assert refused.value.code == "MP-7032"


def test_a_log_that_cannot_be_written_is_an_error_of_the_tree(tmp_path: Path) -> None:
    """Such as a folder in its place."""
    (tmp_path / "runs.db").mkdir()
    with pytest.raises(RunError) as refused:
        RunLog(tmp_path / "runs.db").start("a", "prod", NOW)
    assert refused.value.code == "MP-7031"


def test_a_closed_log_opens_again(tmp_path: Path) -> None:
    """What was noted before is still there."""
    log = RunLog(tmp_path / "runs.db")
    log.start("a", "prod", NOW)
    log.close()
    log.close()
    assert [run.id for run in log.recent()] == ["a"]
    log.close()
