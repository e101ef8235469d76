"""What an engine's error about a value says of a model: which column, where it is written, which value."""

from __future__ import annotations

import re
from dataclasses import replace

from millpond.core.errors import EngineError
from millpond.engines.engine import Session
from millpond.pipeline.building import Building
from millpond.sql.columns import column_place, reading_place
from millpond.sql.staging import endless_time

_READ = re.compile(r"when casting from source column (.+)$")
_TIMES = ("DATE", "TIMESTAMP")


def blamed(building: Building, failed: EngineError) -> EngineError:
    """The error, told of the model; one that is about no value is left as it is.

    To be called when the step's transaction is over.
    """
    model, finding = building.model, failed.finding
    if failed.code == "MP-4002":
        column = _READ.search(finding.message)
        where = reading_place(model.query, column[1].strip('"')) if column else None
        message = f"{model.table}: {finding.message}"
    elif failed.code == "MP-4007":
        name, given = _endless(building.session, building)
        where = column_place(model.query, name) if name else None
        which = f"its column {name!r} has the value {given!r}" if name else "a value of it is 'infinity'"
        message = f"{model.table} cannot be kept: {which}, and no table holds a time without end"
    else:
        return failed
    failed.finding = replace(finding, message=message, where=where or model.model.place())
    return failed


def _endless(session: Session, building: Building) -> tuple[str, str]:
    """The first column of the query that gives a time without end, and which; empty where none is found."""
    times = [column.name for column in building.schema if column.type.startswith(_TIMES)]
    query = building.model.query.text()
    for name in times:
        try:
            rows = session.rows(endless_time(query, name))
        except EngineError:
            break
        if rows:
            return name, str(rows[0][0])
    return "", ""
