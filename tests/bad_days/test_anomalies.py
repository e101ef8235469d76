"""The checker of histories, on histories made by hand: what is right passes, and each anomaly is called by its name."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.bad_days.anomalies import anomalies
from tests.bad_days.history import Append, Diary, Outcome, Read, Step, Transaction, Version, transactions

OVERLAPPING = (0, 1000)


def did(name: str, *steps: Step, at: tuple[int, int] = OVERLAPPING, outcome: Outcome = "ok") -> Transaction:
    """A transaction; unless `at` says otherwise, at the same time as all others."""
    return Transaction(name, outcome, *at, steps)


def a(key: str, value: int) -> Append:
    return Append(key, value)


def r(key: str, *values: int) -> Read:
    return Read(key, values)


def lists(**keys: list[tuple[int, ...]]) -> dict[str, list[Version]]:
    """What each list's commits brought; their numbers count over all lists, in the order in which they stand here."""
    number = itertools.count(1)
    return {key: [Version(next(number), values) for values in commits] for key, commits in keys.items()}


def kinds(history: list[Transaction], versions: dict[str, list[Version]]) -> list[str]:
    """The kinds of anomalies that are found."""
    return [anomaly.kind for anomaly in anomalies(history, versions)]


def test_one_after_the_other_is_right() -> None:
    """Appends and reads of two lists, each in its time, and a transaction over both in one commit."""
    history = [
        did("one", a("x", 1), at=(0, 10)),
        did("two", r("x", 1), a("x", 2), at=(20, 30)),
        did("three", r("x", 2, 1), r("y"), a("x", 3), a("y", 4), r("x", 1, 2, 3), at=(40, 50)),
        did("four", r("x", 1, 2, 3), r("y", 4), at=(60, 70)),
    ]
    versions = {"x": [Version(1, (1,)), Version(2, (2,)), Version(3, (3,))], "y": [Version(3, (4,))]}
    assert anomalies(history, versions) == []


def test_at_once_in_any_order_is_right() -> None:
    """Who is at work at the same time may come in any order, and may have read before or after the others."""
    history = [did("one", a("x", 1)), did("two", r("x", 2), a("x", 1_2)), did("three", a("x", 2)), did("four", r("x"))]
    assert anomalies(history, lists(x=[(2,), (12,), (1,)])) == []


@pytest.mark.parametrize("came", [[], [(2,)]])
def test_of_an_unknown_outcome_both_are_right(came: list[tuple[int, ...]]) -> None:
    """It may be in, also long after the client gave up, or not."""
    history = [
        did("one", a("x", 1), at=(0, 10)),
        did("two", a("x", 2), at=(0, 10), outcome="unknown"),
        did("three", r("x", 1), at=(20, 30)),
    ]
    assert anomalies(history, lists(x=[(1,), *came])) == []


def test_a_refused_append_that_is_nowhere_is_right() -> None:
    """What it read does not count either."""
    history = [did("one", a("x", 1)), did("two", r("x", 7), a("x", 2), outcome="fail")]
    assert anomalies(history, lists(x=[(1,)])) == []


def test_a_lost_append() -> None:
    """It was acknowledged and no commit has it."""
    assert kinds([did("one", a("x", 1)), did("two", a("x", 2))], lists(x=[(2,)])) == ["lost append"]


def test_a_duplicated_append() -> None:
    """Two commits have it, or a reader sees it twice."""
    assert "duplicated append" in kinds([did("one", a("x", 1))], lists(x=[(1,), (1,)]))
    assert "duplicated append" in kinds([did("one", a("x", 1)), did("two", r("x", 1, 1))], lists(x=[(1,)]))


def test_a_refused_append_that_is_there() -> None:
    """The client was told that it is not, and may have tried again."""
    assert kinds([did("one", a("x", 1), outcome="fail")], lists(x=[(1,)])) == ["refused append"]


def test_an_append_that_nobody_made() -> None:
    """A commit has a number that is in no log."""
    assert kinds([], lists(x=[(1,)])) == ["unknown append"]


@pytest.mark.parametrize("outcome", ["ok", "unknown"])
def test_a_torn_transaction(outcome: Outcome) -> None:
    """Half of it is in; or both halves are, and not together."""
    one = did("one", a("x", 1), a("y", 2), outcome=outcome)
    assert "torn transaction" in kinds([one], lists(x=[(1,)]))
    assert "torn transaction" in kinds([one], lists(x=[(1,)], y=[(2,)]))
    assert kinds([one], {"x": [Version(1, (1,))], "y": [Version(1, (2,))]}) == []


def test_an_aborted_read() -> None:
    """G1a: somebody saw what was refused."""
    history = [did("one", a("x", 1), outcome="fail"), did("two", r("x", 1))]
    assert "aborted read" in kinds(history, lists(x=[]))


def test_a_dirty_read() -> None:
    """Somebody saw what never came in."""
    history = [did("one", a("x", 1), outcome="unknown"), did("two", r("x", 1))]
    assert "dirty read" in kinds(history, lists(x=[]))


