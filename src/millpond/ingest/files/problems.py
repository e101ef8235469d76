"""What is wrong with a file that cannot be read as what it should be."""

from __future__ import annotations

from millpond.core.errors import EngineError
from millpond.core.records import frozen


@frozen
class Problem:
    """Why a file is quarantined: a stable rule and a sentence that goes on from the file's name.

    `cut` where the file merely ends too early, as one does that is still being written.
    """

    rule: str
    reason: str
    cut: bool = False


_STATEMENT = ("Parser Error", "Binder Error", "Catalog Error")


def blames_file(failed: EngineError) -> bool:
    """Whether an engine's failure while it reads a file may lie in the file, not in the statement."""
    return not failed.finding.message.startswith(_STATEMENT)
