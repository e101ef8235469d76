"""Restores, and then forks, again and again, each time killed one moment later: FOLDER. Prints a JSON line for each."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clients import NAME, OTHER, SCHEMA, step
from killed import Moments, forked, opened, watch

from millpond.catalog.commits import Cursor, ModelState, SeenFile
from millpond.catalog.forks import Forks
from millpond.catalog.restoring import restore
from millpond.core.names import TableName
from millpond.core.schema import Column

FORK = TableName("gold", "fork")


def begin(folder: Path) -> None:
    """Three commits: a table, a column of it with records, another table."""
    catalog = opened(folder)
    for key in ("one", "two", "three"):
        stage = catalog.begin(key)
        if key == "one":
            stage.create_table(NAME, SCHEMA)
        elif key == "two":
            stage.add_columns(NAME, (Column("more", "BIGINT"),))
        else:
            stage.create_table(OTHER, SCHEMA)
        stage.publish(
            step(
                key,
                table=NAME,
                cursors=(Cursor(NAME, OTHER, catalog.head()),),
                files=(SeenFile("s", f"{key}.csv", 1, 1, key, "p", "loaded", 1),),
                models=(ModelState(NAME, key, "{}"),),
            )
        )
    catalog.close()


def go_back(folder: Path, moments: Moments | None) -> None:
    """Restore everything to the first commit, unless that is done."""
    catalog = opened(folder)
    if moments is not None:
        watch(catalog, moments)
    if catalog.history(limit=1)[0].restored is None:
        restore(catalog, 1, None, "owner")
    catalog.close()


def fork(folder: Path, moments: Moments | None) -> None:
    """Fork a table, unless that is done."""
    catalog = opened(folder)
    if moments is not None:
        watch(catalog, moments)
    if catalog.find(FORK) is None:
        Forks(catalog, "owner").fork(NAME, FORK)
    catalog.close()


def state(folder: Path) -> dict[str, Any]:
    """What the next process finds."""
    catalog = opened(folder)
    found = {
        "head": catalog.head(),
        "tables": {str(entry.name): list(catalog.metadata(entry).schema().names) for entry in catalog.tables()},
        "cursor": catalog.cursors().get((NAME, OTHER)),
        "files": [file.path for file in catalog.seen_files("s")],
        "models": [model.fingerprint for model in catalog.model_states().values()],
    }
    catalog.close()
    return found


def main(folder: Path) -> None:
    """Kill at the first moment, at the second, and so on, until the work comes through."""
    first = folder / "begin"
    first.mkdir()
    assert forked(lambda: begin(first)) == 0
    works: dict[str, Callable[[Path, Moments | None], None]] = {"restore": go_back, "fork": fork}
    for name, work in works.items():
        for number in range(1, 1000):
            place = folder / "now"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(first, place)
            ended = forked(lambda place=place, number=number, work=work: work(place, Moments(number)))  # type: ignore[misc]
            killed = state(place)
            forked(lambda place=place, work=work: work(place, None))  # type: ignore[misc]
            told = {"work": name, "ended": ended, "killed": killed, "after": state(place)}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
            if ended == 0:
                break


main(Path(sys.argv[1]))
