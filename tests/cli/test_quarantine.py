"""`quarantine fix`, `replay` and `show --raw`, as their user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Type


def test_a_record_is_fixed_and_replayed(shop: Path, type_: Type) -> None:
    """The commands say what they did, by which commit, and what comes next."""
    fixed = type_("quarantine", "fix", "--rule", "cast:amount", "--set", "amount=12.00")
    assert (fixed.code, fixed.out.split(" by commit")[0]) == (0, "fixed 1 record (cast:amount of silver.orders)")
    assert type_("quarantine", "fix", "--rule", "cast:amount", "--set", "amount=12.00").out.startswith(
        "nothing changed"
    )
    replayed = type_("quarantine", "replay", "--json")
    finished = [told for told in replayed.objects() if told["event"] == "step_finished"]
    assert (replayed.code, [(told["table"], told["work"]) for told in finished][:2]) == (
        0,
        [("bronze.orders", "replay"), ("silver.orders", "increment")],
    )
    assert all(told["commit"] for told in finished)
    assert type_("query", "SELECT amount FROM silver.orders WHERE order_id = 1007", "--json").objects() == [
        {"amount": 12.00}
    ]
    (row,) = type_("quarantine", "list", "--all", "--json").objects()
    assert (row["status"], row["revision"]) == ("replayed", 1)
    again = type_("quarantine", "replay", "--json")
    assert (again.code, again.objects()[0]["code"]) == (1, "MP-6010")


@pytest.mark.parametrize("form", ["--raw", "--csv"])
def test_what_show_prints_can_be_edited_and_given_back(shop: Path, type_: Type, form: str) -> None:
    """As JSON lines, or as CSV."""
    shown = type_("quarantine", "show", form, "--rule", "cast:amount")
    edited = shop / "edited"
    edited.write_text(shown.out.replace("paid,twelve", "paid,12.00").replace('"amount": "twelve"', '"amount": 12.00'))
    assert type_("quarantine", "fix", "--from", str(edited)).code == 0
    assert type_("quarantine", "replay", "-q").code == 0
    assert type_("query", "SELECT amount FROM silver.orders WHERE order_id = 1007", "--json").objects() == [
        {"amount": 12.00}
    ]


def test_an_error_in_an_edited_file_names_the_line(shop: Path, type_: Type) -> None:
    """File and line, what is wrong, and what may have been meant."""
    (record,) = map(json.loads, type_("quarantine", "show", "--raw", "--rule", "cast:amount").out.splitlines())
    edited = shop / "edited.ndjson"
    edited.write_text(json.dumps(record) + "\n{\n")
    (told,) = type_("quarantine", "fix", "--from", str(edited), "--json").objects()
    assert (told["code"], told["file"], told["line"]) == ("MP-6126", str(edited), 2)
    edited.write_text("\n" + json.dumps({**record, "amonut": 1}) + "\n")
    (told,) = type_("quarantine", "fix", "--from", str(edited), "--json").objects()
    assert (told["code"], told["line"], told["suggestion"]) == ("MP-6122", 2, "amount")


@pytest.mark.parametrize(
    "words",
    [
        ("fix", "--rule", "cast:amount"),
        ("fix", "--set", "amount=1"),
        ("fix", "--rule", "cast:amount", "--set", "amount=1", "--from", "x"),
        ("fix", "--from", "nowhere.ndjson"),
        ("show",),
    ],
)
def test_a_command_that_does_not_say_what_it_means_is_refused(shop: Path, type_: Type, words: tuple[str, ...]) -> None:
    """Before anything is opened or changed."""
    said = type_("quarantine", *words, "--json")
    assert (said.code, said.objects()[0]["code"]) == (2, "MP-1120")


def test_a_whole_file_takes_other_bytes(shop: Path, type_: Type) -> None:
    """And is landed under the name of its entry."""
    (shop / "data" / "orders-2026-03-09.csv").write_text("<html><body>504</body></html>\n")
    assert type_("run", "-q").code == 0
    (entry,) = (row for row in type_("quarantine", "list", "--json").objects() if row["kind"] == "file")
    mended = shop / "mended.csv"
    mended.write_text("order_id,customer_id,ordered_at,status,amount\n1050,C1,2026-03-09 08:00:00,paid,5.00\n")
    assert type_("quarantine", "fix", entry["id"][:10], "--from", str(mended), "-q").code == 0
    assert type_("quarantine", "replay", entry["id"][:10], "-q").code == 0
    assert type_("query", "SELECT amount FROM silver.orders WHERE order_id = 1050", "--json").objects() == [
        {"amount": 5.00}
    ]


def test_an_open_circuit_calls_for_attention(shop: Path, type_: Type) -> None:
    """`run`, `plan` and `ls` say so with exit code 3, until it is tried."""
    model = shop / "models" / "silver" / "orders.sql"
    model.write_text(model.read_text().replace("on_fail:", "breaker: {max_failed: 5 %, after: 1}\non_fail:"))
    ran = type_("run", "--rebuild", "silver.orders")
    assert (ran.code, "MP-6128" in ran.err) == (3, True)
    late = shop / "data" / "orders-late.csv"
    late.write_text("order_id,customer_id,ordered_at,status,amount\n1060,C1,2026-03-09 08:00:00,paid,5.00\n")
    again = type_("run", "--json")
    assert again.code == 3
    assert [told["table"] for told in again.objects() if told.get("event") == "step_finished"] == ["bronze.orders"]
    planned = type_("plan", "--json")
    assert (planned.code, [told["code"] for told in planned.objects()]) == (3, ["MP-6128"])
    listed = type_("ls")
    assert (listed.code, "circuit open since" in listed.out) == (3, True)
    tried = type_("run", "--retry", "silver.orders", "-q")
    assert (tried.code, type_("ls").code, type_("plan").code) == (0, 0, 0)
