"""What users may import is small and pinned."""

from __future__ import annotations

import millpond

PINNED: tuple[str, ...] = ("Lakehouse", "model", "open")


def test_the_public_names_are_pinned() -> None:
    """A public name comes or goes on purpose: here, in the changelog and in the docs."""
    assert tuple(millpond.__all__) == PINNED


def test_the_public_names_are_few() -> None:
    """At most twenty names are promised."""
    assert len(PINNED) <= 20


def test_every_public_name_exists() -> None:
    """What is promised is there."""
    assert [name for name in PINNED if not hasattr(millpond, name)] == []


def test_the_package_is_marked_as_typed() -> None:
    """Type checkers of users read our annotations."""
    assert (millpond.__path__[0] + "/py.typed").endswith("py.typed")
