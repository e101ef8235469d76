"""Reports of clients about their scans and commits are kept."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from millpond.catalog import reports
from millpond.catalog.catalog import Catalog
from millpond.catalog.reports import Report
from millpond.core.names import TableName

from .talk import made, refused

NAME = TableName("s", "t")
SCAN: dict[str, Any] = {
    "report-type": "scan-report",
    "table-name": "lake.s.t",
    "snapshot-id": 7,
    "filter": True,
    "schema-id": 0,
    "projected-field-ids": [1],
    "projected-field-names": ["id"],
    "metrics": {"total-planning-duration": {"count": 1, "time-unit": "nanoseconds", "total-duration": 26}},
}
PATH = "/namespaces/s/tables/t/metrics"


def kept(catalog: Catalog, limit: int = 100) -> tuple[Report, ...]:
    """The reports of the table."""
    with catalog.store.read() as connection:
        return reports.of_table(connection, "prod", NAME, limit)


def test_reports_are_kept_as_they_were_sent(web: httpx.Client, catalog: Catalog) -> None:
    """Newest first, with who sent them; they are no commits."""
    made(web)
    number = catalog.head()
    commit = {**SCAN, "report-type": "commit-report", "sequence-number": 1, "operation": "append"}
    for body in (SCAN, commit):
        assert web.post(PATH, json=body, headers={"User-Agent": "spark"}).status_code == 204
    newest, oldest = kept(catalog)
    assert (newest.kind, newest.client, newest.snapshot, newest.content) == ("commit-report", "spark", 7, commit)
    assert oldest.content == SCAN
    assert catalog.head() == number


def test_reports_without_sense_are_refused(web: httpx.Client) -> None:
    """Of no table, of no kind, or too long."""
    refused(web.post(PATH, json=SCAN), 404, "NoSuchTableException")
    made(web)
    refused(web.post(PATH, json={}), 400, "BadRequestException", "report-type")
    refused(web.post(PATH, json=SCAN | {"filter": "x" * 1_100_000}), 400, "BadRequestException", "at most")


def test_only_the_newest_reports_of_a_table_are_kept(
    web: httpx.Client, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a table often does not fill the store; other tables' reports stay."""
    monkeypatch.setattr(reports, "KEPT", 3)
    made(web)
    made(web, "other")
    web.post("/namespaces/s/tables/other/metrics", json=SCAN)
    for number in range(6):
        assert web.post(PATH, json=SCAN | {"snapshot-id": number}).status_code == 204
    assert [report.snapshot for report in kept(catalog)] == [5, 4, 3]
    with catalog.store.read() as connection:
        assert len(reports.of_table(connection, "prod", TableName("s", "other"))) == 1
