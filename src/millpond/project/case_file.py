"""What a file under `tests/` may say: rows that are given to a model, and the rows that it must make of them.

    model: silver.orders
    given:
      bronze.orders:
        - {order_id: 1, amount: 12.00}
        - {order_id: 2, amount: twelve}
    expect:
      - {order_id: 1, amount: 12.00}
    expect_quarantine:
      - {rule: "cast:amount", value: twelve}

Values are kept as they are written; the columns say what they mean. Several tests stand under `tests:`, each by its
name, with what they share above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from millpond.core.errors import Finding, Location, ProjectError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.project.findings import Findings
from millpond.project.settings import Declared
from millpond.project.text_file import read
from millpond.project.validation import validate
from millpond.project.yaml_file import Document, Entry, compose

FOLDER = "tests"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""What the clock says where a test sets no other moment."""

_DATA = ("given", "expect", "expect_quarantine")

Row = Annotated[dict[str, Any], Field(description="Columns and their values.")]
TableText = Annotated[str, Field(min_length=1)]


class Case(Declared):
    """One test."""

    model: TableText | None = Field(None, description="The model that is tried, as layer.name.")
    description: str | None = Field(None, description="What the test shows.")
    now: datetime | None = Field(
        None, description="What the clock says (UTC where no zone is written); by default the beginning of 2026."
    )
    given: dict[TableText, list[Row] | None] = Field(
        default_factory=dict, description="Rows of the tables that the model is made from; columns left out are NULL."
    )
    expect: list[Row] | None = Field(
        None, description="All rows that the table must hold, in any order, by the columns that are named."
    )
    expect_quarantine: list[Row] | None = Field(
        None, description="All rows that must be rejected: by rule, value, reason, or fields of the record."
    )
    expect_stop: str | None = Field(None, description="The check of severity stop that must end the step.")


class CaseFile(Case):
    """A file of tests: one, or several that share a model and given rows."""

    tests: dict[Annotated[str, Field(min_length=1)], Case] = Field(
        default_factory=dict, description="Several tests by their names; what they share stands above."
    )


Fields = Mapping[str, Any]


@frozen
class ProjectTest:
    """One test of a project. A field's value is text as it was written, None, or a list or mapping of such.

    `expect` is None where nothing is said of the table's rows. `entry` is where the test stands in its file.
    """

    name: str
    path: Path
    model: TableName
    given: Mapping[TableName, tuple[Fields, ...]]
    expect: tuple[Fields, ...] | None
    expect_quarantine: tuple[Fields, ...] = ()
    expect_stop: str | None = None
    now: datetime = NOW
    description: str | None = None
    document: Document = field(default_factory=lambda: Document(Path(), None, {}, {}), compare=False, repr=False)
    entry: Entry = ()

    def place(self, *steps: str | int) -> Location:
        """Where a part of the test stands; what it takes over from the file's head stands there."""
        for entry in ((*self.entry, *steps), steps):
            if entry in self.document.values:
                return self.document.values[entry]
        return self.document.value_place((*self.entry, *steps))

    def key_place(self, *steps: str | int) -> Location:
        """Where a key of the test stands."""
        for entry in ((*self.entry, *steps), steps):
            if entry in self.document.keys:
                return self.document.keys[entry]
        return self.place(*steps)


def read_tests(folder: Path) -> tuple[tuple[ProjectTest, ...], tuple[Finding, ...]]:
    """The tests of the project in a folder, by file and order, and what is wrong with the files."""
    findings = Findings()
    tests: list[ProjectTest] = []
    root = folder / FOLDER
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.suffix.lower() in (".yaml", ".yml") and path.is_file() and not hidden:
            tests += _tests(path, findings)
    return tuple(tests), findings.ordered()


def _tests(path: Path, findings: Findings) -> Iterator[ProjectTest]:
    try:
        tree = compose(read(path), path)
    except ProjectError as wrong:
        findings.take(wrong)
        return
    document = tree.build(findings, as_text=lambda entry: any(step in _DATA for step in entry))
    said = validate(CaseFile, document, findings).record
    if said is None:
        return
    if not said.tests:
        yield from _test(said, said, document, (), path, findings)
    for name, case in said.tests.items():
        yield from _test(said, case, document, ("tests", name), path, findings)


def _test(
    head: CaseFile, case: Case, document: Document, entry: Entry, path: Path, findings: Findings
) -> Iterator[ProjectTest]:
    where = document.key_place(entry) if entry else Location(path, 1)
    model = _table(case.model or head.model, _of(document, entry, "model"), findings)
    if model is None:
        if not (case.model or head.model):
            told = "this test names no model"
            findings.add("MP-1121", told, next_step="add `model: layer.name`", where=where)
        return
    given: dict[TableName, tuple[Fields, ...]] = {}
    for text, rows in {**head.given, **case.given}.items():
        table = _table(text, _of(document, entry, "given", text), findings)
        if table is not None:
            given[table] = tuple(rows or ())
    expect = case.expect if case.expect is not None else head.expect
    rejected = case.expect_quarantine if case.expect_quarantine is not None else head.expect_quarantine
    stop = case.expect_stop or head.expect_stop
    if expect is None and rejected is None and stop is None:
        findings.add(
            "MP-1122",
            "this test expects nothing",
            next_step="add `expect:` with the rows that the table must hold; [] for none",
            where=where,
        )
        return
    now = case.now or head.now or NOW
    yield ProjectTest(
        name=f"{path.stem}: {entry[-1]}" if entry else path.stem,
        path=path,
        model=model,
        given=given,
        expect=None if expect is None else tuple(expect),
        expect_quarantine=tuple(rejected or ()),
        expect_stop=stop,
        now=now if now.tzinfo else now.replace(tzinfo=UTC),
        description=case.description or head.description,
        document=document,
        entry=entry,
    )


def _of(document: Document, entry: Entry, *steps: str) -> Location:
    own = (*entry, *steps)
    return document.key_place(own) if own in document.keys else document.key_place(steps)


def _table(text: str | None, where: Location, findings: Findings) -> TableName | None:
    if not text:
        return None
    try:
        return TableName.parse(text)
    except ValueError:
        findings.add("MP-1123", f'"{text}" is not the name of a table', next_step="write it as layer.name", where=where)
        return None
