"""A check written down as the YAML of front matter, and whether what was written is one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import ValidationError

from millpond.core.errors import MillpondError
from millpond.project.check import Check
from millpond.project.check_entry import CheckEntry
from millpond.project.checks import checks
from millpond.project.findings import Findings
from millpond.project.yaml_file import compose, typed

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def check_lines(entry: Mapping[str, Any], description: str | None = None) -> list[str]:
    """A check as lines of a list under `checks:`: a comment above, the kind after the dash, its other keys below."""
    lines = [f"{scalar(key)}: {_value(said)}" for key, said in entry.items()]
    told = _CONTROL.sub(" ", description or "").replace("*/", "* /").replace("/*", "/ *").split()
    above = [f"  # {line}" for line in wrap(" ".join(told), _WIDTH)]
    return [*above, *(f"  {'- ' if number == 0 else '  '}{line}" for number, line in enumerate(lines))]


def scalar(given: object) -> str:
    """A single value as YAML reads it back: text stays text, and nothing in it ends a comment or is a variable."""
    if given is None:
        return "null"
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float | Decimal):
        return _number(given)
    if isinstance(given, datetime | date):
        return given.isoformat()
    text = str(given).replace("${", "$${")
    if _PLAIN.match(text) and typed(text) == text:
        return text
    if _CONTROL.search(text) or "*/" in text or "/*" in text:
        return json.dumps(text).replace("/*", "\\x2f*").replace("*/", "*\\x2f")
    return "'" + text.replace("'", "''") + "'"


def read_back(entry: Mapping[str, Any]) -> tuple[Check, ...] | str:
    """What a model makes of a check that is written down; or, as a sentence, what is wrong with it."""
    findings = Findings()
    try:
        document = compose("\n".join(["checks:", *check_lines(entry)]), Path("checks")).build(findings)
        said = CheckEntry.model_validate(document.data["checks"][0])
        made = checks([(0, said)], "stop", document, findings)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except MillpondError as wrong:
        return wrong.finding.message
    found = findings.ordered()
    return found[0].message if found else made


def _value(given: object) -> str:
    if isinstance(given, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {_value(said)}" for key, said in given.items()) + "}"
    if isinstance(given, list | tuple):
        return "[" + ", ".join(map(_value, given)) + "]"
    return scalar(given)


def _number(given: float | Decimal) -> str:
    text = format(given, "f") if isinstance(given, Decimal) else repr(given)
    return text if "e" not in text or "." in text else text.replace("e", ".0e")
