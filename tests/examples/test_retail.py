"""The retail example on its real data gives the answers that were counted without Millpond."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import shutil
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from millpond.lakehouse import Lakehouse
from millpond.pipeline.request import Request

from .conftest import Open

Line = dict[str, str]

MANIFEST = {
    "SELECT count(*) FROM bronze.invoice_lines": 209_029,
    "SELECT count(DISTINCT InvoiceNo) FROM bronze.invoice_lines": 10_783,
    "SELECT count(DISTINCT Country) FROM bronze.invoice_lines": 36,
    "SELECT count(DISTINCT CustomerID) FROM bronze.invoice_lines": 2_767,
    "SELECT count(*) FROM bronze.invoice_lines WHERE Quantity::INTEGER < 0": 4_434,
    "SELECT count(*) FROM bronze.invoice_lines WHERE CustomerID IS NULL": 59_976,
    "SELECT round(sum(Quantity::INT * UnitPrice::DECIMAL(9, 3)), 2)::TEXT FROM bronze.invoice_lines": "3706827.64",
    "SELECT count(*) FROM quarantine.records WHERE rule = 'sql:has_a_price'": 1_292,
    "SELECT count(*) FROM silver.chinook_invoices": 412,
    "SELECT sum(lines)::BIGINT FROM silver.chinook_invoices": 2_240,
    "SELECT count(*) FROM silver.chinook_customers": 59,
    "SELECT count(*) FROM silver.chinook_tracks": 3_503,
}
"""What the data's own list of known answers says."""

CONTENT = (
    "SELECT * FROM silver.invoice_lines ORDER BY ALL",
    "SELECT * FROM silver.customers ORDER BY ALL",
    "SELECT * FROM silver.products ORDER BY ALL",
    "SELECT * FROM gold.revenue_by_country_day ORDER BY ALL",
    "SELECT * FROM gold.cancellations_by_product ORDER BY ALL",
    "SELECT rule, value, count(*) FROM quarantine.records GROUP BY ALL ORDER BY ALL",
)


@pytest.fixture(scope="module")
def days(shared_data: Path) -> list[Path]:
    """The invoices, a file a day."""
    return sorted((shared_data / "retail" / "online_retail_by_day").glob("*.csv.gz"))


@pytest.fixture(scope="module")
def lake(example: Open, shared_data: Path, days: list[Path]) -> Lakehouse:
    """The example after one run over all data."""
    lake = example("retail", retail=str(days[0].parent), chinook=str(shared_data / "relational" / "chinook"))
    run(lake)
    return lake


@pytest.fixture(scope="module")
def sales(days: list[Path]) -> list[Line]:
    """The lines that silver must hold, told by plain Python: they have a price, and each is there once."""
    kept: dict[tuple[str, ...], Line] = {}
    for path in days:
        text = gzip.decompress(path.read_bytes()).decode()
        for line in csv.DictReader(io.StringIO(text, newline="")):
            if float(line["UnitPrice"]) > 0:
                key = (line["InvoiceNo"], line["StockCode"], line["Quantity"], str(float(line["UnitPrice"])))
                kept.setdefault(key, line)
    return list(kept.values())


def run(lake: Lakehouse) -> None:
    """One run, all of whose steps are done."""
    report = lake.runner.run(Request(), lambda _event: None)
    assert report.ok, report.failures


