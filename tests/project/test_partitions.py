"""Partition fields as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import Location
from millpond.project.findings import Findings
from millpond.project.model import Partition
from millpond.project.partitions import partition

PLACE = Location(Path("m.sql"), 3, 1)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("country", Partition("country", "identity")),
        ('"my column"', Partition("my column", "identity")),
        ("day(ts)", Partition("ts", "day")),
        (" Hour ( ts ) ", Partition("ts", "hour")),
        ("month(ts)", Partition("ts", "month")),
        ("year(ts)", Partition("ts", "year")),
        ("bucket(16, id)", Partition("id", "bucket", 16)),
        ("truncate(4,name)", Partition("name", "truncate", 4)),
    ],
)
def test_partition_fields_are_read(text: str, field: Partition) -> None:
    """A column, or a transform of one."""
    findings = Findings()
    assert partition(text, PLACE, findings) == field
    assert findings.ordered() == ()


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("days(ts)", "day"),
        ("buckt(16, id)", "bucket"),
        ("day(ts, id)", None),
        ("day()", None),
        ("bucket(id)", None),
        ("bucket(0, id)", None),
        ("bucket(-1, id)", None),
        ("bucket(99999999999, id)", None),
        ("a b", None),
        ("day(ts", None),
        ("", None),
    ],
)
def test_what_is_no_partition_field_is_refused(text: str, suggestion: str | None) -> None:
    """With the forms that there are."""
    findings = Findings()
    assert partition(text, PLACE, findings) is None
    assert [(f.code, f.where, f.suggestion) for f in findings.ordered()] == [("MP-1024", PLACE, suggestion)]
