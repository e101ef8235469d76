"""A vendor's library is imported in its own files, and nothing heavy loads before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatch

import pytest

from tests.architecture.source import modules

HOMES: dict[str, tuple[str, ...]] = {
    "sqlglot": ("sql/*",),
    "duckdb": ("engines/duckdb.py", "governance/guard.py"),
    "sqlalchemy": ("catalog/*",),
    "alembic": ("catalog/*",),
    "psycopg": ("catalog/postgres.py",),
    "starlette": ("catalog/*",),
    "uvicorn": ("catalog/*",),
    "anyio": ("catalog/*",),
    "fastavro": ("catalog/*", "tables/*"),
    "typer": ("cli/*",),
    "click": ("cli/*",),
    "rich": ("cli/*",),
    "yaml": ("project/*",),
    "pydantic": ("project/*", "catalog/*"),
    "pydantic_core": ("project/*", "catalog/*"),
}
"""Which files may import which library. A library that is not named here is imported nowhere but as listed below."""

ANYWHERE = ("millpond", "pyarrow")
"""pyarrow is the currency between floors: its types may be named wherever results pass."""

HEAVY = (
    "duckdb",
    "sqlglot",
    "pyarrow",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "starlette",
    "uvicorn",
    "fastavro",
    "pyiceberg",
)


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_in_its_files(library: str) -> None:
    """Whoever replaces the library has one place to look."""
    strays = [
        f"{module.relative}:{imported.line}"
        for module in modules()
        for imported in module.imports()
        if imported.target.split(".")[0] == library
        and not any(fnmatch(module.relative, home) for home in HOMES[library])
    ]
    assert strays == []


def test_no_unnamed_library_is_imported() -> None:
    """A new dependency is named here, with its home, before it is used."""
    known = {*HOMES, *ANYWHERE, *sys.stdlib_module_names, "__future__", "zstandard", "pandas", "polars"}
    unknown = {
        f"{module.relative}:{imported.line} {imported.target}"
        for module in modules()
        for imported in module.imports()
        if imported.target.split(".")[0] not in known
    }
    assert unknown == set()


def test_pyiceberg_is_never_part_of_the_running_package() -> None:
    """It is a client that the tests try, not a part (see docs/decisions/0001)."""
    users = [module.relative for module in modules() for i in module.imports() if i.target.startswith("pyiceberg")]
    assert users == []


def loaded_by(module: str) -> set[str]:
    """The top-level packages in memory after a fresh interpreter has imported a module."""
    code = f"import json, sys; import {module}; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["millpond", "millpond.cli.main"])
def test_the_door_opens_without_heavy_libraries(module: str) -> None:
    """`millpond --help` answers at once because engine, parser and server load when they are needed."""
    assert loaded_by(module).isdisjoint(HEAVY)