def rows(lake: Lakehouse, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    return [tuple(row.values()) for row in lake.tables.query(sql).rows()]


def amount(line: Line) -> Decimal:
    """What a line adds to the revenue."""
    return int(line["Quantity"]) * Decimal(line["UnitPrice"])


def test_the_known_answers_hold(lake: Lakehouse) -> None:
    """Every number of the data's list of known answers, and a second run has nothing to do."""
    assert {sql: rows(lake, sql)[0][0] for sql in MANIFEST} == MANIFEST
    assert lake.runner.plan(Request()).empty


def test_every_line_is_accounted_for(lake: Lakehouse, sales: list[Line]) -> None:
    """Lines are in silver, are no sales, are there already, or contradict one: 209,029 in all."""
    (known,) = rows(lake, "SELECT count(*), count(*) FILTER (is_cancellation) FROM silver.invoice_lines")
    assert known == (len(sales), sum(line["InvoiceNo"].startswith("C") for line in sales))
    assert rows(lake, "SELECT rule, count(*) FROM quarantine.records GROUP BY rule ORDER BY rule") == [
        ("key_conflict", 1),
        ("sql:has_a_price", 1_292),
    ]


def test_revenue_by_country_and_day_is_what_plain_python_adds_up(lake: Lakehouse, sales: list[Line]) -> None:
    """Invoices, cancellations and sums of all 728 groups."""
    groups: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in sales:
        groups[line["Country"], line["InvoiceDate"][:10]].append(line)
    told = []
    for (country, day), lines in sorted(groups.items()):
        numbers = {line["InvoiceNo"] for line in lines}
        cancelled = {number for number in numbers if number.startswith("C")}
        lost = sum((amount(line) for line in lines if line["InvoiceNo"] in cancelled), Decimal(0))
        net = sum(map(amount, lines), Decimal(0))
        told.append((country, day, len(numbers - cancelled), len(cancelled), net - lost, lost, net))
    found = rows(lake, "SELECT * REPLACE (day::VARCHAR AS day) FROM gold.revenue_by_country_day ORDER BY country, day")
    assert found == told


def test_cancellations_by_product_are_what_plain_python_adds_up(lake: Lakehouse, sales: list[Line]) -> None:
    """How much of each product came back, and what it was worth."""
    back: defaultdict[str, list[Line]] = defaultdict(list)
    for line in sales:
        if line["InvoiceNo"].startswith("C"):
            back[line["StockCode"]].append(line)
    told = {code: (-sum(int(x["Quantity"]) for x in of), -sum(map(amount, of))) for code, of in back.items()}
    found = rows(lake, "SELECT stock_code, cancelled, cancelled_value FROM gold.cancellations_by_product")
    assert {code: (cancelled, value) for code, cancelled, value in found} == told


def versions(changes: list[tuple[Any, str, str]]) -> Iterator[tuple[Any, str, str]]:
    """Key, value and beginning of each version: at one moment the least value counts, and what repeats is none."""
    at: dict[tuple[Any, str], str] = {}
    for key, moment, value in changes:
        at[key, moment] = min(value, at.get((key, moment), value))
    last: dict[Any, str] = {}
    for key, moment in sorted(at):
        if last.get(key) != at[key, moment]:
            last[key] = at[key, moment]
            yield key, at[key, moment], moment


def test_customers_who_moved_and_products_with_new_names_have_a_history(lake: Lakehouse, sales: list[Line]) -> None:
    """Every version of every customer and product, in order."""
    moves = [
        (int(float(line["CustomerID"])), line["InvoiceDate"], line["Country"]) for line in sales if line["CustomerID"]
    ]
    sold = [line for line in sales if not line["InvoiceNo"].startswith("C")]
    names = [(line["StockCode"], line["InvoiceDate"], line["Description"].strip()) for line in sold]
    customers = rows(lake, "SELECT customer_id, country, valid_from::VARCHAR FROM silver.customers ORDER BY 1, 3")
    products = rows(lake, "SELECT stock_code, description, valid_from::VARCHAR FROM silver.products ORDER BY 1, 3")
    assert customers == list(versions(moves))
    assert products == list(versions(names))
    moved = "SELECT customer_id FROM silver.customers GROUP BY customer_id HAVING count(*) > 1 ORDER BY customer_id"
    assert {row[0] for row in rows(lake, moved)} == {12370, 12417, 12429, 12431}
    current = rows(lake, "SELECT count(*) FROM silver.customers WHERE is_current")
    assert current == [(len({customer for customer, _, _ in moves}),)]


def test_days_in_any_order_give_the_same_tables(example: Open, days: list[Path], tmp_path: Path) -> None:
    """The first fortnight in three runs, shuffled, a day twice under another name, ends as in one."""
    chosen = days[:12]
    whole = example("retail", retail=str(days_in(tmp_path / "whole", chosen)), chinook=str(tmp_path))
    run(whole)
    random.Random(5).shuffle(chosen)
    parts = example("retail", retail=str(tmp_path / "parts"), chinook=str(tmp_path))
    for start in range(0, 12, 4):
        days_in(tmp_path / "parts", chosen[start : start + 4])
        shutil.copy(chosen[0], tmp_path / "parts" / f"again-{start}.csv.gz")
        run(parts)
    assert [rows(parts, sql) for sql in CONTENT] == [rows(whole, sql) for sql in CONTENT]


def days_in(folder: Path, days: list[Path]) -> Path:
    """The folder, with those days in it."""
    folder.mkdir(exist_ok=True)
    for day in days:
        shutil.copy(day, folder)
    return folder


def test_a_new_document_of_the_music_shop_becomes_history(example: Open, shared_data: Path, tmp_path: Path) -> None:
    """A price that rose and a track that went are versions that ended; revenue by country adds up to the cent."""
    document = json.loads(
        gzip.decompress((shared_data / "relational/chinook/ChinookData.json.gz").read_bytes()).decode("utf-8-sig")
    )
    path = tmp_path / "ChinookData.json.gz"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    lake = example("retail", retail=str(tmp_path), chinook=str(tmp_path))
    run(lake)
    spent: defaultdict[str, Decimal] = defaultdict(Decimal)
    for invoice in document["Invoice"]:
        spent[invoice["BillingCountry"]] += Decimal(str(invoice["Total"]))
    assert dict(rows(lake, "SELECT country, revenue FROM gold.chinook_revenue_by_country")) == spent
    assert rows(lake, "SELECT count(*) FROM quarantine.records") == [(0,)]

    document["Track"][0]["UnitPrice"] = 1.29
    gone = document["Track"].pop()
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    run(lake)
    ended = rows(lake, "SELECT track_id, unit_price FROM silver.chinook_tracks WHERE NOT is_current ORDER BY track_id")
    assert ended == [(1, Decimal("0.99")), (gone["TrackId"], Decimal(str(gone["UnitPrice"])))]
    now = rows(lake, "SELECT count(*), sum(unit_price) FROM silver.chinook_tracks WHERE is_current")
    assert now == [(3_502, sum(Decimal(str(track["UnitPrice"])) for track in document["Track"]))]
