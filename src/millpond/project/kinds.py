"""What each kind of model needs in its front matter, and which entries belong to some kinds only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from millpond.project.check import Check
from millpond.project.findings import Findings
from millpond.project.front_matter import FrontMatter
from millpond.project.model import ModelKind
from millpond.project.yaml_file import Document

_BELONGS: Mapping[str, tuple[ModelKind, ...]] = {
    "order": ("upsert",),
    "event_time": ("scd2",),
    "delete_when": ("upsert", "scd2"),
    "tombstones": ("upsert", "scd2"),
    "exclude": ("upsert", "scd2"),
    "lookback": ("aggregate",),
}
"""Which kinds take an entry."""

_OF_TABLES = ("key", "partition", "cluster", "checks", "on_fail", "review_by", "breaker")
"""Entries that speak of rows which are kept; a view keeps none."""

_OF_COLUMNS = ("nullable", "renamed_from")
"""Likewise of a column."""

_NEEDS: Mapping[ModelKind, tuple[str, str]] = {
    "upsert": ("order", "the column that tells which row of a key is newer"),
    "scd2": ("event_time", "the column that says from when on a row holds"),
}
"""What a kind cannot do without besides a key, and what that is."""

_CONTESTED: tuple[ModelKind, ...] = ("append", "aggregate", "replace")
"""Kinds whose tables are made of their input's present rows alone, so that one of two that share a value can stay."""


def check_kind(matter: FrontMatter, document: Document, findings: Findings) -> None:
    """Note what the kind lacks or does not take: MP-1022, MP-1100, MP-1101; and columns named twice or in two roles:
    MP-1023, MP-1102."""
    written = document.data or {}
    if written.get("kind", matter.kind) != matter.kind:
        return  # what was written is no kind: nothing can be said of what it needs
    if matter.kind not in ("replace", "view") and not matter.key:
        findings.add(
            "MP-1022",
            f"a model of kind {matter.kind} needs a key",
            next_step="add `key: [column, ...]`, the columns that name one row",
            where=document.value_place(("kind",)),
        )
    need = _NEEDS.get(matter.kind)
    if need is not None and need[0] not in written:
        findings.add(
            "MP-1100",
            f"a model of kind {matter.kind} needs `{need[0]}`",
            next_step=f"add `{need[0]}:`, {need[1]}",
            where=document.value_place(("kind",)),
        )
    for entry, kinds in _BELONGS.items():
        if entry in written and matter.kind not in kinds:
            findings.add(
                "MP-1101",
                f"`{entry}` is for models of kind {' and '.join(kinds)}, and this one is of kind {matter.kind}",
                next_step="take it out, or change the kind",
                where=document.key_place((entry,)),
                suggestion=need[0] if need is not None and need[0] not in written and entry in _ORDERS else None,
            )
    if matter.kind == "view":
        _check_view(matter, document, findings)
    else:
        _check_roles(matter, document, findings)


def _check_view(matter: FrontMatter, document: Document, findings: Findings) -> None:
    written = document.data or {}
    entries: list[tuple[str, ...]] = [(entry,) for entry in _OF_TABLES if entry in written]
    columns = matter.columns.items()
    entries += [("columns", name, e) for name, said in columns for e in _OF_COLUMNS if e in said.model_fields_set]
    for entry in entries:
        findings.add(
            "MP-1101",
            f"`{entry[-1]}` is for models that keep rows, and this one is of kind view",
            next_step="take it out and say it of the models that the view reads, or change the kind",
            where=document.key_place(entry),
        )


_ORDERS = tuple(name for name, _ in _NEEDS.values())
"""Entries of like meaning in different kinds, so that one may be meant by another."""


def _check_roles(matter: FrontMatter, document: Document, findings: Findings) -> None:
    seen: dict[str, str] = {}
    for role, position, column in _roles(matter):
        place = document.value_place((role, position))
        first = seen.get(column.lower())
        if first == role:
            findings.add(
                "MP-1023", f'the column "{column}" is in the {role} twice', next_step="name it once", where=place
            )
        elif first is not None:
            findings.add(
                "MP-1102",
                f'the column "{column}" cannot be in `{role}`, because it is in `{first}`',
                next_step=f"take it out of one of the two; {_WHY[role]}",
                where=place,
            )
        seen.setdefault(column.lower(), role)


_WHY: Mapping[str, str] = {
    "order": "what orders the rows of a key must differ among them",
    "event_time": "the times of a key's rows must differ",
    "exclude": "the table needs the columns by which it is kept right",
}


def _roles(matter: FrontMatter) -> Iterator[tuple[str, int, str]]:
    time = () if matter.event_time is None else (matter.event_time,)
    named = (("key", matter.key), ("order", matter.order), ("event_time", time), ("exclude", matter.exclude))
    for role, columns in named:
        for position, column in enumerate(columns):
            yield role, position, column


def check_unique(kind: ModelKind, checks: tuple[Check, ...], findings: Findings) -> None:
    """Note MP-1103 where a kind in which older rows count cannot say which of two rows repeats the other."""
    for check in checks:
        if kind not in _CONTESTED and check.kind == "unique" and check.severity == "quarantine":
            findings.add(
                "MP-1103",
                f"the check {check.rule} cannot quarantine rows of a model of kind {kind}",
                next_step="give it the severity stop or warn: it is judged on the table as the step leaves it",
                where=check.where,
            )
