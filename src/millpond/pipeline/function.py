"""Running the function of a Python model: its inputs as Arrow batches, its rows as the model's query gives them.

The function runs in a process of its own (`function_worker`), with the rights of this one. What goes in lies in Arrow
files in between and what comes out in a Parquet file, so that neither side holds more than some batches.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from millpond.core.errors import Location, ProjectError
from millpond.core.names import closest
from millpond.core.plugins import load
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.engines.scratch import scratch_folder
from millpond.pipeline.compiled import CompiledModel, declared_columns
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Function
from millpond.sql.given import create_given, given, nothing, rows_of_file
from millpond.sql.statements import every_row


def computed(bench: Workbench, session: Session, model: CompiledModel) -> CompiledModel:
    """A Python model over what its function gave, which is put into the session.

    Raises ProjectError MP-1314 for rows that are not as declared, MP-1315 where the function fails.
    """
    function = model.model.function
    assert function is not None  # noqa: S101 - else it is a SQL model
    with scratch_folder(bench.project.state / "scratch", "function-") as folder:
        inputs = {}
        for number, (name, table) in enumerate(function.inputs):
            inputs[name] = str(folder / f"input-{number}.arrow")
            _write(session, every_row(table), inputs[name])
        rows = folder / "rows.parquet"
        _call(model, function, bench.project.folder, inputs, folder)
        columns = tuple(column for column, _ in declared_columns(model.model))
        if rows.exists():
            _check(model, function, columns, session.describe(rows_of_file(rows)))
            session.execute(create_given(rows_of_file(rows)))
        else:
            session.execute(create_given(nothing(model.query)))
    return replace(model, query=given(columns, model.model.path))


def _write(session: Session, query: str, path: str) -> None:
    """The rows of a query as a file, batch by batch."""
    reader = session.stream(query).reader
    with load("pyarrow").OSFile(path, "wb") as file, load("pyarrow.ipc").new_stream(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _call(model: CompiledModel, function: Function, project: Path, inputs: dict[str, str], folder: Path) -> None:
    said = folder / "failure.json"
    asked = {
        "file": str(model.model.path),
        "function": function.name,
        "project": str(project),
        "inputs": inputs,
        "rows": str(folder / "rows.parquet"),
        "failure": str(said),
        "done": str(folder / "done"),
    }
    done = subprocess.run(  # noqa: S603 - this interpreter and a module of ours
        [sys.executable, "-P", "-m", "millpond.pipeline.function_worker", json.dumps(asked)],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode == 0 and (folder / "done").exists():
        return
    if said.exists():
        failure = json.loads(said.read_text(encoding="utf-8"))
        code = "MP-1314" if failure["type"] == "NotRowsError" else "MP-1315"
        message, line = f"{failure['type']}: {failure['message']}", int(failure["line"])
    else:
        code, line = "MP-1315", 0
        killed = f" by signal {-done.returncode}" if done.returncode < 0 else f" with {done.returncode}"
        message = f"its process ended{killed} before the function did"
    raise ProjectError(
        code,
        f"{function.name}() of {model.table} failed: {message}",
        next_step="correct the function; nothing was changed",
        where=Location(model.model.path, line),
    )


def _check(model: CompiledModel, function: Function, columns: tuple[Column, ...], found: Schema) -> None:
    """Refuse rows that lack a declared column, or have another one."""
    names = [column.name for column in columns]
    for name in names:
        if found.get(name) is None:
            raise ProjectError(
                "MP-1314",
                f"{function.name}() gives no column {name!r}, which {model.table} declares",
                next_step="give it, or take it out of `columns`",
                where=model.model.place(f"columns.{name}"),
                suggestion=closest(name, found.names),
            )
    known = {name.lower() for name in names}
    for name in found.names:
        if name.lower() not in known:
            raise ProjectError(
                "MP-1314",
                f"{function.name}() gives a column {name!r}, which {model.table} does not declare",
                next_step=f'add "{name}": "TYPE" to `columns`, or leave it out of the rows',
                where=model.model.place("columns"),
                suggestion=closest(name, names),
            )
