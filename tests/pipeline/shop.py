"""A small shop whose checks reject a row on each floor, for tests of what becomes of rejected records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from millpond.pipeline.execution import Report
from millpond.testing import TemporaryLake, temporary_lake

ORDERS = (
    "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {amount: [0, 90]}\n---*/\n"
    "SELECT id::INTEGER AS id, person, amount::INTEGER AS amount FROM bronze.orders\n"
)
BY_PERSON = (
    "/*---\nkind: aggregate\nkey: [person]\nchecks:\n  - between: {amount: [0, 100]}\n---*/\n"
    "SELECT person, sum(amount)::BIGINT AS amount FROM silver.orders GROUP BY person\n"
)
FIRST = "id,person,amount\n1,ann,60\n2,bob,many\n3,ann,45\n"
EVERY = ("open", "fixed", "replayed", "discarded", "healed")


def run(lake: TemporaryLake, *rebuild: str) -> Report:
    """A run in which every step ends well."""
    report = lake.run(rebuild=rebuild)
    assert report.ok, report.failures
    return report


@contextmanager
def opened(files: dict[str, str]) -> Iterator[TemporaryLake]:
    """A shop with these files that has taken in FIRST."""
    with temporary_lake(files) as made:
        made.deliver("data/a.csv", FIRST)
        run(made)
        yield made
