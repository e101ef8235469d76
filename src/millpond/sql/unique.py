"""Statements of the `unique` check.

Where its severity is quarantine, the rows that won their keys contest the values that are to be unique: check by
check, as they are written, of the rows that share a value the least by content stays, and the others *stand aside*. All
rows take part in every contest anew: what stands aside is kept in the side table, and comes back where nothing beats
it any more. So table and side table are a function of the rows, whatever order they arrive in.

The table's own rows share no value, so those that share none with an arriving row, or with one that stands aside, have
nothing to contest and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.names import TableName, literal, quote
from millpond.core.records import frozen
from millpond.sql.keys import by_content, names, same
from millpond.sql.lake import in_lake
from millpond.sql.scd2 import CURRENT
from millpond.sql.staging import STAGED, good

ARRIVING = "arriving"
WEIGHED = "weighed"


@frozen
class Unique:
    """One check: its rule, and the columns that together name one row."""

    rule: str
    columns: tuple[str, ...]

    @property
    def known(self) -> str:
        """The condition of rows that have a value. NULL is none: such rows are never repeated (SQL:2016, 11.7)."""
        return " AND ".join(f"{quote(name)} IS NOT NULL" for name in self.columns)


@frozen
class Contest:
    """Rows on their way into a table, and those that they may share a value with.

    `arriving` is the query of the rows that would be added, with `carried`; the rows that they replace are in neither
    table any more. `replaced` is the query of the keys of those that the table itself has lost so, empty for none.
    `aside` is the side table.
    """

    table: TableName
    aside: TableName
    outputs: tuple[str, ...]
    key: tuple[str, ...]
    checks: tuple[Unique, ...]
    arriving: str
    replaced: str
    carried: tuple[str, ...] = ()


def repeated(table: TableName, columns: tuple[str, ...], *, staged: bool = False, current: bool = False) -> str:
    """SELECT of one row: how many values of the columns stand in more than one row, and one of them as text.

    With `staged`, only values of good staged rows are looked at, with `current` only versions that hold still.
    """
    listed = names(columns)
    known = " AND ".join([Unique("", columns).known] + [CURRENT] * current)
    rows = f"{in_lake(table)} AS t"
    if staged:
        rows += f" SEMI JOIN (SELECT {listed} FROM {STAGED} WHERE {good()}) AS s ON {same('t', 's', columns)}"
    return (
        f"SELECT count(*), min(shown) FROM (SELECT concat_ws(', ', {listed}) AS shown "
        f"FROM {rows} WHERE {known} GROUP BY {listed} HAVING count(*) > 1)"
    )


def create_arriving(contest: Contest) -> str:
    """Temp view of the rows that would be added."""
    return f"CREATE TEMP VIEW {ARRIVING} AS {contest.arriving}"


def contested(contest: Contest) -> str:
    """SELECT of whether there is anything to contest: a row stands aside, or an arriving one shares a value."""
    asked = [f"EXISTS (SELECT 1 FROM {in_lake(contest.aside)})"]
    for check in contest.checks:
        here = f"SELECT {names(check.columns)} FROM {ARRIVING} WHERE {check.known}"
        asked.append(f"EXISTS ({here} GROUP BY {names(check.columns)} HAVING count(*) > 1)")
        asked.append(f"EXISTS (SELECT 1 {_sharing(contest, check, here)})")
    return f"SELECT {' OR '.join(asked)}"


def create_weighed(contest: Contest) -> str:
    """Temp table of all that take part: `_mp_home` is where a row was, `_mp_rule` the check that rejects it, if any."""
    columns = names(contest.outputs)
    carried = "".join(f", {name}" for name in contest.carried)
    nothing = "".join(f", NULL AS {name}" for name in contest.carried)
    arriving = f"SELECT {columns} FROM {ARRIVING}"
    aside = f"SELECT {columns} FROM {in_lake(contest.aside)}"
    sharing = " UNION ".join(
        f"SELECT {names(contest.outputs, 't')} "
        + _sharing(contest, check, f"SELECT * FROM ({arriving} UNION ALL {aside}) AS a WHERE {check.known}")
        for check in contest.checks
    )
    rows = (
        f"SELECT {columns}{carried}, 'arriving' AS _mp_home, NULL::VARCHAR AS _mp_rule FROM {ARRIVING} "
        f"UNION ALL SELECT {columns}{nothing}, 'aside', NULL FROM ({aside}) AS a "
        f"UNION ALL SELECT {columns}{nothing}, 'table', NULL FROM ({sharing}) AS s"
    )
    for check in contest.checks:
        place = f"PARTITION BY _mp_rule, {names(check.columns)} ORDER BY {by_content(contest.outputs)}"
        beaten = f"_mp_rule IS NULL AND {check.known} AND row_number() OVER ({place}) > 1"
        rows = (
            f"SELECT * REPLACE (CASE WHEN {beaten} THEN {literal(check.rule)} ELSE _mp_rule END AS _mp_rule) "
            f"FROM ({rows}) AS rows"
        )
    return f"CREATE TEMP TABLE {WEIGHED} AS {rows}"


def weighed_counts(contest: Contest) -> str:
    """SELECT of one row: arriving rows that stay, those of them that replace one, arriving rows that do not stay, rows
    that leave the table, rows that come back; then of each check, how many rows it newly rejects."""
    staying = "_mp_home = 'arriving' AND _mp_rule IS NULL"
    renewed = "0"
    if contest.replaced:
        pairs = f"{WEIGHED} AS s SEMI JOIN ({contest.replaced}) AS r ON {same('s', 'r', contest.key)}"
        renewed = f"(SELECT count(*) FROM {pairs} WHERE {staying})"
    parts = [
        f"count(*) FILTER (WHERE {staying})",
        renewed,
        "count(*) FILTER (WHERE _mp_home = 'arriving' AND _mp_rule IS NOT NULL)",
        "count(*) FILTER (WHERE _mp_home = 'table' AND _mp_rule IS NOT NULL)",
        "count(*) FILTER (WHERE _mp_home = 'aside' AND _mp_rule IS NULL)",
    ]
    parts += [
        f"count(*) FILTER (WHERE _mp_home <> 'aside' AND _mp_rule = {literal(check.rule)})" for check in contest.checks
    ]
    return f"SELECT {', '.join(parts)} FROM {WEIGHED}"


def beaten(rule: str) -> str:
    """The rows that a check rejects, known before or not, as a parenthesised query."""
    return f"(SELECT * FROM {WEIGHED} WHERE _mp_rule = {literal(rule)})"


def delete_ousted(contest: Contest) -> str:
    """Take the rows out of the table that do not stay in it."""
    return _delete(contest.table, contest.key, "_mp_home = 'table' AND _mp_rule IS NOT NULL")


def delete_returned(contest: Contest) -> str:
    """Take the rows out of the side table that come back."""
    return _delete(contest.aside, contest.key, "_mp_home = 'aside' AND _mp_rule IS NULL")


def insert_staying(contest: Contest) -> str:
    """Put the rows into the table that were not in it and stay."""
    return _insert(contest.table, contest.outputs, "_mp_home <> 'table' AND _mp_rule IS NULL")


def insert_aside(contest: Contest) -> str:
    """Put the rows into the side table that newly stand aside."""
    return _insert(contest.aside, contest.outputs, "_mp_home <> 'aside' AND _mp_rule IS NOT NULL")


def forget_aside(aside: TableName, key: Sequence[str], gone: str) -> str:
    """Take rows of some keys, given by a query, out of the side table: they are replaced, or there no more."""
    return f"MERGE INTO {in_lake(aside)} AS t USING ({gone}) AS d ON {same('t', 'd', key)} WHEN MATCHED THEN DELETE"


def _sharing(contest: Contest, check: Unique, others: str) -> str:
    """FROM the table's rows `t` that share the check's value with one of the others."""
    on = same("t", "o", check.columns)
    return f"FROM {in_lake(contest.table)} AS t SEMI JOIN ({others}) AS o ON {on}"


def _delete(table: TableName, key: Sequence[str], condition: str) -> str:
    return forget_aside(table, key, f"SELECT {names(key)} FROM {WEIGHED} WHERE {condition}")


def _insert(table: TableName, outputs: Sequence[str], condition: str) -> str:
    columns = names(outputs)
    return f"INSERT INTO {in_lake(table)} ({columns}) SELECT {columns} FROM {WEIGHED} WHERE {condition}"
