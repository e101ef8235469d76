"""Secrets are named in a project's files and never written there."""

from __future__ import annotations

import re
from collections.abc import Mapping

from millpond.core.errors import Location
from millpond.project.findings import Findings
from millpond.project.variables import Declaration
from millpond.project.yaml_file import Document

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_USER = re.compile(r"[A-Za-z0-9+]+://(?P<user>.*)@", re.DOTALL)
_QUERY = re.compile(r"[?&](?:ssl)?password=(?P<password>[^&]*)")
_DEPTH = 8


def check_catalog(document: Document, declared: Mapping[str, Declaration], findings: Findings) -> None:
    """Note MP-1060 where the file holds the catalog's password. `document` is as written, without substitution."""
    section = document.data.get("catalog") if isinstance(document.data, dict) else None
    url = section.get("url") if isinstance(section, dict) else None
    if not isinstance(url, str):
        return
    for _ in range(_DEPTH):
        url = _REFERENCE.sub(lambda found: declared[found[1]].value if found[1] in declared else found[0], url)
    if any(_REFERENCE.sub("", password) for password in _passwords(url)):
        line = document.value_place(("catalog", "url")).line
        findings.add(
            "MP-1060",
            f"the password of the catalog is written in this file, by catalog.url in line {line}",
            next_step="write ${NAME} in its place, give NAME by the process's environment, and change the password",
            where=Location(document.path),  # no line: an excerpt would show the password
        )


def _passwords(url: str) -> list[str]:
    found = [match["password"] for match in _QUERY.finditer(url)]
    user = _USER.match(url)
    return [*found, user["user"].partition(":")[2]] if user else found
