"""Late loading of heavy libraries and optional adapters, in one place."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from millpond.core.errors import HostError


def load(module: str, *, extra: str | None = None) -> ModuleType:
    """Import a module when it is first needed.

    Raises HostError MP-9001 with the install command when the package is missing.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("millpond"):
            raise
        package = f"millpond[{extra}]" if extra else (missing.name or module)
        raise HostError(
            "MP-9001",
            f"the package {missing.name!r} is not installed",
            next_step=f"pip install '{package}'",
        ) from missing


def lookup(path: str, *, extra: str | None = None) -> Any:
    """The object that `package.module:name` points at, imported when first needed."""
    module, _, name = path.partition(":")
    return getattr(load(module, extra=extra), name)
