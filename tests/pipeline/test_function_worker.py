"""The process of a function: what it may give, and what is told when it fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millpond.pipeline.function_worker import NotRowsError, tell, work

ROWS = pa.table({"a": [1, 2, 3]})


def asked(folder: Path, body: str) -> dict[str, Any]:
    """What the process is asked: to call a function of this body with a reader of three rows."""
    (folder / "m.py").write_text(f"import pyarrow as pa\nimport millpond\n\ndef f(rows):\n    {body}\n")
    with pa.OSFile(str(folder / "in.arrow"), "wb") as file, pa.ipc.new_stream(file, ROWS.schema) as writer:
        writer.write_table(ROWS)
    inputs = {"rows": str(folder / "in.arrow")}
    paths = {"file": str(folder / "m.py"), "rows": str(folder / "out.parquet"), "failure": str(folder / "f.json")}
    return {"function": "f", "project": str(folder), "inputs": inputs, **paths}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return rows", [1, 2, 3]),
        ("return rows.read_all()", [1, 2, 3]),
        ("return rows.read_next_batch()", [1, 2, 3]),
        ("yield from rows", [1, 2, 3]),
        ("return [batch.slice(1) for batch in rows]", [2, 3]),
        ("return rows.read_all().slice(0, 0)", []),
    ],
)
def test_a_function_gives_rows_in_any_form_of_arrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, expected: list[int]
) -> None:
    """A table, a reader, a batch, or batches as they are made."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    work(asked(tmp_path, body))
    assert pq.read_table(tmp_path / "out.parquet").to_pydict() == {"a": expected}


@pytest.mark.parametrize("body", ["return 1", "return {'a': [1]}", "return 'a'", "yield {'a': 1}", "return None"])
def test_what_is_no_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Numbers, mappings and nothing at all."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(NotRowsError):
        work(asked(tmp_path, body))


def test_no_batch_at_all_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written: the declared columns are all that is known."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    work(asked(tmp_path, "yield from ()"))
    assert not (tmp_path / "out.parquet").exists()


def test_a_failure_is_told_with_the_line_of_the_models_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The innermost line that the author wrote, though a library raised it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    words = asked(tmp_path, "return rows.read_all().\\\n        column('b')")
    with pytest.raises(KeyError) as raised:
        work(words)
    tell(words, KeyError, raised.value, raised.tb)
    assert json.loads((tmp_path / "f.json").read_text())["line"] in (5, 6)
