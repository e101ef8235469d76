"""Models and graphs for the pipeline's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from millpond.core.names import TableName
from millpond.pipeline.compiled import CompiledModel, compile_model
from millpond.project.model import Model, ModelKind


@pytest.fixture(scope="session")
def model() -> Callable[..., CompiledModel]:
    """Makes a compiled model from its name and query."""

    def make(
        name: str, sql: str, kind: ModelKind = "replace", key: tuple[str, ...] = (), **more: object
    ) -> CompiledModel:
        table = TableName.parse(name)
        path = Path(f"/project/models/{table.layer}/{table.name}.sql")
        return compile_model(Model(table=table, kind=kind, path=path, sql=sql, key=key, **more))  # type: ignore[arg-type]

    return make
