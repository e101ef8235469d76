"""One new file of 42, a median one: the run that takes it in, beside the run over all of them.

    python bench/one_file.py [ROUNDS]

Goal: at most an eighth of the full run, and at most 2 seconds.
"""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

from measure import millpond, rounds_given, scratch, seconds, shared_data

SHARE, MOST = 1 / 8, 2.0


def project(folder: Path, name: str, data: Path) -> tuple[Path, list[str]]:
    """A new valleybike project and the words that run it."""
    millpond(folder, "init", name, "--template", "valleybike", "-q")
    return folder / name, ["run", "--var", f"data={data}", "--yes", "-q"]


def one_round(folder: Path, number: int, files: list[Path]) -> tuple[float, float]:
    """Seconds of the full run, and of the run after one file was added."""
    late = sorted(files, key=lambda path: path.stat().st_size)[len(files) // 2]
    data = folder / f"data{number}"
    data.mkdir()
    for path in files:
        if path != late:
            shutil.copy2(path, data)
    part, words = project(folder, f"part{number}", data)
    millpond(part, *words)
    shutil.copy2(late, data)
    added = seconds(lambda: millpond(part, *words))
    whole, words = project(folder, f"whole{number}", data)
    return seconds(lambda: millpond(whole, *words)), added


def main() -> None:
    """Measure both runs and print the ratio."""
    files = sorted((shared_data() / "mobility" / "valleybike").glob("*.csv.gz"))
    with scratch() as folder:
        pairs = [one_round(folder, number, files) for number in range(rounds_given(3))]
    full, added = (statistics.median(side) for side in zip(*pairs, strict=True))
    said = "met" if added / full <= SHARE and added <= MOST else "MISSED"
    print(
        f"one_file: one file {added:.2f} s, all 42 files {full:.2f} s, ratio {added / full:.3f}, "
        f"goal {SHARE:.3f} and {MOST:.0f} s: {said}"
    )


if __name__ == "__main__":
    main()
