"""Problems, collected."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import Finding, FindingsError, Location, ProjectError
from millpond.project.findings import Findings


def test_nothing_is_raised_where_nothing_was_found() -> None:
    """An empty collection is no error."""
    findings = Findings()
    findings.raise_if_any()
    assert (len(findings), findings.ordered()) == (0, ())


def test_findings_are_ordered_and_told_once() -> None:
    """By file, line and column; what has no place comes first."""
    findings = Findings()
    places = [
        Location(Path("b"), 1, 1),
        Location(Path("a"), 9, 1),
        Location(Path("a"), 2, 7),
        Location(Path("a"), 2, 3),
    ]
    for where in (*places, *places, None):
        findings.add("MP-1006", "m", next_step="n", where=where)
    assert [found.where for found in findings.ordered()] == [None, *reversed(places)]


def test_the_findings_of_errors_are_taken_over() -> None:
    """Of one error, or of one that holds several."""
    findings = Findings()
    one, two = Finding("MP-1005", "m", "n"), Finding("MP-1006", "m", "n")
    findings.take(ProjectError("MP-1004", "m", next_step="n"))
    findings.take(FindingsError((one, two)))
    with pytest.raises(FindingsError) as caught:
        findings.raise_if_any()
    assert [found.code for found in caught.value.findings] == ["MP-1004", "MP-1005", "MP-1006"]
