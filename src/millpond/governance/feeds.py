"""`changes('layer.name', since => 41)` in a FROM: what a table gained and lost, as rows of a person's query."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from millpond.catalog.catalog import Catalog
from millpond.catalog.soundness import whole
from millpond.catalog.staging import no_such_table
from millpond.core.errors import AccessError, Location
from millpond.core.names import LAYERS, QUARANTINE, TableName, closest
from millpond.core.records import frozen
from millpond.governance.moments import Moment, check_kept, commit_number
from millpond.tables.difference import changes_sql
from millpond.tables.rewrites import rewrites

FUNCTION = "changes"
FORM = "changes('layer.name', since => 41)"

_MOMENT = r"\s*(?:=>|:=)\s*(?:(\d{1,18})|'([^']*)')\s*"
_CALL = re.compile(rf"changes\s*\(\s*'([^']*)'\s*,\s*since{_MOMENT}(?:,\s*until{_MOMENT})?\)", re.IGNORECASE | re.ASCII)


@frozen
class Feed:
    """One call: the table, the moments it is asked between (`until` None: the query's), where it stands in the text.

    `named` says that the author gave it a name of its own.
    """

    table: TableName
    since: Moment
    until: Moment | None
    start: int
    end: int
    where: Location
    named: bool


def read_feed(text: str, where: Location, start: int, named: bool) -> Feed:
    """The call that stands in the text at `start`. Raises AccessError MP-8019 for another form than `FORM`.

    The call is only taken as it is written out, so that what is put in its place is exactly what was read.
    """
    found = _CALL.match(text, start)
    if found is None:
        raise AccessError(
            "MP-8019",
            "changes() is asked with the name of a table and the commit it is seen from",
            next_step=f"write {FORM}; since and until => take a number, or a time or tag in quotes; 0 is the beginning",
            where=where,
        )
    name, number, said, until_number, until_said = found.groups()
    try:
        table = TableName.parse(name)
    except ValueError:
        table = TableName("", name)
    if table.layer not in (*LAYERS, QUARANTINE):
        raise no_layer(name, where, closest(name.partition(".")[0], (*LAYERS, QUARANTINE)))
    until = int(until_number) if until_number else until_said
    return Feed(table, int(number) if number else said, until, start, found.end(), where, named)


def no_layer(name: str, where: Location, suggestion: str | None) -> AccessError:
    """The error for a name that is none of a table in a layer; programs may keep tables elsewhere in the catalog."""
    layers = ", ".join((*LAYERS, QUARANTINE))
    return AccessError(
        "MP-8004",
        f"{name!r} is not a table name of the form layer.name, in plain letters, with one of the layers {layers}",
        next_step="list tables with: millpond ls; what programs keep outside the layers is read through the gateway",
        where=where,
        suggestion=suggestion,
    )


def placed(text: str, feeds: Sequence[Feed]) -> str:
    """The text with each call replaced by the relation of its number, so that all else stays where it stood.

    The relations are named in the schema of temporary ones, where no name of the author's can stand before them.
    """
    for number, feed in enumerate(feeds):
        written = text[feed.start : feed.end]
        named = f"temp.c{number}" if feed.named else f"temp.c{number} AS {FUNCTION}"
        lines = "".join(character if character == "\n" else " " for character in written[len(named) :])
        text = text[: feed.start] + named + lines + text[feed.end :]
    return text


def commits(catalog: Catalog, feed: Feed, commit: int) -> tuple[int, int]:
    """The commits between which a query at `commit` asks.

    Raises AccessError MP-8010 and MP-8016 for what is no moment, MP-8020 for moments that do not follow each other.
    """
    try:
        since, until = (commit if at is None else commit_number(catalog, at) for at in (feed.since, feed.until))
    except AccessError as wrong:
        wrong.finding = replace(wrong.finding, where=feed.where)
        raise
    if not since <= until <= commit:
        later = f"the query reads at commit {commit}" if until > commit else f"until is commit {until}"
        raise AccessError(
            "MP-8020",
            f"since is commit {since} and {later}: changes go from an earlier commit to one that the query sees",
            next_step="choose since <= until; `millpond history` lists the commits",
            where=feed.where,
        )
    return since, until


def relation(catalog: Catalog, number: int, feed: Feed, span: tuple[int, int], known: Collection[TableName]) -> str:
    """The statement that makes the relation which `placed` names for the feed of that number.

    Raises CatalogError MP-3001 when the table was there at neither commit, MP-3076 for one no longer kept, MP-3036
    and MP-3038 for what cannot be compared.
    """
    return f"CREATE TEMP VIEW c{number} AS {_rows(catalog, feed, span, known)}"


def _rows(catalog: Catalog, feed: Feed, span: tuple[int, int], known: Collection[TableName]) -> str:
    for number in span:
        check_kept(catalog, (feed.table,), number)
    entries = [catalog.find(feed.table, number) for number in span]
    older, newer = (None if entry is None else whole(catalog, entry) for entry in entries)
    if older is None and newer is None:
        raise no_such_table(feed.table, known)
    same = older is not None and newer is not None and older.uuid == newer.uuid
    rewritten = rewrites(catalog, feed.table, span, older, newer) if same and older and newer else ()
    return changes_sql(older, newer, rewritten)
