"""`test`, as its user sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Type

WRONG = """model: gold.revenue_by_day
tests:
  a wrong sum:
    given:
      silver.orders:
        - {order_id: 1, customer_id: C1, ordered_at: 2026-03-01 08:14:00, status: paid, amount: 24.90}
    expect:
      - {day: 2026-03-01, orders: 2, revenue: 24.90}
"""


def test_a_failing_test_shows_the_difference(shop: Path, type_: Type) -> None:
    """The exit code is 1; the row is shown with what was meant and what is, and where the test stands."""
    (shop / "tests" / "wrong.yaml").write_text(WRONG)
    said = type_("test")
    assert said.code == 1
    assert "✘ wrong: a wrong sum" in said.out
    assert "tests/wrong.yaml:3" in said.out
    assert "2 -> 1" in said.out
    assert "1 test passed, 1 failed" in said.err
    right, wrong = type_("test", "--json").objects()
    assert (right["outcome"], wrong["outcome"], wrong["line"]) == ("passed", "failed", 3)
    (pair,) = wrong["rows"]["changed"]
    assert (pair["meant"]["orders"], pair["is"]["orders"]) == (2, 1)


def test_tests_are_chosen_by_name_file_and_model(shop: Path, type_: Type) -> None:
    """Or a glob of these; a name that is none is answered with the nearest."""
    (shop / "tests" / "wrong.yaml").write_text(WRONG)
    for words, number in (
        (("orders",), 1),
        (("silver.orders",), 1),
        (("a wrong*",), 1),
        (("revenue_by_day", "orders"), 2),
    ):
        assert len(type_("test", *words, "--json").objects()) == number
    (told,) = type_("test", "ordres", "--json").objects()
    assert (told["code"], told["suggestion"]) == ("MP-6130", "orders")


def test_no_tests_say_how_to_begin(shop: Path, type_: Type) -> None:
    """And are no failure."""
    (shop / "tests" / "orders.yaml").unlink()
    said = type_("test")
    assert (said.code, "--record MODEL" in said.out) == (0, True)


@pytest.mark.parametrize("model", ["silver.orders", "silver.customers", "gold.revenue_by_country"])
def test_a_test_is_recorded_from_real_rows(shop: Path, type_: Type, model: str) -> None:
    """It passes, takes a rejected row in, is never written over, and editors know its form."""
    said = type_("test", "--record", model, "--name", "recorded", "--rows", "3")
    assert (said.code, said.err) == (0, "")
    text = (shop / "tests" / "recorded.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../.millpond/schema/test.json\n")
    assert ("cast:amount" in text) == (model == "silver.orders")
    assert type_("test", "recorded").code == 0
    assert type_("check").code == 0
    again = type_("test", "--record", model, "--name", "recorded", "--json")
    assert (again.code, again.objects()[0]["code"]) == (2, "MP-1127")


def test_nothing_is_recorded_of_what_is_not_there(shop: Path, type_: Type) -> None:
    """No such model, or a table that it reads is not built."""
    assert type_("test", "--record", "silver.order", "--json").objects()[0]["code"] == "MP-1121"
    (shop / "models" / "gold" / "top.sql").write_text("SELECT count(*) AS n FROM gold.later\n")
    (shop / "models" / "gold" / "later.sql").write_text("SELECT 1 AS n FROM silver.orders\n")
    assert type_("test", "--record", "gold.top", "--json").objects()[0]["code"] == "MP-6131"


def test_check_looks_at_tests_without_doing_them(shop: Path, type_: Type) -> None:
    """What could not be tried is told at its place; a wrong expectation is none of its business."""
    (shop / "tests" / "wrong.yaml").write_text(WRONG)
    assert type_("check").out == "2 sources, 4 models, 2 tests: nothing wrong\n"
    (shop / "tests" / "wrong.yaml").write_text(WRONG.replace("orders: 2", "order: 2"))
    said = type_("check", "--json")
    (told,) = said.objects()
    assert (said.code, told["code"], told["line"], told["column"]) == (2, "MP-1125", 8, 27)
    (shop / "tests" / "wrong.yaml").write_text("model: gold.revenue_by_day\nexpcet: []\n")
    assert "MP-1006" in {told["code"] for told in type_("check", "--json").objects()}
    assert type_("test", "--json").code == 2
