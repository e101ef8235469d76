"""One build in progress: what the steps of keyed kinds work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millpond.catalog.commits import Ledger, Verdict
from millpond.catalog.staging import Stage
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.inputs import InputChanges
from millpond.pipeline.workbench import Workbench
from millpond.sql.merging import Merging

if TYPE_CHECKING:
    from millpond.catalog.deleting import DeleteFile


@frozen
class Building:
    """A build of one model.

    `schema` are the query's columns, as tables hold them; `widened` those of them that the query itself gives another
    type. `news` are the input's changes, empty where the query reads its inputs itself. `whole` says that `news`, or
    the query, is all there is, and that the table must be what it says. `filled` says that the table may hold rows.
    `merging` is how the groups are kept as states, None where they are not.
    """

    bench: Workbench
    session: Session
    stage: Stage
    model: CompiledModel
    news: tuple[InputChanges, ...]
    schema: Schema
    widened: tuple[Column, ...]
    whole: bool
    filled: bool
    merging: Merging | None = None


@frozen
class Work:
    """What a build did: where its rows went, what the rules said, and which quarantined records it judged anew.

    `scope` is the condition of these records, None where the step met new rows only. `note` is what a person should
    know; None leaves it at what the plan said. `deletes` are files of places of rows that are to go besides.
    """

    ledger: Ledger
    verdicts: tuple[Verdict, ...]
    scope: str | None
    note: str | None = None
    deletes: tuple[DeleteFile, ...] = ()
