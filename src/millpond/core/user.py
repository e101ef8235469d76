"""Who runs this process."""

from __future__ import annotations

import getpass
import os


def current_user() -> str:
    """The user's name; in a container the number may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
