"""Writes what is made from the code: docs/reference/project.md, and what commands print in README.md and guides."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tour import rewritten

from millpond.project.reference import page

ROOT = Path(__file__).parents[1]
TOURS = (
    ROOT / "README.md",
    *(ROOT / "docs" / "guides" / name for name in ("quarantine.md", "testing.md", "time-travel.md")),
)


def main() -> None:
    """Write all of them, in place."""
    reference = ROOT / "docs" / "reference" / "project.md"
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(page(), encoding="utf-8")
    for tour in TOURS:
        with tempfile.TemporaryDirectory(prefix="tour") as folder:
            tour.write_text(rewritten(tour.read_text(encoding="utf-8"), Path(folder).resolve()), encoding="utf-8")


if __name__ == "__main__":
    main()
