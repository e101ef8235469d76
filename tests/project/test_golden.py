"""Known bad projects, and everything that is said of each.

A file under golden/ holds a project's files and the expected findings, each under a line `=== NAME`.
`MILLPOND_UPDATE_GOLDEN=1` writes down what is said now.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from millpond.core.errors import FindingsError
from millpond.core.excerpt import render
from millpond.project.loader import load

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.txt"))
UPDATE = os.environ.get("MILLPOND_UPDATE_GOLDEN") == "1"


def sections(text: str) -> dict[str, str]:
    """The parts of a golden file by name."""
    parts = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_a_bad_project_is_told_everything_that_is_wrong(golden: Path, tmp_path: Path) -> None:
    """All findings at once, at the author's own places, each with a next step."""
    text = golden.read_text("utf-8")
    parts = sections(text)
    expected = parts.pop("findings", "")
    for name, content in parts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    with pytest.raises(FindingsError) as caught:
        load(tmp_path, environ={})
    said = "\n".join(render(finding, folder=tmp_path) for finding in caught.value.findings) + "\n"
    if UPDATE:
        golden.write_text(text.partition("=== findings\n")[0] + "=== findings\n" + said, "utf-8")
    else:
        assert said == expected
