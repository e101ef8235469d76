"""A program that forks a table of a lake unless that is done: --project FOLDER. It complains as commands do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from millpond.cli.edge import guarded
from millpond.core.names import TableName
from millpond.lakehouse import open_lakehouse
from tests.bad_days.small import GOOD

FORK = TableName("gold", "fork")


def main() -> None:
    """Fork, and tell of it."""

    def work() -> int:
        with open_lakehouse(Path(sys.argv[-1])) as lake:
            if lake.catalog.find(FORK) is None:
                entry = lake.forks.fork(GOOD, FORK)
                sys.stdout.write(json.dumps({"event": "step_finished", "commit": entry.commit}) + "\n")
        return 0

    sys.exit(guarded(SimpleNamespace(json=True, debug=False), work))
