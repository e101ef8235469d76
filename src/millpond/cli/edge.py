"""The command line's edge: what is raised becomes a message with a next step, and an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from millpond.core.errors import Finding, FindingsError, MillpondError
from millpond.core.failures import as_ours
from millpond.core.plugins import lookup


class Shown(Protocol):
    """How errors are to be shown."""

    @property
    def json(self) -> bool:
        """As JSON lines."""
        ...

    @property
    def debug(self) -> bool:
        """With the traceback."""
        ...


def guarded(shown: Shown, work: Callable[[], int | None]) -> int:
    """Do the work; the exit code: 0 ok, 1 failed, 2 usage or configuration, 3 needs attention."""
    try:
        return work() or 0
    except MillpondError as failed:
        return _tell(shown, failed)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was published stays, the rest was never visible; run again to go on\n")
        return 130
    except Exception as failed:  # noqa: BLE001 - the command line's edge
        if shown.debug:
            traceback.print_exc()
        return _tell(shown, as_ours(failed))


def show_findings(findings: tuple[Finding, ...], *, as_json: bool) -> None:
    """Print findings: JSON lines to standard output, or text to standard error."""
    for finding in findings:
        if as_json:
            sys.stdout.write(json.dumps(finding.as_json()) + "\n")
        else:
            sys.stderr.write(lookup("millpond.core.excerpt:render")(finding, folder=Path.cwd()) + "\n")


def _tell(shown: Shown, failed: MillpondError) -> int:
    if shown.debug:
        traceback.print_exception(failed)
    findings = failed.findings if isinstance(failed, FindingsError) else (failed.finding,)
    show_findings(findings, as_json=shown.json)
    return failed.exit_code
