"""Frozen records: what a frozen dataclass promises, and nothing less."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from functools import cached_property

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.records import frozen


@frozen
class Reading:
    """One record of ours."""

    bike: str
    charge: int = 100
    notes: tuple[str, ...] = field(default_factory=tuple)
    raw: bytes = field(default=b"", compare=False, repr=False)

    @cached_property
    def low(self) -> bool:
        """What is kept beside the fields."""
        return self.charge < 30


@dataclass(frozen=True)
class Twin:
    """The same record as the standard library makes it."""

    bike: str
    charge: int = 100
    notes: tuple[str, ...] = field(default_factory=tuple)
    raw: bytes = field(default=b"", compare=False, repr=False)


@frozen
class Nothing:
    """A record without fields."""


@frozen
class Later(Reading):
    """A record that adds to another."""

    seconds: float = 0.0


VALUES = st.tuples(st.sampled_from(("SC000001", "EB000002")), st.integers(0, 2), st.tuples(st.text()), st.binary())


@given(VALUES, VALUES)
def test_records_are_equal_hashed_and_shown_as_frozen_dataclasses_are(first: tuple, second: tuple) -> None:  # type: ignore[type-arg]
    """Fields that are not compared, or not shown, are left out of both."""
    one, other = Reading(*first), Reading(*second)
    assert (one == other) == (Twin(*first) == Twin(*second))
    assert one == Reading(*first)
    assert hash(one) == hash(Reading(*first))
    assert (hash(one) == hash(other)) == (hash(Twin(*first)) == hash(Twin(*second)))
    assert repr(one) == repr(Twin(*first)).replace("Twin", "Reading")
    assert asdict(one) == asdict(Twin(*first))
    assert [each.name for each in fields(one)] == [each.name for each in fields(Twin)]


def test_no_field_can_be_set_again_and_none_taken_away() -> None:
    """Nor can another attribute be added; what is made once and kept can."""
    one = Reading("SC000001", 12)
    for name in ("bike", "charge", "raw", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, "x")
    with pytest.raises(FrozenInstanceError):
        del one.bike  # type: ignore[misc]
    assert one.low
    assert one == Reading("SC000001", 12)


def test_records_of_two_classes_are_never_equal() -> None:
    """Even where one has all fields of the other."""
    assert Reading("SC000001") != Later("SC000001")
    assert Reading("SC000001") != Twin("SC000001")
    assert Nothing() == Nothing()
    assert Nothing() != object()
    assert len({Nothing(), Nothing()}) == 1


def test_records_are_copied_changed_and_sent_to_other_processes() -> None:
    """As dataclasses are."""
    one = Later("SC000001", 12, ("late",), b"raw", 1.5)
    assert replace(one, charge=13) == Later("SC000001", 13, ("late",), b"raw", 1.5)
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert Reading.__match_args__ == ("bike", "charge", "notes", "raw")
