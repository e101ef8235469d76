"""What was raised and is no error of ours, told as one that is: for the edges where everything must be told."""

from __future__ import annotations

import errno

from millpond.core.errors import HostError, MillpondError


def as_ours(failed: Exception) -> MillpondError:
    """The error of Millpond's tree that says what the exception means."""
    if isinstance(failed, MillpondError):
        return failed
    if isinstance(failed, OSError):
        return _of_the_machine(failed)
    return HostError(
        "MP-9999",
        f"an error that Millpond does not know: {type(failed).__name__}: {failed}",
        next_step="run the command again with --debug and report what it prints",
    )


def _of_the_machine(failed: OSError) -> HostError:
    if failed.errno == errno.ENOSPC:
        return HostError("MP-9002", "the disk is full", next_step="free space where the lake and .millpond/ lie")
    if isinstance(failed, PermissionError) or failed.errno == errno.EROFS:
        return HostError(
            "MP-9004",
            f"{failed.filename or 'a file'} cannot be written: {failed.strerror}",
            next_step="give this user write permission, or name another folder with --project",
        )
    return HostError(
        "MP-9006", f"{failed.filename or 'the system'}: {failed.strerror or failed}", next_step="mend that, run again"
    )
