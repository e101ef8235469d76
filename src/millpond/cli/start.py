"""The first thing that a command's process loads: it sets up the interpreter for a process that lives a second."""

from __future__ import annotations

import gc
import os

from millpond.core.plugins import lookup


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    # To look for garbage while modules load would be a tenth of a short command.
    gc.set_threshold(400_000, 50, 100)
    # Pydantic looks for plugins in the metadata of every installed package: 25 ms, and the command line uses none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    lookup("millpond.cli.main:main")()
