"""Namespaces: the layers of an environment and what outside clients add to them.

A namespace of several levels is named by its levels with a dot between them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select, update

from millpond.catalog.relations import namespaces, pointers
from millpond.core.errors import CatalogError


def no_such_namespace(name: str) -> CatalogError:
    """The error for a namespace that is not there."""
    return CatalogError("MP-3002", f"Namespace does not exist: {name}", next_step="create the namespace first")


def names(connection: Connection, environment: str) -> tuple[str, ...]:
    """Every namespace, in order."""
    query = select(namespaces.c.name).where(namespaces.c.environment == environment).order_by(namespaces.c.name)
    return tuple(connection.scalars(query))


def properties(connection: Connection, environment: str, name: str) -> dict[str, str] | None:
    """A namespace's own properties; None when there is no such namespace."""
    text = connection.scalar(select(namespaces.c.properties).where(_is(environment, name)))
    return None if text is None else dict(json.loads(text))


def create(connection: Connection, environment: str, name: str, words: Mapping[str, str]) -> bool:
    """Make a namespace; False when it is there already."""
    if properties(connection, environment, name) is not None:
        return False
    row = {"environment": environment, "name": name, "properties": json.dumps(dict(words))}
    connection.execute(insert(namespaces).values(row))
    return True


def drop(connection: Connection, environment: str, name: str) -> bool:
    """Take an empty namespace away; False when it still holds tables, views or namespaces."""
    held = exists().where(pointers.c.environment == environment, pointers.c.layer == name)
    inner = exists().where(
        namespaces.c.environment == environment, namespaces.c.name.startswith(f"{name}.", autoescape=True)
    )
    if connection.scalar(select(held | inner)):
        return False
    connection.execute(delete(namespaces).where(_is(environment, name)))
    return True


def change(
    connection: Connection, environment: str, name: str, removals: Collection[str], updates: Mapping[str, str]
) -> tuple[list[str], list[str]] | None:
    """Take some properties away and set others: what was removed and what was not there. None for no namespace."""
    words = properties(connection, environment, name)
    if words is None:
        return None
    removed = [key for key in removals if key in words]
    missing = [key for key in removals if key not in words]
    kept = {key: value for key, value in words.items() if key not in removed} | dict(updates)
    connection.execute(update(namespaces).where(_is(environment, name)).values(properties=json.dumps(kept)))
    return removed, missing


def _is(environment: str, name: str) -> ColumnElement[bool]:
    return and_(namespaces.c.environment == environment, namespaces.c.name == name)
