"""Copies of the example projects, each in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from millpond.lakehouse import Lakehouse, open_lakehouse

EXAMPLES = Path(__file__).parents[2] / "examples"

Open = Callable[..., Lakehouse]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Opens a copy of an example, `example("retail", data="/folder")`, without the state of a run."""
    with ExitStack() as opened:

        def copy(name: str, **variables: str) -> Lakehouse:
            folder = tmp_path_factory.mktemp(name) / name
            shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(".millpond"))
            return opened.enter_context(open_lakehouse(folder, variables=variables))

        yield copy
