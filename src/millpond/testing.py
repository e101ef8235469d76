"""What a project's own tests use: a lake in a temporary folder, a clock that stands still, a source that is scripted.

with temporary_lake({"millpond.yaml": "version: 1\\nname: shop\\n", ...}) as lake:
    lake.deliver("data/orders.csv", "id,amount\\n1,5\\n")
    lake.run()
    assert lake.rows("SELECT * FROM silver.orders") == [{"id": 1, "amount": 5}]
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from millpond.core.plugins import lookup
from millpond.lakehouse import Lakehouse, open_lakehouse

if TYPE_CHECKING:
    from millpond.ingest.source import SourceReader
    from millpond.pipeline.events import Event
    from millpond.pipeline.execution import Report
    from millpond.project.model import Project, Source

__all__ = ["FakeClock", "TemporaryLake", "temporary_lake"]


class FakeClock:
    """A clock that tells the time it was set to."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        """The moment that it was set to, aware, in UTC."""
        return self._now

    def advance(self, **parts: float) -> None:
        """Move on by the parts of a timedelta, such as `hours=1`."""
        self._now += timedelta(**parts)


class TemporaryLake:
    """A project in a folder of its own, with what a test does to it."""

    def __init__(self, folder: Path, clock: FakeClock, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.clock = clock
        self._variables = dict(variables)
        self._lake: Lakehouse | None = None
        self._scripts: dict[str, dict[str, bytes]] = {}
        self.events: list[Event] = []

    @property
    def lakehouse(self) -> Lakehouse:
        """The opened lakehouse; opened again after a file of the project changed."""
        if self._lake is None:
            self._lake = open_lakehouse(self.folder, variables=self._variables, clock=self.clock, readers=self._reader)
        return self._lake

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        self.deliver(path, text)
        self.close()

    def deliver(self, path: str, content: str | bytes) -> None:
        """Put a data file in place as careful writers do: whole, under its name at once."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        arriving = target.with_name(f".{target.name}.arriving")
        arriving.write_bytes(content.encode() if isinstance(content, str) else content)
        arriving.replace(target)

    def script(self, source: str, name: str, content: str | bytes) -> None:
        """Let a source deliver a content under a name, in place of what its paths name; the same name changes it.

        It is read by the source's own settings, so a source of an object store can be tried where there is none.
        """
        contents = self._scripts.setdefault(source, {})
        contents[name] = content.encode() if isinstance(content, str) else content

    def run(self, *select: str, rebuild: tuple[str, ...] = (), drop: tuple[str, ...] = ()) -> Report:
        """Run the project, or the selected part of it. Raises what the run raises before its first step."""
        request = lookup("millpond.pipeline.request:Request")(select, rebuild, drop)
        return self.lakehouse.runner.run(request, self.events.append)

    def rows(self, sql: str, at: int | None = None) -> list[dict[str, Any]]:
        """The result of a query, through the gate."""
        return self.lakehouse.tables.query(sql, at=at).rows()

    def _reader(self, source: Source, project: Project) -> SourceReader:
        """The scripted reader of a source, or that of its own kind."""
        contents = self._scripts.get(source.name)
        if contents is None:
            return cast("SourceReader", lookup("millpond.ingest.source:reader_of")(source, project))
        return cast("SourceReader", lookup("millpond.ingest.files.scripted:scripted_reader")(source, project, contents))

    def close(self) -> None:
        """Close the lakehouse; it is opened again when it is next needed."""
        if self._lake is not None:
            self._lake.close()
            self._lake = None


@contextmanager
def temporary_lake(
    files: Mapping[str, str], *, variables: Mapping[str, str] | None = None, clock: FakeClock | None = None
) -> Iterator[TemporaryLake]:
    """A lake made of the given project files (path to text), gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="millpond-"))
    lake = TemporaryLake(folder, clock or FakeClock(), variables or {})
    try:
        for path, text in files.items():
            lake.write(path, text)
        yield lake
    finally:
        lake.close()
        shutil.rmtree(folder, ignore_errors=True)
