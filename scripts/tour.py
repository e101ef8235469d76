"""The console blocks of a page, run again: each command in order, in one scratch folder.

A block begins with ```console; a line `$ command` is run, the lines after it are its output. Blocks of ```python are
run in the folder where the last command stood. Durations, moments, ids and folders differ from run to run and are
compared as words.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?"), "MOMENT"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|seconds)\b"), "DURATION"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"), "ID"),
    (re.compile(r"[─━]+"), "─"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r" +$", re.MULTILINE), ""),
)


@dataclass(frozen=True)
class Step:
    """One thing that a page does: a command with its output, or a piece of Python."""

    kind: str
    text: str
    output: str
    start: int
    end: int
    """Where the output stands in the page, so that it can be written anew."""


def steps(page: str) -> Iterator[Step]:
    """Every command and piece of Python, in order."""
    for block in _BLOCK.finditer(page):
        kind, body, offset = block[1], block[2], block.start(2)
        if kind == "python":
            yield Step(kind, body, "", offset, offset)
            continue
        for command in re.finditer(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE):
            yield Step(kind, command[1], command[2], offset + command.start(2), offset + command.end(2))


def play(page: str, folder: Path) -> Iterator[tuple[Step, int, str]]:
    """Run each step in the folder; the step, its exit code and what it printed."""
    beside = Path(sys.executable).parent
    environ = {
        "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LOGNAME": "ann",
        "COLUMNS": "110",
        "NO_COLOR": "1",
        "LANG": "C.UTF-8",
    }
    here = folder
    for step in steps(page):
        if step.kind == "console" and step.text.startswith("cd "):
            here = here / step.text[3:].strip()
            yield step, 0, ""
            continue
        words = ["sh", "-c", step.text] if step.kind == "console" else [sys.executable, "-c", step.text]
        done = subprocess.run(
            words, cwd=here, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        yield step, done.returncode, tidy(done.stdout, folder)


def tidy(output: str, folder: Path) -> str:
    """Output as a page shows it: no scratch folder, no blank ends."""
    shown = output.replace(f"{folder}/", "").replace(str(folder), "~")
    lines = [line.rstrip() for line in shown.split("\n")]
    return "\n".join(lines).strip("\n") + "\n" if shown.strip() else ""


def comparable(output: str) -> str:
    """Output with everything that differs from run to run replaced by a word."""
    for pattern, word in _VARYING:
        output = pattern.sub(word, output)
    return output.strip()


def rewritten(page: str, folder: Path) -> str:
    """The page with the output of today."""
    parts, at = [], 0
    for step, code, output in play(page, folder):
        if code not in (0, 3):
            raise SystemExit(f"{step.text}\nexit {code}\n{output}")
        if step.kind == "console":
            parts += [page[at : step.start], output]
            at = step.end
    return "".join([*parts, page[at:]])
