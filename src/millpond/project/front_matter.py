"""Front matter: YAML in a model's first comment, between `/*---` and `---*/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field

from millpond.core.errors import Location, ProjectError
from millpond.core.records import frozen
from millpond.project.check import CheckSeverity
from millpond.project.check_entry import CheckEntry, Column
from millpond.project.model import Dialect, ModelKind
from millpond.project.settings import Declared, Duration, OneOrMore
from millpond.project.text_file import line_and_column

_OPEN = re.compile(r"\s*(/\*---)(?!-)")
_LATE = re.compile(r"^[ \t]*/\*---[ \t]*$", re.MULTILINE)
_CLOSE = "---*/"


class ColumnEntry(Declared):
    """What the author says of one column."""

    description: str | None = Field(None, description="What the column means.")
    pii: str | None = Field(None, description="What of a person it holds, such as user_id, email or location.")
    tags: OneOrMore[str] = Field((), description="Labels.")
    type: str | None = Field(
        None,
        min_length=1,
        description="Its type, such as BIGINT; the query must give it, and `check` holds it to that.",
    )
    nullable: bool | None = Field(
        None, description="false: no row may lack a value; such rows go to quarantine, or stop with on_fail: stop."
    )
    renamed_from: Column | None = Field(
        None, description="The name that it had; the table's column is renamed, and its files stay."
    )


class BreakerEntry(Declared):
    """When a model stops taking new input."""

    max_failed: Annotated[
        str,
        Field(
            pattern=r"^[0-9]{1,3}(\.[0-9]+)? ?%$",
            json_schema_extra={"patternErrorMessage": "a share of the rows, such as 20%"},
        ),
    ] = Field(description="The circuit opens when more than this share of the rows is rejected, such as 20%.")
    after: int = Field(100, ge=1, description="How many rows must have been judged, over several runs if need be.")
    retry: Duration = Field("1h", description="After how long an open circuit is tried with one increment.")


class FrontMatter(Declared):
    """The front matter of a model."""

    kind: ModelKind = Field(
        "replace",
        description="How the table is made: append (new rows, deduplicated by key), upsert (the newest row of each "
        "key), scd2 (every change of each key, from when until when it held), snapshot (the same for an input that "
        "does not tell its changes), aggregate (groups that changed are computed again), replace (the whole table, or "
        "the partitions or keys that changed), view (no table: a query that other engines read by its name, and that "
        "takes the place of the name where models and queries read it).",
    )
    dialect: Dialect = Field(
        "duckdb",
        description="Whose SQL the query is written in; it is translated to DuckDB's. Checks and macros are DuckDB's.",
    )
    key: OneOrMore[Column] = Field(
        (), description="Columns that name one row; every kind but replace and view needs them."
    )
    order: OneOrMore[Column] = Field(
        (), description="For upsert: columns that tell which row of a key is newer, compared from the first on."
    )
    event_time: Column | None = Field(
        None, description="For scd2: the column that says from when on a row holds; in the table it is valid_from."
    )
    delete_when: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="For upsert and scd2: an expression, or a column, that is true of rows which delete their key.",
    )
    tombstones: bool = Field(
        False,
        description="For upsert and scd2: a row deletes its key when all of its columns are NULL but those of key and "
        "order (or event time).",
    )
    exclude: OneOrMore[Column] = Field(
        (),
        description="For upsert and scd2: columns of the query that checks and delete_when look at, and that the table "
        "does not keep.",
    )
    lookback: Duration | None = Field(
        None,
        description="For aggregate: how far its windows reach back at most; `check` holds the query to it.",
    )
    partition: OneOrMore[Column] = Field(
        (),
        description="Partition fields: year(c), month(c), day(c), hour(c), bucket(n, c), truncate(n, c) or a column.",
    )
    cluster: Annotated[OneOrMore[Column], Field(max_length=4)] = Field(
        (),
        description="Columns by which upkeep sorts the rows of rewritten files: by one column, or by two to four along "
        "a Z-shaped curve, so that a filter on any of them reads few files.",
    )
    checks: OneOrMore[CheckEntry] = Field((), description="Rules on rows or on the table.")
    on_fail: CheckSeverity = Field(
        "quarantine", description="What a failed row check does that names no severity: warn, quarantine or stop."
    )
    review_by: Duration | None = Field(
        None, description="How long a record of this model may wait in quarantine; by default the project's."
    )
    breaker: BreakerEntry | None = Field(
        None, description="When the model stops taking new input for a while; by default it never does."
    )
    columns: dict[Column, ColumnEntry] = Field(
        default_factory=dict, description="What is said of columns: the contract that readers rely on."
    )
    description: str | None = Field(None, description="What a row of the table is.")
    owner: str | None = Field(None, min_length=1, description="Who answers for the table.")
    tags: OneOrMore[str] = Field((), description="Labels for --select tag:NAME.")


@frozen
class Split:
    """A model's file in two texts, each with every word where it stands in the file and blanks for the other."""

    yaml: str
    sql: str


def split(text: str, path: Path) -> Split:
    """Take a model's file apart.

    Raises ProjectError MP-1020 (not closed), MP-1031 (a comment sign inside), MP-1032 (not at the beginning).
    """
    opening = _OPEN.match(text)
    if opening is None:
        late = _LATE.search(text)
        if late is not None:
            raise ProjectError(
                "MP-1032",
                "front matter must be the first thing in the file",
                next_step="move it to the top",
                where=_place(text, path, text.index("/*---", late.start()), len("/*---")),
            )
        return Split("", text)
    start = opening.end()
    close = text.find(_CLOSE, start)
    if close < 0:
        raise ProjectError(
            "MP-1020",
            "the front matter is not closed",
            next_step="end it with a line `---*/`",
            where=_place(text, path, opening.start(1), len("/*---")),
        )
    for sign in ("*/", "/*"):
        inside = text.find(sign, start, close + (0 if sign == "/*" else len(_CLOSE)))
        if 0 <= inside < close:
            raise ProjectError(
                "MP-1031",
                f"`{sign}` inside the front matter would end or open an SQL comment",
                next_step="write it another way, such as [*]/ in a pattern",
                where=_place(text, path, inside, 2),
            )
    end = close + len(_CLOSE)
    return Split(_blank(text[:start]) + text[start:close], _blank(text[:end]) + text[end:])


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _place(text: str, path: Path, index: int, length: int) -> Location:
    line, column = line_and_column(text, index)
    return Location(path, line, column, length)
