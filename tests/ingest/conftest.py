"""What every test of landing may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.plain import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose source reads everything in `data/`."""
    (tmp_path / "data").mkdir()
    return Lake(tmp_path)
