"""How the pointer store is asked: no question goes through all that ever happened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from millpond.catalog import records
from millpond.catalog.store import Store

from .clients import NAME, OTHER

WHOLE = re.compile(r"(SCAN|SEARCH) (commit_tables|commits|cursors|lineage|model_states|source_files)")
NARROW = re.compile(r"COVERING INDEX|INTEGER PRIMARY KEY|name=\?|source=\?|commit=\?|step_key=\?|SEARCH commits$")
"""What keeps a look into a table of history small: the key's index alone, one name, source, commit or step, the end."""

QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "head": records.head,
    "published": lambda asked: records.published(asked, "step"),
    "tables now": lambda asked: records.tables(asked, "prod", None),
    "tables at the newest commit": lambda asked: records.tables(asked, "prod", 0),
    "tables earlier": lambda asked: records.tables(asked, "prod", -1),
    "one table": lambda asked: records.find(asked, "prod", NAME, 7),
    "cursor": lambda asked: records.cursor(asked, "prod", NAME, OTHER, 7),
    "all cursors": lambda asked: records.all_cursors(asked, "prod", 7),
    "model states": lambda asked: records.model_states(asked, "prod", 7),
    "seen files": lambda asked: records.seen_files(asked, "prod", "bookings", 7),
    "loaded contents": lambda asked: records.loaded_contents(asked, "prod", "bookings", "parser", 7),
    "lineage": lambda asked: records.edges(asked, "prod", NAME, 7),
    "history": lambda asked: records.history(asked, "prod", None, 100),
    "history of one table": lambda asked: records.history(asked, "prod", NAME, 100),
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A connection to an empty store."""
    store = Store.open(tmp_path / "catalog.db")
    with store.read() as connection:
        yield connection
    store.close()


@contextmanager
def plans(connection: Connection) -> Iterator[list[str]]:
    """What SQLite does for each statement that is run inside, a line for each look into a table."""
    asked: list[tuple[str, Any]] = []

    def note(*told: Any) -> None:
        asked.append((told[2], told[3]))

    event.listen(connection, "before_cursor_execute", note)
    found: list[str] = []
    yield found
    event.remove(connection, "before_cursor_execute", note)
    for statement, parameters in asked:
        found += [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_looks_at_few_rows_of_history(connection: Connection, question: str) -> None:
    """However many commits there are, an index leads to those that the answer is made of."""
    with plans(connection) as found:
        QUESTIONS[question](connection)
    wide = [line for line in found if WHOLE.search(line) and not NARROW.search(line)]
    from_the_newest_on = ["SCAN commits", "SCAN commits"] if question == "history" else []
    assert wide == from_the_newest_on


@pytest.mark.parametrize("question", ["cursor", "all cursors", "model states", "seen files", "loaded contents"])
def test_whether_a_table_was_made_anew_is_told_by_the_index_of_ends(connection: Connection, question: str) -> None:
    """Each record asks for it, and a table has thousands of commits, but few ends."""
    with plans(connection) as found:
        QUESTIONS[question](connection)
    assert any("USING INDEX commit_tables_ends" in line for line in found)
