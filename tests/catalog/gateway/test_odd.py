"""Requests that are almost right are answered clearly, and what is taken from them every client can read."""

from __future__ import annotations

import itertools
import json
import logging
import random
import urllib.parse
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pyiceberg.table.metadata import TableMetadataUtil
from pyiceberg.view.metadata import ViewMetadata

from .odd import BODIES, ODD, changed, nested, variants
from .talk import COLUMNS, Json, made, refused, seen

SAMPLE = 5
"""How many odd requests of each kind the quick tests send."""


class Gateway:
    """A gateway with a table `t` and a view `v`, made anew whenever a request changed them."""

    def __init__(self, web: httpx.Client, log: pytest.LogCaptureFixture) -> None:
        self.web, self.log = web, log
        made(web)
        seen(web)

    def send(self, what: str, body: Any) -> httpx.Response:
        """Send a body to a request, as JSON that holds whatever Python can write."""
        method, path, *_ = what.split(" ")
        text = json.dumps(body, allow_nan=True)
        return self.web.request(method, path, content=text, headers={"Content-Type": "application/json"})

    def check(self, what: str, body: Any) -> None:
        """Send a body, and check that it is refused in the one shape, or leaves what every client can read."""
        answer = self.send(what, body)
        told = f"{what}: {str(body)[:300]} -> {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, told
        assert not self.log.records, f"{told}\n{self.log.text}"
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert (error["code"], bool(error["message"]), bool(error["type"])) == (answer.status_code, True, True), (
                told
            )
            return
        self._read(told)
        self._begin_again()

    def _read(self, told: str) -> None:
        """Every table and view as PyIceberg reads it."""
        for space in self._names("/namespaces", "namespaces"):
            path = f"/namespaces/{'%1F'.join(map(_quoted, space))}"
            for kind, parse in (("tables", TableMetadataUtil.parse_obj), ("views", ViewMetadata.model_validate)):
                for one in self._names(f"{path}/{kind}", "identifiers"):
                    content = self.web.get(f"{path}/{kind}/{_quoted(one['name'])}").json()
                    for row in content["metadata"].get("versions", ()):
                        # The specification leaves room for other kinds; Java skips them, PyIceberg knows none.
                        row["representations"] = [text for text in row["representations"] if text["type"] == "sql"]
                    try:
                        parse(content["metadata"])
                    except (ValueError, TypeError, KeyError) as wrong:
                        pytest.fail(f"{told}\n{content}\n{wrong}")

    def _names(self, path: str, member: str) -> list[Any]:
        return list(self.web.get(path).json()[member])

    def _begin_again(self) -> None:
        for space in self._names("/namespaces", "namespaces"):
            path = f"/namespaces/{'%1F'.join(map(_quoted, space))}"
            for kind in ("tables", "views"):
                for one in self._names(f"{path}/{kind}", "identifiers"):
                    assert self.web.delete(f"{path}/{kind}/{_quoted(one['name'])}").status_code == 204
            if space != ["s"]:
                self.web.delete(path)
        made(self.web)
        seen(self.web)


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


@pytest.fixture
def gateway(web: httpx.Client, caplog: pytest.LogCaptureFixture) -> Iterator[Gateway]:
    """A gateway whose log is watched: what it did not foresee is written there."""
    with caplog.at_level(logging.ERROR, logger="millpond"):
        yield Gateway(web, caplog)


def test_odd_requests_are_refused_or_can_be_read(gateway: Gateway) -> None:
    """Some of each kind: a place of the body holds something else, or is missing."""
    drawn = random.Random(11)
    for what, body in BODIES.items():
        for path, value in drawn.sample(list(variants(body)), SAMPLE):
            gateway.check(what, changed(body, path, value))


@pytest.mark.long
@pytest.mark.parametrize("what", BODIES)
def test_every_odd_request_is_refused_or_can_be_read(what: str, gateway: Gateway) -> None:
    """Each value of each body in turn is each kind of thing, or missing."""
    for path, value in variants(BODIES[what]):
        gateway.check(what, changed(BODIES[what], path, value))


NO_OBJECTS = ("x", "{", "[1]", '"x"', "nan", "[" * 100_000, '{"a":' * 100_000, "\x00", '{"a": "\\ud800"}')


