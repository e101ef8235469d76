"""Where doomed commands come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_days.doom import Nursery, compile_shim, nursery


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Runs `millpond` commands that may be killed after a time."""
    scratch = tmp_path_factory.mktemp("nursery")
    with nursery(scratch, None) as born:
        yield born


@pytest.fixture(scope="session")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Runs `millpond` commands that may be killed at any call that changes a file."""
    scratch: Path = tmp_path_factory.mktemp("counted")
    shim = compile_shim(scratch)
    if shim is None:
        pytest.skip("no C compiler (cc, gcc or clang) to make the shim that counts a process's calls")
    with nursery(scratch, shim) as born:
        yield born
