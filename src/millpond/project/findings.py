"""Everything that is wrong with a project, collected in one look."""

from __future__ import annotations

from millpond.core.errors import Finding, FindingsError, Location, MillpondError, in_order


class Findings:
    """Problems as they are found; raised together at the end."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(
        self,
        code: str,
        message: str,
        *,
        next_step: str,
        where: Location | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Note one problem."""
        self._found.append(Finding(code, message, next_step, where, suggestion))

    def take(self, error: MillpondError) -> None:
        """Note what an error says."""
        self._found.extend(error.findings if isinstance(error, FindingsError) else (error.finding,))

    def ordered(self) -> tuple[Finding, ...]:
        """The problems by file, line and column, each once."""
        return in_order(self._found)

    def raise_if_any(self) -> None:
        """Raise FindingsError with every problem, or return."""
        if self._found:
            raise FindingsError(self.ordered())
