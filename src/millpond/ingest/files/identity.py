"""What makes two files the same: the hash of their content, and of the settings that they are read with."""

from __future__ import annotations

import hashlib
import json

from millpond.project.model import Source

_PARSER = 1
"""Raised when the same bytes under the same settings would be read differently than before."""
_SETTINGS = {"format", "compression", "csv", "columns"}


def parser_hash(source: Source) -> str:
    """The hash of everything in a source's settings that decides what a file's bytes become."""
    settings = source.settings.model_dump(mode="json", include=_SETTINGS)
    document = json.dumps({"parser": _PARSER, **settings}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(document.encode()).hexdigest()[:32]
