"""The command line's edge: what is raised becomes a message with a next step, and an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from millpond.core.errors import Finding, FindingsError, HostError, MillpondError
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
    except OSError as failed:
        return _tell(shown, _host(failed))
    except Exception as failed:  # noqa: BLE001 - the command line's edge
        if shown.debug:
            traceback.print_exc()
        return _tell(shown, _unexpected(failed))


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


def _host(failed: OSError) -> HostError:
    if failed.errno == 28:
        return HostError("MP-9002", "the disk is full", next_step="free space where the lake and .millpond/ lie")
    if isinstance(failed, PermissionError) or failed.errno == 30:
        return HostError(
            "MP-9004",
            f"{failed.filename or 'a file'} cannot be written: {failed.strerror}",
            next_step="give this user write permission, or name another folder with --project",
        )
    return HostError(
        "MP-9006", f"{failed.filename or 'the system'}: {failed.strerror or failed}", next_step="mend that, run again"
    )


def _unexpected(failed: Exception) -> HostError:
    return HostError(
        "MP-9999",
        f"an error that Millpond does not know: {type(failed).__name__}: {failed}",
        next_step="run the command again with --debug and report what it prints",
    )
