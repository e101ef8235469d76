"""What the README and the guides show is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.tour import comparable, play, rewritten, steps

ROOT = Path(__file__).parents[2]
TOURS = (
    ROOT / "README.md",
    *(ROOT / "docs" / "guides" / name for name in ("quality.md", "quarantine.md", "testing.md", "time-travel.md")),
)
PAGE = """Text

```console
$ echo one
one
$ mkdir inner
$ cd inner
$ echo "took 0.31 s" > said && cat said
took 7.2 s
```

```python
from pathlib import Path
assert Path("said").exists()
```
"""


@pytest.mark.parametrize("tour", TOURS, ids=lambda path: path.stem)
def test_the_tour_gives_what_it_shows(tour: Path, tmp_path: Path) -> None:
    """Each command of the page, run in order, prints what stands under it; `make docs` writes it anew."""
    page = tour.read_text(encoding="utf-8")
    assert sum(step.kind == "console" for step in steps(page)) >= 5
    for step, code, output in play(page, tmp_path):
        assert code in (0, 3), f"$ {step.text}\n{output}"
        if step.kind == "console":
            assert comparable(output) == comparable(step.output), f"$ {step.text}"


def test_a_page_is_read_as_commands_and_output() -> None:
    """A command's output ends at the next command or the end of the block."""
    found = [(step.kind, step.text.split("\n")[0], step.output) for step in steps(PAGE)]
    assert found == [
        ("console", "echo one", "one\n"),
        ("console", "mkdir inner", ""),
        ("console", "cd inner", ""),
        ("console", 'echo "took 0.31 s" > said && cat said', "took 7.2 s\n"),
        ("python", "from pathlib import Path", ""),
    ]


def test_durations_are_compared_as_words(tmp_path: Path) -> None:
    """Two runs never take the same time, and still say the same."""
    played = list(play(PAGE, tmp_path))
    assert [code for _, code, _ in played] == [0] * 5
    assert all(comparable(output) == comparable(step.output) for step, _, output in played)
    assert comparable("a 3 b") != comparable("a 4 b")


def test_a_page_is_rewritten_with_the_output_of_today(tmp_path: Path) -> None:
    """Only what a command printed changes."""
    page = PAGE.replace("one\n$ mkdir", "eins\n$ mkdir")
    assert rewritten(page, tmp_path) == PAGE.replace("7.2", "0.31")
