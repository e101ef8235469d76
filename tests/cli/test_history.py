"""History, tags, differences and restores, as their user types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog

from millpond.catalog.gateway.server import Gateway
from millpond.lakehouse import open_lakehouse
from tests.cli.conftest import Type

MORE = "order_id,customer_id,ordered_at,status,amount\n2001,C1,2026-03-09 08:14:00,paid,10.00\n"


def load_more(shop: Path, type_: Type) -> None:
    """One more file, and a run."""
    (shop / "data" / "orders-2026-03-09.csv").write_text(MORE)
    assert type_("run").code == 0


@contextmanager
def other_program(shop: Path) -> Iterator[Catalog]:
    """PyIceberg, at the shop's gateway, with a namespace of its own."""
    with open_lakehouse(shop) as lake:
        gateway = Gateway(lake.catalog, open_access=True)
        try:
            other = load_catalog("lake", type="rest", uri=gateway.start(), warehouse="prod")
            other.create_namespace("s")
            yield other
        finally:
            gateway.stop()


def test_history_lists_commits_with_who_what_and_rows(shop: Path, type_: Type) -> None:
    """The newest commit first; a table's history has the commits that changed it."""
    every = type_("history", "--json").objects()
    assert [commit["number"] for commit in every] == sorted((c["number"] for c in every), reverse=True)
    (built,) = type_("history", "silver.orders", "--json").objects()
    assert (built["kind"], built["table"], built["client"]) == ("append", "silver.orders", "millpond")
    assert "silver.orders" in built["tables"]
    assert built["rows_in"] == built["ledger"]["staged"]
    assert built["step"] == f"{built['run']}/silver.orders"
    told = type_("history", "--limit", "1").out.splitlines()
    assert len(told) == 3
    assert "gold." in told[2]


def test_history_counts_the_rows_of_other_programs(shop: Path, type_: Type) -> None:
    """As their snapshots say: they have no ledger."""
    with other_program(shop) as other:
        rows = pa.table({"id": [1, 2, 3]})
        other.create_table("s.t", rows.schema).append(rows)
    commit, made = type_("history", "s.t", "--json").objects()
    assert (commit["rows_in"], commit["rows_out"], commit["rows_gone"], commit["ledger"]) == (3, 3, 0, None)
    assert (made["rows_in"], made["rows_out"], made["rows_gone"]) == (None, None, None)
    assert type_("history", "--limit", "1").out.splitlines()[2].split()[-3:] == ["3", "3", "0"]


def test_every_reader_takes_a_number_a_time_and_a_tag(shop: Path, type_: Type) -> None:
    """`query`, `show`, `ls` and `quarantine` read the lake as it was."""
    assert type_("tag", "before").out.startswith("before names commit")
    rejected = type_("quarantine", "list", "--json").objects()
    number = type_("tag", "--json").objects()[0]["number"]
    time = type_("history", "--json").objects()[0]["at"]
    load_more(shop, type_)
    for at in ("before", str(number), time):
        (count,) = type_("query", "SELECT count(*) AS n FROM silver.orders", "--at", at, "--json").objects()
        assert count["n"] == 8
        (shown,) = type_("show", "silver.orders", "--at", at, "--json").objects()
        assert shown["commit"] <= number
        assert {row["commit"] for row in type_("ls", "--at", at, "--json").objects()} <= set(range(number + 1))
        assert type_("quarantine", "list", "--at", at, "--json").objects() == rejected
        assert type_("quarantine", "show", rejected[0]["id"], "--at", at).code == 0
    refused = type_("query", "SELECT 1", "--at", "befor")
    assert (refused.code, "MP-8010" in refused.err, "before" in refused.err) == (1, True, True)
    assert "MP-8016" in type_("ls", "--at", "999").err
    early = type_("query", "FROM silver.orders", "--at", "1").err
    assert "there is no table silver.orders as of commit 1" in early
    assert "millpond ls --at 1" in early


def test_tags_are_given_listed_and_taken_away(shop: Path, type_: Type) -> None:
    """A tag names one commit; a second name for it is fine, another commit for the name is not."""
    assert type_("tag", "start", "--at", "1").code == 0
    assert type_("tag", "start", "--at", "1").code == 0
    assert "MP-3072" in type_("tag", "start", "--at", "2").err
    assert "MP-3071" in type_("tag", "12", "--at", "2").err
    assert [tag["name"] for tag in type_("tag", "--list", "--json").objects()] == ["start"]
    assert "start" in type_("history").out
    assert type_("tag", "--delete", "start").code == 0
    assert "MP-3073" in type_("tag", "--delete", "start").err
    assert "no tags yet" in type_("tag").out


