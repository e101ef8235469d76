"""`query`, `show` and `ls`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millpond.catalog.commits import TABLE, VIEW
from millpond.catalog.evolving import PREFIX
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.view_staging import read as read_view
from millpond.cli.output import counted, json_line, line, said, table
from millpond.core.encoding import shown
from millpond.core.errors import AccessError, CatalogError, EngineError, ModelError
from millpond.core.names import LAYERS, QUARANTINE, STATE, TableName, closest, quote
from millpond.core.plugins import load
from millpond.governance.moments import check_kept, commit_number, is_kept
from millpond.pipeline.circuit import open_circuits
from millpond.quality.review import overdue
from millpond.tables.statistics import count_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from millpond.catalog.views import ViewMetadata
    from millpond.cli.options import Context
    from millpond.core.schema import Column
    from millpond.lakehouse import Lakehouse

_SHOWN = 1000
"""Rows that a terminal is given at most."""


def query(context: Context, sql: str, at: str | None, as_csv: bool, parquet: Path | None) -> int:
    """Print the result of one SELECT, or write it to a Parquet file."""
    with (
        context.open(settings_only=True) as lake,
        lake.gate.query(sql, lake.principal, at=at, door="cli") as answer,
    ):
        if parquet is not None:
            rows = _write_parquet(answer.reader, parquet)
            said(f"{counted(rows, 'row')} written to {parquet}")
        elif context.json:
            for row in _rows(answer.reader):
                json_line(dict(zip(_distinct(answer.reader.schema.names), row, strict=True)))
        elif as_csv:
            writer = csv.writer(sys.stdout)
            writer.writerow(answer.reader.schema.names)
            writer.writerows([_cell(value) for value in row] for row in _rows(answer.reader))
        else:
            _print(answer.reader)
    return 0


def _cell(value: Any) -> Any:
    """A value as a cell of a CSV file: as the table and JSON show it, whole."""
    return value if value is None or isinstance(value, str) else shown(value)


def show(context: Context, name: str, at: str | None, limit: int) -> int:
    """Print a table's columns, where its rows came from, and its first rows."""
    with context.open() as lake:
        when = commit_number(lake.catalog, at)
        wanted = named(lake, name, when, views=True)
        check_kept(lake.catalog, (wanted,), when)
        view = lake.catalog.find(wanted, when, VIEW)
        entry = view or lake.catalog.table(wanted, when)
        metadata = lake.catalog.metadata(entry) if view is None else read_view(entry.metadata_location)
        model = lake.project.model(wanted)
        with lake.gate.query(_first(wanted, limit), lake.principal, at=when, door="cli") as answer:
            rows = [list(row) for row in _rows(answer.reader)]
            names = answer.reader.schema.names
        summary = _summary(metadata) if isinstance(metadata, TableMetadata) else {}
        told = metadata.properties
        if context.json:
            columns = [_column(metadata, column) for column in metadata.schema()]
            shown = {"table": str(wanted), "commit": entry.commit, "uuid": entry.uuid, "location": entry.location}
            shown |= {"description": told.get("comment"), "owner": told.get("owner")}
            shown |= {"tags": _labels(told.get(f"{PREFIX}tags"))}
            json_line(
                {**shown, **summary, "columns": columns, "rows": [dict(zip(names, r, strict=True)) for r in rows]}
            )
            return 0
        line(f"{wanted}  commit {entry.commit}  {_sizes(summary) if view is None else 'a view'}")
        if model is not None:
            parts = (("key", model.key), ("order", model.order), ("event time", (model.event_time,)))
            roles = "".join(f", {part} {', '.join(map(str, names))}" for part, names in parts if any(names))
            line(f"made by {model.path.relative_to(lake.project.folder)} ({model.kind}{roles})")
        for word, name in (("owner", "owner"), ("tags", f"{PREFIX}tags"), ("", "comment")):
            if name in told:
                line(" ".join(filter(None, (word, told[name].replace(",", ", ") if word == "tags" else told[name]))))
        line()
        _show_columns([_column(metadata, column) for column in metadata.schema()])
        line()
        table(names, rows, indent="  ")
    return 0


def _column(metadata: TableMetadata | ViewMetadata, column: Column) -> dict[str, object]:
    """What is known of a column."""
    told = metadata.properties
    return {
        "name": column.name,
        "type": column.type,
        "nullable": not column.required,
        "description": column.doc,
        "tags": _labels(told.get(f"{PREFIX}column.{column.name}.tags")),
        "pii": told.get(f"{PREFIX}column.{column.name}.pii"),
    }


