"""The process in which the function of a Python model runs: `python -m millpond.pipeline.function_worker JSON`."""

from __future__ import annotations

import json
import runpy
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from millpond.core.plugins import load


class NotRowsError(TypeError):
    """A function gave something that is no rows."""


def work(asked: Mapping[str, Any]) -> None:
    """Call the function with a reader for each input, and write the rows that it gives."""
    sys.path.append(asked["project"])
    names = runpy.run_path(asked["file"], run_name="millpond_model")
    readers = {name: _reader(path) for name, path in asked["inputs"].items()}
    _write(names[asked["function"]](**readers), asked["rows"])


def _reader(path: str) -> Any:
    """The rows of a file as batches, each read when it is asked for."""
    return load("pyarrow.ipc").open_stream(load("pyarrow").OSFile(path))


def _write(given: Any, path: str) -> None:
    """Write rows as they come; no file where there is not even an empty batch."""
    schema, batches = _batches(given)
    writer = load("pyarrow.parquet").ParquetWriter(path, schema) if schema is not None else None
    for batch in batches:
        if not isinstance(batch, load("pyarrow").RecordBatch):
            raise NotRowsError(f"it gave a {type(batch).__name__} among its batches, and no Arrow record batch")
        writer = writer or load("pyarrow.parquet").ParquetWriter(path, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()


def _batches(given: Any) -> tuple[Any, Iterable[Any]]:
    """The schema, where it is known before the first batch, and the batches."""
    if isinstance(given, load("pyarrow").RecordBatch):
        return given.schema, (given,)
    if hasattr(given, "__arrow_c_stream__"):
        reader = load("pyarrow").RecordBatchReader.from_stream(given)
        return reader.schema, reader
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        return None, given
    raise NotRowsError(f"it gave a {type(given).__name__}, and no Arrow table, reader or batches")


def tell(
    asked: Mapping[str, Any], kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Write down what ended the process, and the line of the model's file that it came from."""
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(trace) if frame.filename == asked["file"]]
    told = {"type": kind.__name__, "message": str(error).split("\n", 1)[0], "line": lines[-1] if lines else 0}
    Path(asked["failure"]).write_text(json.dumps(told), encoding="utf-8")


def main(words: list[str]) -> None:
    """Do what the one argument asks for; what fails is told in a file, and by the process's exit."""
    asked = json.loads(words[1])
    sys.excepthook = lambda kind, error, trace: tell(asked, kind, error, trace)
    work(asked)
    Path(asked["done"]).touch()


if __name__ == "__main__":
    main(sys.argv)
