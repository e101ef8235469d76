"""`test`."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from millpond.cli.output import counted, json_line, line, said, table
from millpond.core.encoding import shown
from millpond.core.errors import FindingsError, QualityError
from millpond.core.excerpt import render, shown_path
from millpond.core.names import closest
from millpond.governance.tables import table_name
from millpond.pipeline.proving import Difference, Proof, prove
from millpond.pipeline.recorder import Recorder, write
from millpond.project.case_file import ProjectTest, read_tests
from millpond.project.schemas import wire

if TYPE_CHECKING:
    from millpond.cli.options import Context
    from millpond.lakehouse import Lakehouse

_MARKS = {"changed": "~", "missing": "-", "unexpected": "+"}


def prove_tests(context: Context, names: Sequence[str]) -> int:
    """Do the project's tests, or those that are named; 1 when one fails."""
    with context.open() as lake:
        folder = lake.project.folder
        tests, findings = read_tests(folder)
        if findings:
            raise FindingsError(findings)
        chosen = _chosen(tests, names)
        failed = 0
        for proof in prove(lake.project, lake.runner.graph(), lake.engine, chosen):
            failed += proof.outcome == "failed"
            _show(context, proof, folder)
    if not context.json and not context.quiet:
        _sum_up(len(chosen), failed)
    return 1 if failed else 0


def record(context: Context, model: str, name: str | None, rows: int) -> int:
    """Write a test from the lake, and do it once."""
    with context.open() as lake:
        wanted = table_name(model)
        recorder = Recorder(lake.project, lake.runner.graph(), lake.catalog, lake.engine, lake.gate, lake.principal)
        text = recorder.record(wanted, rows)
        path = write(lake.project.folder, name or wanted.name, wire(PurePosixPath("tests/x.yaml"), text))
        shown = shown_path(path, lake.project.folder)
        (proof,) = _proofs(lake, path)
    if context.json:
        json_line({"wrote": shown, **_as_json(proof, lake.project.folder)})
    elif not context.quiet:
        line(f"wrote {shown}: see whether its rows are right; `millpond test {path.stem}` does it again")
    return 0 if proof.outcome == "passed" else 1


def _proofs(lake: Lakehouse, path: Path) -> list[Proof]:
    tests = [test for test in read_tests(lake.project.folder)[0] if test.path == path]
    return list(prove(lake.project, lake.runner.graph(), lake.engine, tests))


def _chosen(tests: Sequence[ProjectTest], names: Sequence[str]) -> tuple[ProjectTest, ...]:
    """The tests that are meant: by name, file, model or a glob of these. Raises QualityError MP-6130 for none."""
    if not names:
        return tuple(tests)
    found: dict[int, ProjectTest] = {}
    for word in names:
        matching = {
            id(test): test for test in tests if any(fnmatch.fnmatchcase(known, word) for known in _known_as(test))
        }
        if not matching:
            raise QualityError(
                "MP-6130",
                f"no test is called {word!r}",
                next_step="name a file under tests/, a test in it, or a model",
                suggestion=closest(word, [known for test in tests for known in _known_as(test)]),
            )
        found |= matching
    return tuple(test for test in tests if id(test) in found)


def _known_as(test: ProjectTest) -> tuple[str, ...]:
    alone = str(test.entry[-1]) if test.entry else test.name
    return (test.name, test.path.stem, str(test.model), test.model.name, alone)


def _show(context: Context, proof: Proof, folder: Path) -> None:
    if context.json:
        json_line(_as_json(proof, folder))
        return
    if proof.outcome == "passed":
        if not context.quiet:
            line(f"  ✔ {proof.test.name:<50} {proof.seconds * 1000:.0f} ms")
        return
    where = proof.test.key_place() if proof.test.entry else proof.test.place()
    place = f"{shown_path(proof.test.path, folder)}:{max(where.line, 1)}"
    line(f"  ✘ {proof.test.name:<50} {proof.seconds * 1000:.0f} ms  {place}")
    if proof.finding is not None:
        for told in render(proof.finding, folder=folder).splitlines():
            line(f"      {told}")
    elif proof.test.expect_stop and proof.stopped is None:
        line(f"      the check {proof.test.expect_stop} should have stopped the step, and did not")
    _print(proof.rows, f"rows of {proof.test.model}")
    _print(proof.rejected, "rejected rows")


def _print(found: Difference, of: str) -> None:
    if found.empty:
        return
    line(f"      {of}: ~ differs (meant -> is), - is missing, + is too much")
    rows = [
        *((_MARKS["changed"], *_cells(meant, real, found.columns)) for meant, real in found.changed),
        *((_MARKS["missing"], *(row.get(name) for name in found.columns)) for row in found.missing),
        *((_MARKS["unexpected"], *(row.get(name) for name in found.columns)) for row in found.unexpected),
    ]
    table(("", *found.columns), rows, indent="      ")


def _cells(meant: dict[str, Any], real: dict[str, Any], columns: Sequence[str]) -> list[object]:
    pairs = [(meant.get(name), real.get(name)) for name in columns]
    return [is_ if shown(was) == shown(is_) else f"{_word(was)} -> {_word(is_)}" for was, is_ in pairs]


def _word(value: Any) -> str:
    return "NULL" if value is None else shown(value)


def _as_json(proof: Proof, folder: Path) -> dict[str, object]:
    where = proof.test.key_place() if proof.test.entry else proof.test.place()
    return {
        "test": proof.test.name,
        "model": str(proof.test.model),
        "outcome": proof.outcome,
        "seconds": round(proof.seconds, 4),
        "file": shown_path(proof.test.path, folder),
        "line": max(where.line, 1),
        "rows": _difference(proof.rows),
        "quarantine": _difference(proof.rejected),
        "stopped": proof.stopped,
        "finding": proof.finding.as_json(folder) if proof.finding else None,
    }


def _difference(found: Difference) -> dict[str, object]:
    return {
        "changed": [{"meant": meant, "is": real} for meant, real in found.changed],
        "missing": list(found.missing),
        "unexpected": list(found.unexpected),
    }


def _sum_up(number: int, failed: int) -> None:
    if not number:
        line("no tests yet: `millpond test --record MODEL` writes one from real rows, under tests/")
        return
    passed = f"{counted(number - failed, 'test')} passed"
    if failed:
        said(f"{passed}, {failed:,} failed")
    else:
        line(passed)