def test_a_body_that_is_no_object_is_refused(gateway: Gateway) -> None:
    """Whatever is asked for, also deep and half characters."""
    for what in BODIES:
        method, path, *_ = what.split(" ")
        for text in NO_OBJECTS:
            answer = gateway.web.request(method, path, content=text)
            assert 400 <= answer.status_code < 500, f"{what} {text[:20]}: {answer.text}"
            refused(answer, answer.status_code, answer.json()["error"]["type"])
    answer = gateway.web.post("/namespaces/s/tables", content=b'{"name": "\xff"}')
    refused(answer, 400, "BadRequestException", "no JSON")
    assert not gateway.log.records


def test_types_that_are_nested_too_deeply_are_refused(gateway: Gateway) -> None:
    """A list of lists of lists, as far as Python itself can tell it."""
    kind: Any = "string"
    for level in range(150):
        kind = {"type": "list", "element-id": level + 2, "element": kind, "element-required": False}
    schema = {**COLUMNS, "fields": [{"id": 1, "name": "x", "required": False, "type": kind}]}
    answer = gateway.send("POST /namespaces/s/tables", {"name": "deep", "schema": schema})
    refused(answer, 400, "BadRequestException", "nested too deeply")
    gateway.check("POST /namespaces/s/tables", {"name": "deep", "schema": nested(200)})


PATHS = (
    "GET /namespaces/{}",
    "HEAD /namespaces/{}",
    "DELETE /namespaces/{}",
    "POST /namespaces/{}/properties",
    "GET /namespaces/{}/tables",
    "POST /namespaces/{}/tables",
    "GET /namespaces/{}/views",
    "GET /namespaces/s/tables/{}",
    "HEAD /namespaces/s/tables/{}",
    "POST /namespaces/s/tables/{}",
    "DELETE /namespaces/s/tables/{}",
    "GET /namespaces/s/tables/{}/credentials",
    "POST /namespaces/s/tables/{}/metrics",
    "GET /namespaces/s/views/{}",
    "POST /namespaces/s/views/{}",
    "DELETE /namespaces/s/views/{}",
    "GET /namespaces?parent={}",
    "GET /namespaces?pageToken={}&pageSize=1",
    "GET /namespaces?pageSize={}",
    "GET /namespaces/s/tables?pageToken={}",
    "GET /namespaces/s/tables/t?snapshots={}",
    "DELETE /namespaces/s/tables/none?purgeRequested={}",
)
ENCODED = ("%ff", "%00", "%c0%af", "..%2f..", "%1f%1f", "%27%20OR%201=1")


def test_odd_words_in_paths_and_queries_are_answered_in_the_one_shape(gateway: Gateway) -> None:
    """Never by a fault of the gateway's."""
    words = [urllib.parse.quote(str(word)[:2000].encode("utf-8", "replace"), safe="") for word in ODD]
    for what, word in itertools.product(PATHS, filter(None, [*words, *ENCODED])):
        method, path = what.split(" ")
        answer = gateway.web.request(method, path.format(word), content="{}" if method == "POST" else None)
        told = f"{what} {word[:40]}: {answer.text} {gateway.log.text}"
        assert (answer.status_code < 500, gateway.log.records) == (True, []), told
        if answer.status_code >= 400 and method != "HEAD":
            refused(answer, answer.status_code, answer.json()["error"]["type"])


def test_the_refusal_names_the_place(gateway: Gateway) -> None:
    """So that the maker of a client finds what is wrong."""
    fields = [*COLUMNS["fields"], {"id": 2, "name": 7, "required": False, "type": "long"}]
    update: Json = {"action": "add-schema", "schema": {**COLUMNS, "fields": fields}}
    answer = gateway.send("POST /namespaces/s/tables/t", {"updates": [update]})
    refused(answer, 400, "BadRequestException", "updates[0].schema.fields[1].name must be a text")
    several = {"table-changes": [{"identifier": {"namespace": ["s"], "name": "t"}, "updates": [update]}]}
    answer = gateway.send("POST /transactions/commit", several)
    refused(answer, 400, "BadRequestException", "table-changes[0].updates[0].schema.fields[1].name must be a text")


def test_what_a_client_adds_beside_is_no_fault(gateway: Gateway) -> None:
    """Members that the specification does not name may stand anywhere."""
    more = changed(BODIES["POST /namespaces/s/tables"], ("schema", "fields", 0, "more"), {"a": [1]})
    assert gateway.send("POST /namespaces/s/tables", {**more, "else": 1, "location": None}).status_code == 200
