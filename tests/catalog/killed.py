"""Publishes one step again and again, each time killed one moment later: FOLDER [URL].

Prints a JSON line for each kill. With the URL of a Postgres database each try has a schema of its own there.

The moments are every call that matters for what is left on the disk: syncs, renames, SQL statements and the commit
itself, before and after. Each try is a process forked from this one, which has no threads.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from clients import NAME, OTHER, SCHEMA, step
from sqlalchemy import event

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Cursor, Ledger, ModelState, SeenFile, Verdict
from millpond.catalog.store import Store
from millpond.core.clock import SystemClock
from millpond.core.schema import Column


class Moments:
    """Counts the moments and ends the process at a chosen one."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, *_: object) -> None:
        """One moment."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function with a moment before and one after."""

        def between(*args: Any, **words: Any) -> Any:
            self()
            result = work(*args, **words)
            self()
            return result

        return between


def opened(folder: Path) -> Catalog:
    """The catalog in a folder."""
    url = folder / "url"
    store = url.read_text() if url.exists() else str(folder / "catalog.db")
    return Catalog.open(store, str(folder / "lake"), "prod", SystemClock())


def work(folder: Path, moments: Moments | None) -> None:
    """One step: a new table, a changed one, a new snapshot, and all that a commit may carry."""
    catalog = opened(folder)
    stage = catalog.begin("the step")
    if stage.find(OTHER) is None:
        stage.create_table(OTHER, SCHEMA)
        stage.add_columns(NAME, (Column("more", "BIGINT"),))
    if moments is not None:
        watch(catalog, moments)
    stage.publish(
        step(
            "the step",
            table=NAME,
            ledger=Ledger(1, inserted=1),
            cursors=(Cursor(NAME, OTHER, 1),),
            files=(SeenFile("s", "a.csv", 1, 1, "c", "p", "loaded", 1),),
            verdicts=(Verdict(NAME, "r", "pass", 0, 1),),
            models=(ModelState(NAME, "f", "{}"),),
        )
    )
    catalog.close()


def watch(catalog: Catalog, moments: Moments) -> None:
    """Count every moment from now on."""
    os.fsync = moments.around(os.fsync)
    Path.replace = moments.around(Path.replace)  # type: ignore[method-assign]
    engine = catalog.store._engine
    event.listen(engine, "after_cursor_execute", moments)
    event.listen(engine, "commit", moments)
    Store.write = _after_commit(Store.write, moments)  # type: ignore[method-assign]


def _after_commit(write: Any, moments: Moments) -> Any:
    @contextmanager
    def committed(store: Store) -> Any:
        with write(store) as connection:
            yield connection
        moments()

    return committed


def state(folder: Path) -> dict[str, Any]:
    """What the next process finds."""
    catalog = opened(folder)
    found = {
        "head": catalog.head(),
        "tables": [str(entry.name) for entry in catalog.tables()],
        "columns": [list(catalog.metadata(entry).schema().names) for entry in catalog.tables()],
        "published": catalog.published("the step"),
        "cursor": catalog.cursors().get((NAME, OTHER)),
        "files": len(catalog.seen_files("s")),
        "verdicts": len(catalog.verdicts(2)),
        "models": len(catalog.model_states()),
        "ledger": catalog.ledger(2) is not None,
    }
    catalog.close()
    return found


def forked(run: Callable[[], None]) -> int:
    """Run in a process of its own; how it ended, as waitpid says."""
    child = os.fork()
    if child == 0:
        run()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def first(folder: Path) -> None:
    """What there is before the step: one table."""
    catalog = opened(folder)
    stage = catalog.begin("first")
    stage.create_table(NAME, SCHEMA)
    stage.publish(step("first"))
    catalog.close()


def begun(folder: Path, url: str | None) -> Path:
    """A new folder with its store, as the step finds it."""
    place = folder / "now"
    shutil.rmtree(place, ignore_errors=True)
    if url is None:
        shutil.copytree(folder / "begin", place)
        return place
    place.mkdir()
    schema = f"k{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    (place / "url").write_text(f"{url}?options=-csearch_path%3D{schema}")
    assert forked(lambda: first(place)) == 0
    return place


def main(folder: Path, url: str | None) -> None:
    """Kill at the first moment, at the second, and so on, until a run comes through."""
    (folder / "begin").mkdir()
    assert forked(lambda: first(folder / "begin")) == 0
    for number in range(1, 1000):
        place = begun(folder, url)
        ended = forked(lambda place=place, number=number: work(place, Moments(number)))  # type: ignore[misc]
        killed = state(place)
        again = forked(lambda place=place: work(place, None))  # type: ignore[misc]
        sys.stdout.write(json.dumps({"ended": ended, "killed": killed, "again": again, "after": state(place)}) + "\n")
        sys.stdout.flush()
        if ended == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
