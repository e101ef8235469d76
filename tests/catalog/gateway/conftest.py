"""An HTTP client at the prefix of an open gateway."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest


@pytest.fixture
def web(open_door: str) -> Iterator[httpx.Client]:
    """An HTTP client at the prefix of an open gateway, with a namespace `s`."""
    with httpx.Client(base_url=f"{open_door}/v1/prod") as client:
        assert client.post("/namespaces", json={"namespace": ["s"]}).status_code == 200
        yield client
