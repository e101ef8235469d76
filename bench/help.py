"""`millpond --help` beside `python -c pass`: at most 0.2 s more."""

from __future__ import annotations

import sys

from measure import MILLPOND, in_turn, rounds_given, run

GOAL = 0.2


def main() -> None:
    """Measure both sides in turn and print the difference."""
    rounds = rounds_given(15)
    times = in_turn(
        {
            "millpond --help": lambda _: run([MILLPOND, "--help"]),
            "python -c pass": lambda _: run([sys.executable, "-c", "pass"]),
        },
        rounds,
    )
    ours, theirs = times["millpond --help"], times["python -c pass"]
    said = "met" if ours - theirs <= GOAL else "MISSED"
    print(
        f"help: millpond --help {ours:.3f} s, python -c pass {theirs:.3f} s, "
        f"ratio {ours / theirs:.1f}, {ours - theirs:.3f} s more, goal {GOAL} s more: {said}"
    )


if __name__ == "__main__":
    main()
