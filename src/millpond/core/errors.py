"""One tree of errors: each has a stable code, a place, and one next step.

MillpondError
├── ProjectError     MP-1xxx  what the author wrote: YAML, front matter, settings      exit 2
├── ModelError       MP-2xxx  SQL of a model: syntax, names, types, keys              exit 2
├── CatalogError     MP-3xxx  pointers, commits, table metadata                       exit 1
│   └── ConflictError         another commit came first; the work can be redone
├── EngineError      MP-4xxx  the query engine                                        exit 1
├── IngestError      MP-5xxx  sources and their bytes                                 exit 1
├── QualityError     MP-6xxx  checks and quarantine                                   exit 1
├── RunError         MP-7xxx  plans, steps, runs                                      exit 1
│   └── RequestError          what was asked for names nothing, or contradicts itself exit 2
├── AccessError      MP-8xxx  the gate                                                exit 1
├── HostError        MP-9xxx  disk, folders, versions, ports                          exit 1
└── FindingsError             several problems of one project at once                 exit 2
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from millpond.core.records import frozen

Severity = Literal["error", "warning"]


@frozen
class Location:
    """A place in a file the author wrote. Lines and columns count from 1; 0 means unknown."""

    path: Path
    line: int = 0
    column: int = 0
    length: int = 1

    def __str__(self) -> str:
        if not self.line:
            return str(self.path)
        return f"{self.path}:{self.line}:{self.column}" if self.column else f"{self.path}:{self.line}"


@frozen
class Finding:
    """One problem as it is shown: a sentence, a place, what may have been meant, and one next step."""

    code: str
    message: str
    next_step: str
    where: Location | None = None
    suggestion: str | None = None
    severity: Severity = "error"

    def as_json(self, folder: Path | None = None) -> dict[str, object]:
        """The finding as `--json` prints it: null where unknown, the file relative to `folder` where inside it."""
        path = self.where.path if self.where else None
        if path is not None and folder is not None and path.is_relative_to(folder):
            path = path.relative_to(folder)
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": path.as_posix() if path is not None else None,
            "line": (self.where.line or None) if self.where else None,
            "column": (self.where.column or None) if self.where else None,
            "suggestion": self.suggestion,
            "next_step": self.next_step,
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by file, line and column, each once."""

    def place(finding: Finding) -> tuple[str, int, int, str, str]:
        where = finding.where or Location(Path())
        return (str(where.path), where.line, where.column, finding.code, finding.message)

    return tuple(sorted(dict.fromkeys(findings), key=place))


class MillpondError(Exception):
    """The root. `code` is stable over releases and has a page under docs/errors/."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        next_step: str,
        where: Location | None = None,
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message)
        self.finding = Finding(code, message, next_step, where, suggestion)

    @property
    def code(self) -> str:
        """The stable code, such as MP-1001."""
        return self.finding.code

    def __str__(self) -> str:
        return f"{self.finding.code}: {self.finding.message}"


class ProjectError(MillpondError):
    """The project folder does not say what it should."""

    exit_code = 2


class ModelError(MillpondError):
    """A model's SQL or front matter cannot work."""

    exit_code = 2


class CatalogError(MillpondError):
    """A table, namespace or commit that the catalog cannot give or take."""


class ConflictError(CatalogError):
    """Another commit came first. Nothing was changed; the work can be done again on the new state."""


class EngineError(MillpondError):
    """The query engine refused or failed. `position` counts the bytes (UTF-8) before the place in the statement."""

    position: int | None = None


class IngestError(MillpondError):
    """A source whose bytes cannot be taken as declared."""


class QualityError(MillpondError):
    """A check stopped a step, or quarantine was asked for something it does not hold.

    `verdict` tells of a check that stopped a step: the rule, how many failed of how many.
    """

    verdict: Mapping[str, object] | None = None


class RunError(MillpondError):
    """A plan that cannot be made or a run that cannot go on."""


class RequestError(RunError):
    """A run was asked for what is not there, or for two things that exclude each other."""

    exit_code = 2


class AccessError(MillpondError):
    """The gate refused a statement or a principal."""


class HostError(MillpondError):
    """The machine: disk, folders, locks, ports, missing packages."""


class FindingsError(MillpondError):
    """Every problem found in one look, in the order of file and line."""

    exit_code = 2

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first = findings[0]
        super().__init__(first.code, first.message, next_step=first.next_step, where=first.where)
        self.findings = findings