def _labels(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _show_columns(columns: list[dict[str, object]]) -> None:
    """Print columns; what nobody said of any of them has no heading."""
    shown = [name for name in ("tags", "pii") if any(column[name] for column in columns)]
    shown.append("description")
    rows = [
        (
            column["name"],
            f"{column['type']}{'' if column['nullable'] else ' not null'}",
            *(", ".join(map(str, cell)) if isinstance(cell := column[name], list) else cell for name in shown),
        )
        for column in columns
    ]
    table(("column", "type", *shown), rows, indent="  ")


def ls(context: Context, layer: str | None, at: str | None) -> int:
    """Print the lake's tables, and what the project declares but has not built; 3 when one calls for attention."""
    with context.open() as lake:
        when = commit_number(lake.catalog, at)
        entries = {entry.name: entry for entry in lake.catalog.tables(when)}
        shown_views = {entry.name: entry for entry in lake.catalog.tables(when, VIEW)}
        waiting = overdue(lake.project, lake.catalog, lake.clock.now()) if at is None else ()
        late = {found.table: found.records for found in waiting}
        circuits = open_circuits(lake.project.models, lake.catalog) if at is None else {}
        kinds: dict[TableName, str] = {model.table: model.kind for model in lake.project.models}
        kinds |= {source.table: "source" for source in lake.project.sources}
        kinds |= dict.fromkeys(shown_views, "view")
        rows = []
        for name in sorted(entries.keys() | kinds.keys(), key=_by_layer):
            if name.layer != layer if layer is not None else name.layer == STATE:
                continue
            view = shown_views.get(name)
            entry = entries.get(name) or view
            kept = entry is not None and (at is None or is_kept(entry))
            summary = _summary(lake.catalog.metadata(entry)) if entry and kept and not view else {}
            note = "not built" if entry is None else "" if kept else "no longer kept"
            if name in late:
                note = ", ".join(filter(None, (note, f"{late[name]:,} overdue in quarantine")))
            if name in circuits:
                note = ", ".join(filter(None, (note, f"circuit open since {circuits[name].since:%Y-%m-%d %H:%M} UTC")))
            rows.append((name, kinds.get(name, ""), entry.commit if entry else None, summary, note))
    if context.json:
        for name, kind, commit, summary, _ in rows:
            attention: dict[str, object] = {"overdue": late[name]} if name in late else {}
            attention |= {"circuit": "open"} if name in circuits else {}
            json_line({"table": str(name), "kind": kind or None, "commit": commit, **summary, **attention})
    elif not rows and layer is not None:
        line(f"no tables in {layer}")
    elif not rows:
        line("no tables yet: `millpond add FILE...` makes a source, `millpond run` builds")
    else:
        shown = [(str(n), k, c, s.get("rows"), s.get("files"), note) for n, k, c, s, note in rows]
        table(("table", "kind", "commit", "rows", "files", ""), shown)
    return 3 if any(name in late or name in circuits for name, *_ in rows) else 0


def named(lake: Lakehouse, name: str, at: int | None = None, *, views: bool = False) -> TableName:
    """The table, there as of a commit, that a full name or a name without its layer means. Raises AccessError MP-8011.

    Where there was none then, the tables of now are asked. With `views`, a view may be meant too; else MP-2111 says
    that one is.
    """
    kinds = (TABLE, VIEW) if views else (TABLE,)
    known = [entry.name for when in (at, None) for kind in kinds for entry in lake.catalog.tables(when, kind)]
    known = list(dict.fromkeys(known))
    others = () if views else (entry.name for when in (at, None) for entry in lake.catalog.tables(when, VIEW))
    if any(str(view).lower() == name.lower() for view in others):
        step = "name a table that the view reads"
        raise ModelError("MP-2111", f"{name} is a view, which keeps no rows of its own", next_step=step)
    matching = [table for table in known if name in (str(table), table.name)]
    if not matching:
        matching = [table for table in known if name.lower() in (str(table).lower(), table.name.lower())]
    if len(matching) == 1:
        return matching[0]
    raise AccessError(
        "MP-8011",
        f"{'several tables are' if matching else 'no table is'} called {name!r}",
        next_step="see `millpond ls` for the tables",
        suggestion=closest(name, [str(table) for table in known]),
    )


def _first(name: TableName, limit: int) -> str:
    return f"FROM {quote(name.layer)}.{quote(name.name)} LIMIT {limit}"


def _by_layer(name: TableName) -> tuple[int, str]:
    layers = (*LAYERS, QUARANTINE)
    return (layers.index(name.layer) if name.layer in layers else len(layers), name.name)


def _summary(metadata: TableMetadata) -> dict[str, int]:
    """Live rows and data files of a version; nothing where its writer did not count them, or a manifest is damaged."""
    summary = (metadata.current_snapshot or {}).get("summary", {})
    files = str(summary.get("total-data-files", "0"))
    try:
        rows = None if "total-records" not in summary else count_rows(metadata)
    except CatalogError:
        rows = None
    return {} if rows is None else {"rows": rows, "files": int(files) if files.isdigit() else 0}


def _sizes(summary: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in summary.items())


def _rows(reader: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in reader:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _distinct(names: list[str]) -> list[str]:
    """Column names with a number added where one comes again."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out


def _print(reader: pa.RecordBatchReader) -> None:
    rows: list[tuple[Any, ...]] = []
    for row in _rows(reader):
        if len(rows) == _SHOWN:
            said(f"only the first {_SHOWN:,} rows are shown: --json, --csv and --parquet give all")
            break
        rows.append(row)
    table(reader.schema.names, rows)


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> int:
    """Write the rows beside `path` and move them there when all are written; the number of rows."""
    rows = 0
    partial = path.with_name(f".{path.name}.partial")
    try:
        with load("pyarrow.parquet").ParquetWriter(partial, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
        partial.replace(path)
    except load("pyarrow").ArrowNotImplementedError as lacking:
        raise EngineError(
            "MP-4006",
            f"the result has a type that Parquet files do not have: {lacking}",
            next_step="cast the column, an INTERVAL or a UNION, to another type, such as VARCHAR",
        ) from lacking
    finally:
        partial.unlink(missing_ok=True)
    return rows
