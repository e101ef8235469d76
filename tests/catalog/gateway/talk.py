"""Raw HTTP with the gateway: bodies that clients send, and checks of what they hear."""

from __future__ import annotations

from typing import Any

import httpx

Json = dict[str, Any]

COLUMNS: Json = {
    "type": "struct",
    "schema-id": 0,
    "fields": [{"id": 0, "name": "id", "required": False, "type": "long"}],
}
MORE_COLUMNS: Json = {
    "type": "struct",
    "schema-id": 0,
    "fields": [*COLUMNS["fields"], {"id": 1, "name": "word", "required": False, "type": "string"}],
}


def made(web: httpx.Client, name: str = "t", space: str = "s", **more: Any) -> Json:
    """Create a table and give its load answer."""
    answer = web.post(f"/namespaces/{space}/tables", json={"name": name, "schema": COLUMNS, **more})
    assert answer.status_code == 200, answer.text
    content: Json = answer.json()
    return content


def sql(text: str = "SELECT 1 AS id", dialect: str = "spark") -> Json:
    """A representation of a view."""
    return {"type": "sql", "sql": text, "dialect": dialect}


def version(*texts: Json, **more: Any) -> Json:
    """A version of a view, as Java's clients send it."""
    return {
        "version-id": 1,
        "timestamp-ms": 1_700_000_000_000,
        "schema-id": 0,
        "summary": {"engine-name": "spark"},
        "default-namespace": ["s"],
        "representations": list(texts) or [sql()],
        **more,
    }


def view(name: str = "v", **more: Any) -> Json:
    """The body that creates a view."""
    return {"name": name, "schema": COLUMNS, "view-version": version(), "properties": {}, **more}


def seen(web: httpx.Client, name: str = "v", **more: Any) -> Json:
    """Create a view and give its load answer."""
    answer = web.post("/namespaces/s/views", json=view(name, **more))
    assert answer.status_code == 200, answer.text
    content: Json = answer.json()
    return content


def replaced(web: httpx.Client, *updates: Json, name: str = "v", uuid: str | None = None) -> httpx.Response:
    """Send updates of a view."""
    demands = [{"type": "assert-view-uuid", "uuid": uuid}] if uuid else []
    return web.post(f"/namespaces/s/views/{name}", json={"requirements": demands, "updates": list(updates)})


def added(*texts: Json, **more: Any) -> tuple[Json, Json]:
    """The updates that add a version and make it the current one."""
    return (
        {"action": "add-view-version", "view-version": version(*texts, **more)},
        {"action": "set-current-view-version", "view-version-id": -1},
    )


def properties(**words: str) -> Json:
    """The update that sets properties."""
    return {"action": "set-properties", "updates": {key.replace("_", "."): value for key, value in words.items()}}


def renamed(web: httpx.Client, kind: str, source: str, target: str, space: str = "s") -> httpx.Response:
    """Ask for another name of a table or view: `kind` is tables or views."""
    body = {"source": {"namespace": ["s"], "name": source}, "destination": {"namespace": [space], "name": target}}
    return web.post(f"/{kind}/rename", json=body)


def refused(answer: httpx.Response, status: int, kind: str, words: str = "") -> None:
    """Check that an answer is an error in the one shape."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (status, status, kind), answer.text
    assert words in error["message"]