def test_diff_shows_rows_that_came_and_changed(shop: Path, type_: Type) -> None:
    """Rows of a table with a key are paired by it; the sentence at the end counts them."""
    type_("tag", "before")
    load_more(shop, type_)
    (came,) = type_("diff", "silver.orders", "--at", "before", "--json").objects()
    assert (came["change"], came["before"], came["after"]["order_id"]) == ("inserted", None, 2001)
    changed = type_("diff", "gold.revenue_by_day", "--at", "before", "--json").objects()
    assert {row["change"] for row in changed} == {"inserted"}
    countries = type_("diff", "gold.revenue_by_country", "--at", "before")
    assert "~" in countries.out
    assert "->" in countries.out
    assert "1 changed in gold.revenue_by_country between commits" in countries.out
    back = type_("diff", "silver.orders", "--at", "1000000", "--to", "before")
    assert "MP-8016" in back.err
    same = type_("diff", "silver.orders", "--at", "before", "--to", "before")
    assert same.out.startswith("no difference")


def test_restore_asks_shows_and_goes_back(shop: Path, type_: Type) -> None:
    """Without --yes nothing changes; with it the lake is what it was, and a run brings it forward again."""
    type_("tag", "before")
    load_more(shop, type_)
    after = type_("query", "FROM gold.revenue_by_country ORDER BY ALL", "--json").out
    assert "go back" in type_("restore", "--all", "--to", "before", "--dry-run").out
    refused = type_("restore", "--all", "--to", "before")
    assert (refused.code, "MP-1095" in refused.err) == (2, True)
    assert "MP-1094" in type_("restore", "--to", "before", "--yes").err
    assert type_("query", "FROM gold.revenue_by_country ORDER BY ALL", "--json").out == after
    done = type_("restore", "--all", "--to", "before", "--yes", "--json").objects()
    assert done[-1]["restored"] == done[-1]["commit"] - 5
    assert type_("query", "SELECT count(*) AS n FROM silver.orders", "--json").objects() == [{"n": 8}]
    assert json.loads(type_("history", "--limit", "1", "--json").out)["kind"] == "restore"
    assert type_("run").code == 0
    assert type_("query", "FROM gold.revenue_by_country ORDER BY ALL", "--json").out == after


def test_a_tables_past_is_told_after_it_was_dropped_or_renamed(shop: Path, type_: Type) -> None:
    """By its whole name; other programs' tables may have capitals in theirs."""
    with other_program(shop) as other:
        rows = pa.table({"id": [1, 2, 3]})
        other.create_table("s.Orders", rows.schema).append(rows)
        other.rename_table("s.Orders", "s.Sold")
        other.drop_table("gold.revenue_by_country")
    dropped, built = type_("history", "gold.revenue_by_country", "--json").objects()
    assert (built["kind"], dropped["kind"], dropped["tables"]) == ("replace", "external", ["gold.revenue_by_country"])
    renamed, *_ = type_("history", "s.Orders", "--json").objects()
    assert renamed["tables"] == ["s.Orders", "s.Sold"]
    assert (renamed["rows_in"], renamed["rows_out"], renamed["rows_gone"]) == (None, None, None)
    for name in ("s.Sold", "s.sold", "Sold"):
        assert type_("history", name, "--json").objects() == [renamed]
    assert "MP-8011" in type_("history", "gold.nothing").err


def test_a_tag_needs_a_commit_and_one_wish_at_a_time(shop: Path, type_: Type) -> None:
    """Commit 0 is the empty lake, also when a time says it; nothing that was typed is passed over."""
    for at in ("0", "1999-01-01"):
        assert "MP-3077" in type_("tag", "start", "--at", at).err
    type_("tag", "old")
    for words in (("new", "--delete", "old"), ("new", "--list"), ("--list", "--delete", "old"), ("--at", "1")):
        refused = type_("tag", *words)
        assert (refused.code, "MP-1097" in refused.err) == (2, True)
    assert [tag["name"] for tag in type_("tag", "--json").objects()] == ["old"]


@pytest.mark.parametrize(
    "words",
    [
        ("history", "--limit", "9223372036854775808"),
        ("diff", "silver.orders", "--at", "1", "--limit", "9223372036854775808"),
        ("runs", "--limit", "0"),
        ("show", "silver.orders", "--limit", "-1"),
    ],
)
def test_how_many_is_a_number_that_makes_sense(words: tuple[str, ...], shop: Path, type_: Type) -> None:
    """Else it is told as a matter of usage, before anything is asked."""
    refused = type_(*words)
    assert (refused.code, "--limit" in refused.err) == (2, True)
