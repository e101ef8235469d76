"""Runs `millpond` commands, or other programs, in forked processes, each of which may be killed at a chosen moment.

Started as a program by `tests.bad_days.doom`; what is slow to load is loaded once, with the modules that it is given.
Orders come as JSON lines on standard input, answers go out as JSON lines on standard output.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import time
from typing import Any, NoReturn

_SLOW = (
    "duckdb",
    "fastavro",
    "millpond.catalog.gateway.server",
    "millpond.catalog.migrations.upgrade",
    "millpond.cli.main",
    "millpond.cli.running",
    "millpond.engines.duckdb",
    "millpond.governance.gate",
    "millpond.lakehouse",
    "millpond.pipeline.runner",
    "pyarrow",
    "sqlglot",
)


def main() -> None:
    """Answer orders until there are no more."""
    for name in (*_SLOW, *sys.argv[1:]):
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _command(order)
        sys.stdout.write(json.dumps({"code": _wait(child, order["seconds"])}) + "\n")
        sys.stdout.flush()


def _command(order: dict[str, Any]) -> NoReturn:
    """The command in a process group of its own, with its output in a file."""
    os.setsid()
    sys.stdin.close()
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if order["log"]:
        ctypes.CDLL(None).doom_begin(
            order["folder"].encode(), order["log"].encode(), ctypes.c_long(order["at"]), order["manner"]
        )
    if order["user"] is not None:
        os.setgroups([])
        os.setgid(order["user"])
        os.setuid(order["user"])
    sys.argv = ["millpond", *order["words"]]
    module, name = order["program"].split(":")
    try:
        getattr(importlib.import_module(module), name)()
    except SystemExit as ended:
        sys.stdout.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    os._exit(0)


def _wait(child: int, seconds: float | None) -> int:
    """The exit code of the child, negative for the signal that ended it; after `seconds` it is killed."""
    until = None if seconds is None else time.monotonic() + seconds
    while until is not None:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
