"""Endpoints on namespaces."""

from __future__ import annotations

from starlette.responses import Response

from millpond.catalog import namespaces
from millpond.catalog.gateway import requests
from millpond.catalog.gateway.access import Seat
from millpond.catalog.gateway.answers import document, done
from millpond.catalog.gateway.once import keep
from millpond.catalog.gateway.pages import page
from millpond.catalog.gateway.requests import Call
from millpond.catalog.namespaces import no_such_namespace
from millpond.core.errors import CatalogError
from millpond.core.names import LAYERS, QUARANTINE, STATE


def listed(seat: Seat, call: Call) -> Response:
    """GET namespaces: those of the first level, or with `parent` those right inside another one."""
    parent = requests.joined(call.query.get("parent", ""))
    if parent:
        _known(seat, parent)
    start = f"{parent}." if parent else ""
    inside = [name for name in seat.namespaces() if name.startswith(start) and "." not in name.removeprefix(start)]
    shown, token = page(call.query, inside)
    return document({"namespaces": [requests.levels(name) for name in shown], "next-page-token": token})


def create(seat: Seat, call: Call) -> Response:
    """POST namespaces. A step's namespaces are made when it publishes tables in them."""
    seat.check_writes()
    body = call.body()
    name = requests.new_namespace(body)
    words = requests.properties(body)
    location = words.get("location")
    if location is not None:
        words["location"] = seat.catalog.warehouse.check(location, name)
    outer = name.rpartition(".")[0]
    if outer:
        _known(seat, outer)
    answer = document({"namespace": requests.levels(name), "properties": _shown(seat, name, words)})
    if seat.direct:
        with seat.catalog.store.write() as connection:
            if outer and namespaces.properties(connection, seat.catalog.environment, outer) is None:
                raise no_such_namespace(outer)
            made = namespaces.create(connection, seat.catalog.environment, name, words)
            if not made:
                raise CatalogError(
                    "MP-3004", f"Namespace already exists: {name}", next_step="use it, or choose another name"
                )
            keep(connection, seat, call, answer)
    return answer


def load(seat: Seat, call: Call) -> Response:
    """GET one namespace: its properties, and always where its tables lie."""
    name = call.namespace()
    words = _shown(seat, name, _known(seat, name))
    return document({"namespace": requests.levels(name), "properties": words})


def exists(seat: Seat, call: Call) -> Response:
    """HEAD one namespace."""
    _known(seat, call.namespace())
    return done()


def drop(seat: Seat, call: Call) -> Response:
    """DELETE one namespace, when no table, view or namespace is in it."""
    _check_direct(seat)
    name, answer = call.namespace(), done()
    _known(seat, name)
    with seat.catalog.store.write() as connection:
        if not namespaces.drop(connection, seat.catalog.environment, name):
            raise CatalogError(
                "MP-3005", f"Namespace is not empty: {name}", next_step="drop or rename what is in it first"
            )
        keep(connection, seat, call, answer)
    return answer


def change(seat: Seat, call: Call) -> Response:
    """POST properties of one namespace."""
    _check_direct(seat)
    name, body = call.namespace(), call.body()
    removals, updates = requests.words(body, "removals"), requests.properties(body, "updates")
    both = sorted(set(removals) & set(updates))
    if both:
        raise CatalogError(
            "MP-3007",
            f"cannot both set and remove: {', '.join(both)}",
            next_step="name each property once",
        )
    if "location" in updates:
        updates["location"] = seat.catalog.warehouse.check(updates["location"], name)
    with seat.catalog.store.write() as connection:
        changed = namespaces.change(connection, seat.catalog.environment, name, removals, updates)
        if changed is None:
            raise no_such_namespace(name)
        removed, missing = changed
        answer = document({"updated": sorted(updates), "removed": removed, "missing": missing})
        keep(connection, seat, call, answer)
    return answer


def place(seat: Seat, namespace: str) -> str | None:
    """The folder that a client chose for a namespace's tables; None when it left that to the catalog."""
    with seat.catalog.store.read() as connection:
        words = namespaces.properties(connection, seat.catalog.environment, namespace)
    return None if words is None else words.get("location")


def _known(seat: Seat, name: str) -> dict[str, str]:
    """A namespace's own properties. Raises CatalogError MP-3002 when it is not there."""
    with seat.catalog.store.read() as connection:
        words = namespaces.properties(connection, seat.catalog.environment, name)
    if words is None and not seat.direct and name.lower() in (*LAYERS, QUARANTINE, STATE):
        words = {}
    if words is None:
        raise no_such_namespace(name)
    return words


def _shown(seat: Seat, name: str, words: dict[str, str]) -> dict[str, str]:
    return {"location": seat.catalog.warehouse.namespace(name)} | words


def _check_direct(seat: Seat) -> None:
    seat.check_writes()
    if not seat.direct:
        raise CatalogError(
            "MP-3014", "a step cannot change or drop namespaces", next_step="do it through an open gateway"
        )
