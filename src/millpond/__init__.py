"""Millpond turns a folder of SQL and YAML into a governed lakehouse."""

from typing import TYPE_CHECKING, Any

from millpond.core.plugins import lookup

if TYPE_CHECKING:
    from millpond.lakehouse import Lakehouse
    from millpond.lakehouse import open_lakehouse as open  # noqa: A004 - read as millpond.open
    from millpond.project.declaring import model

__all__ = ["Lakehouse", "model", "open"]

_PUBLIC = {
    "Lakehouse": "millpond.lakehouse:Lakehouse",
    "model": "millpond.project.declaring:model",
    "open": "millpond.lakehouse:open_lakehouse",
}


def __getattr__(name: str) -> Any:
    """The public names, loaded when first used, so that `import millpond` costs nothing."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'millpond' has no attribute {name!r}")
    return lookup(_PUBLIC[name])