def test_an_intermediate_read() -> None:
    """G1b: somebody saw half of a commit."""
    history = [did("one", a("x", 1), a("x", 2)), did("two", r("x", 1))]
    assert kinds(history, lists(x=[(1, 2)])) == ["intermediate read"]


def test_a_gap() -> None:
    """Somebody saw what came later and not what came before it."""
    history = [did("one", a("x", 1)), did("two", a("x", 2)), did("three", r("x", 2))]
    assert kinds(history, lists(x=[(1,), (2,)])) == ["gap"]


def test_a_transaction_that_does_not_see_itself() -> None:
    """Its own append must be there when it reads, and not before."""
    assert kinds([did("one", a("x", 1), r("x"))], lists(x=[(1,)])) == ["internal"]
    assert kinds([did("one", r("x", 1), a("x", 1))], lists(x=[(1,)])) == ["internal"]


def test_a_lost_update() -> None:
    """Two read the same state and both appended: one of them decided on what was no longer so."""
    history = [did("zero", a("x", 0)), did("one", r("x", 0), a("x", 1)), did("two", r("x", 0), a("x", 2))]
    assert kinds(history, lists(x=[(0,), (1,), (2,)])) == ["lost update"]


def test_a_cycle_of_appends() -> None:
    """G0: each comes before the other."""
    history = [did("one", a("x", 1), a("y", 1)), did("two", a("x", 2), a("y", 2))]
    versions = {"x": [Version(1, (1,)), Version(2, (2,))], "y": [Version(1, (2,)), Version(2, (1,))]}
    assert "G0" in kinds(history, versions)


def test_a_cycle_of_information() -> None:
    """G1c: each saw what the other appended."""
    history = [did("one", a("x", 1), r("y", 2)), did("two", a("y", 2), r("x", 1))]
    assert kinds(history, lists(x=[(1,)], y=[(2,)])) == ["G1c"]


def test_a_read_of_two_moments() -> None:
    """G-single: one list as it was before a transaction, the other as it was after it."""
    history = [did("one", a("x", 1), a("y", 2)), did("two", r("x", 1), r("y"))]
    versions = {"x": [Version(1, (1,))], "y": [Version(1, (2,))]}
    assert kinds(history, versions) == ["G-single"]


def test_the_same_read_twice_with_two_answers() -> None:
    """A transaction that sees another come in between is not before it and not after it."""
    assert kinds([did("one", a("x", 1)), did("two", r("x"), r("x", 1))], lists(x=[(1,)])) == ["G-single"]


def test_a_skew_of_writes() -> None:
    """G2: each did not see what the other appended, though each read where the other wrote."""
    history = [did("one", r("x"), a("y", 1)), did("two", r("y"), a("x", 2))]
    assert set(kinds(history, lists(x=[(2,)], y=[(1,)]))) == {"G2"}


def test_a_read_that_is_behind() -> None:
    """An append was acknowledged before somebody asked, who does not see it."""
    history = [did("one", a("x", 1), at=(0, 10)), did("two", r("x"), at=(20, 30))]
    assert kinds(history, lists(x=[(1,)])) == ["real time G-single"]


def test_appends_in_the_wrong_order() -> None:
    """An append that was acknowledged before another was asked for comes in after it."""
    history = [did("one", a("x", 1), at=(0, 10)), did("two", a("x", 2), at=(20, 30))]
    assert kinds(history, lists(x=[(2,), (1,)])) == ["real time G0"]


def test_a_cycle_that_goes_far() -> None:
    """Through a hundred transactions that are otherwise right, and through them alone."""
    chain = [did(f"t{n}", r(f"k{n}", n), a(f"k{n + 1}", n + 1)) for n in range(100)]
    versions = lists(**{f"k{n + 1}": [(n + 1,)] for n in range(100)})
    assert kinds([did("first", a("k0", 0)), *chain], {"k0": [Version(0, (0,))], **versions}) == []
    closed = did("first", a("k0", 0), r("k100", 100))
    (found,) = anomalies([closed, *chain], {"k0": [Version(0, (0,))], **versions})
    assert found.kind == "G1c"
    assert found.told.count("->") == 101


def test_a_number_is_appended_once() -> None:
    """Else nothing could be told of it."""
    with pytest.raises(ValueError, match="unique"):
        anomalies([did("one", a("x", 1)), did("two", a("x", 1))], lists(x=[(1,)]))


def test_a_diary_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Also of a client that was killed before it heard, and in the middle of a line."""
    diary = Diary(tmp_path / "w.diary", "w")
    diary.begin()
    diary.read("x", [1, 2])
    diary.append("x", 3)
    diary.end("ok")
    diary.begin()
    diary.append("x", 4)
    with diary.path.open("a") as file:
        file.write('{"name": "w/2", "ki')
    one, two = transactions(tmp_path)
    assert (one.name, one.outcome, one.steps) == ("w/1", "ok", (Read("x", (1, 2)), Append("x", 3)))
    assert (two.name, two.outcome, two.steps) == ("w/2", "unknown", (Append("x", 4),))
    assert one.began < one.ended < two.began
