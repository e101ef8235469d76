"""What a step of a keyed kind takes in: the rows that came, and, where rows went, all rows of the keys concerned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from millpond.catalog.commits import Ledger
from millpond.core.records import frozen
from millpond.pipeline.bounding import whole_key
from millpond.pipeline.building import Building
from millpond.pipeline.inputs import InputChanges, read_changes
from millpond.pipeline.plan import InputRange
from millpond.pipeline.roles import Roles
from millpond.pipeline.staged import Judged, quarantine_rejected, stage_rows
from millpond.pipeline.target import ensure_quarantine
from millpond.quality.rules import row_rules
from millpond.sql.casts import SoftCast, soften
from millpond.sql.marks import marked, widened
from millpond.sql.quarantine import EVERYTHING, of_places
from millpond.sql.redo import CAME, REDO, WENT, WENT_BAD, create_redo, create_side, without_redone
from millpond.sql.rewrite import add_columns, replace_inputs
from millpond.sql.staging import CARRIED, GONE, ROW, Staging, bad_places, good_rows
from millpond.sql.statements import count_query, count_rows


@frozen
class Arrivals:
    """Rows on their way into a table: how they are staged, and what is known of their number before.

    `every` says that they are all that the table is made of. Else `redone` is the number of keys of which all rows are
    taken in. `read` counts the input's new rows, None where the query does not keep one row for each; `passed` those of
    them that the query's filter let through, None where it is the number of staged rows. `scope` is the condition of
    the quarantined records that are judged anew, None for none.
    """

    staging: Staging
    every: bool
    scope: str | None
    read: int | None = None
    redone: int = 0
    passed: int | None = None


def arrivals(building: Building, roles: Roles, unless: Sequence[str] = ()) -> Arrivals:
    """The rows that a step must stage. `unless` says which rows that went have no influence (see `create_redo`)."""
    if not building.model.shape.row_preserving:
        query = _complete(building, roles, building.model.query.text())
        return Arrivals(_staging(building, roles, query, ()), every=True, scope=EVERYTHING)
    session, news = building.session, building.news[0]
    name = news.table.name
    over, casts = _traced(building, roles)
    session.execute(news.view(f"new_{name}"))
    read = int(session.rows(count_rows(f"new_{name}"))[0][0])
    staging = _staging(building, roles, over(f"new_{name}"), casts)
    if building.whole:
        return Arrivals(staging, every=True, scope=EVERYTHING, read=read)
    if not news.deleted:
        return Arrivals(staging, every=False, scope=None, read=read)
    session.execute(news.view(f"old_{name}", went=True))
    old = replace(staging, query=over(f"old_{name}"))
    session.execute(create_side(WENT_BAD, bad_places(old)))
    unread = bool(session.rows(count_rows(WENT_BAD))[0][0])
    # A rejected row that went is no longer to be mended. Where rows do not say which record they were, another one like
    # it may still be there, and only a look at all of them can tell.
    every = unread and not news.bears_origin
    redone = 0 if every else _redone(building, roles, staging, old, unless)
    scope = EVERYTHING if every else of_places(WENT_BAD) if unread else None
    if not every and not redone:
        return Arrivals(staging, every=False, scope=scope, read=read)
    session.execute(_everything(building, news).view(f"all_{name}"))
    passed = int(session.rows(count_query(staging.query))[0][0])
    query = over(f"all_{name}") if every else without_redone(staging.query, over(f"all_{name}"), roles.key)
    return Arrivals(replace(staging, query=query), every=every, scope=scope, read=read, redone=redone, passed=passed)


def _traced(building: Building, roles: Roles) -> tuple[Callable[[str], str], tuple[SoftCast, ...]]:
    """The query over a relation in place of its input, with soft casts and the origin of each row; and the casts."""
    softened = soften(building.model.query)
    carrying = add_columns(softened.query, (*CARRIED, ROW))

    def over(relation: str) -> str:
        return _complete(building, roles, replace_inputs(carrying, {building.model.inputs[0]: relation}).text())

    return over, softened.casts


def _complete(building: Building, roles: Roles, query: str) -> str:
    """The query with its columns as the table holds them, and with the mark of deletion."""
    wide = widened(query, [(column.name, column.type) for column in building.widened])
    return wide if roles.mark is None else marked(wide, roles.mark)


def _staging(building: Building, roles: Roles, query: str, casts: tuple[SoftCast, ...]) -> Staging:
    traced = building.model.shape.row_preserving
    # What may stand only once: a key's row, and in a history that of a key at a time.
    once = (*roles.key, *roles.order) if building.model.model.kind == "scd2" else roles.key
    return Staging(
        query,
        roles.outputs,
        row_rules(building.model.model, casts, building.schema),
        once,
        traced=traced,
        again=traced,
        kept=(*roles.key, *roles.order),
        marked=roles.mark is not None,
        whole=whole_key(once, building.schema),
        raw_of=str(building.model.inputs[0]) if traced else "",
        identity=(*roles.key, *roles.order),
    )


def _redone(building: Building, roles: Roles, staging: Staging, old: Staging, unless: Sequence[str]) -> int:
    """How many keys must be redone because of the old rows; they are in the relation `redo`."""
    session = building.session
    session.execute(create_side(WENT, good_rows(old)))
    session.execute(create_side(CAME, good_rows(staging)))
    columns = (*roles.key, *(name for name in (*roles.order, *roles.kept) if name not in roles.key))
    gone = (GONE,) if staging.marked else ()
    session.execute(create_redo(roles.key, (*dict.fromkeys(columns), *gone), unless))
    return int(session.rows(count_rows(REDO))[0][0])


def _everything(building: Building, news: InputChanges) -> InputChanges:
    return read_changes(building.bench, (InputRange(news.table, None),), building.stage.base)[0]


def judge(building: Building, found: Arrivals) -> Judged:
    """Stage the rows and judge them; those that are rejected go to quarantine."""
    judged = stage_rows(building.session, building.model.model, found.staging)
    if judged.rejected:
        known = ensure_quarantine(building.bench, building.stage)
        quarantine_rejected(building.bench, building.session, building.model.table, known=known)
    return judged


def counted(found: Arrivals, judged: Judged, ledger: Ledger) -> Ledger:
    """The ledger with what was read and what the query's filter left out, where that can be told."""
    if found.read is None:
        return ledger
    filtered = found.read - (judged.staged if found.passed is None else found.passed)
    return replace(ledger, read=ledger.staged + filtered, filtered=filtered)


def told(building: Building, found: Arrivals) -> str | None:
    """What came of rows that went; None where the plan has said what is done."""
    if building.whole:
        return None
    if found.redone:
        return f"rows of the input went: took in all rows of {found.redone:,} keys"
    return "rejected rows of the input went: took in all of it" if found.every else ""
