"""The first thing that a command's process loads: it sets up the interpreter for a process that lives a second."""

from __future__ import annotations

import gc
import os

from millpond.core.plugins import lookup


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    # A short command loads more than it makes: there is next to no garbage to look for.
    gc.set_threshold(400_000, 50, 100)
    # Pydantic looks for plugins in the metadata of every installed package, and the command line uses none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    lookup("millpond.cli.main:main")()
