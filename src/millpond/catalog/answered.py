"""Answers that requests with a key of their own have had, so that a repeat changes nothing and hears the same."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from millpond.catalog.recording import micros
from millpond.catalog.relations import answers
from millpond.core.records import frozen

LIFETIME = timedelta(hours=24)
"""How long a key is remembered at the least."""


@frozen
class Answer:
    """What a request was answered: `asked` is the SHA-256 of the request; no body stands for what its commit left."""

    asked: str
    status: int
    body: str | None


def find(connection: Connection, environment: str, key: str) -> Answer | None:
    """The answer that a key has had, None for a new key."""
    query = select(answers.c.asked, answers.c.status, answers.c.body)
    row = connection.execute(query.where(answers.c.environment == environment, answers.c.key == key)).first()
    return None if row is None else Answer(row.asked, row.status, row.body)


def keep(connection: Connection, environment: str, key: str, answer: Answer, now: datetime) -> None:
    """Remember an answer, and forget those that are older than clients may ask for. The first answer stays."""
    connection.execute(delete(answers).where(answers.c.at < micros(now - 2 * LIFETIME)))
    if find(connection, environment, key) is None:
        row = {"environment": environment, "key": key, "asked": answer.asked, "at": micros(now)}
        connection.execute(insert(answers).values(row | {"status": answer.status, "body": answer.body}))
