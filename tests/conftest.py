"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.services import postgres as postgres_server

# How long an example takes is the machine's affair: the first of many loads what it needs.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_REQUIRED = os.environ.get("MILLPOND_REQUIRE_SERVICES") == "1"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data with known answers; skips where it is absent, fails where it must be there."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MILLPOND_SHARED_DATA", default))
    if not (folder / "MANIFEST.md").exists():
        reason = "the shared data folder is not beside the checkout (MILLPOND_SHARED_DATA names another place)"
        if _REQUIRED:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A Postgres server; skips where there are no programs of one, fails where they must be there."""
    try:
        with postgres_server.server() as made:
            yield made
    except postgres_server.MissingError as missing:
        if _REQUIRED:
            pytest.fail(str(missing))
        pytest.skip(str(missing))
