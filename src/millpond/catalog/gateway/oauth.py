"""The login of clients that have a `credential`: OAuth2's token endpoint, as the REST catalog specification has it.

Client credentials (RFC 6749 section 4.4) in the form or as HTTP Basic, and the token exchange (RFC 8693) by which
clients renew what they got. The secret of a credential is a client token, and the client's id is the token's name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote_plus

from starlette.responses import JSONResponse, Response

from millpond.catalog.client_tokens import Access, ClientTokens
from millpond.catalog.gateway.access import bearer
from millpond.core.errors import MillpondError

CREDENTIALS = "client_credentials"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind, no secret

_MOST_FIELDS = 32
_ERRORS = {
    "MP-3014": (400, "invalid_scope"),
    "MP-3019": (401, "invalid_client"),
    "MP-3093": (401, "invalid_client"),
    "MP-3094": (401, "invalid_client"),
    "MP-3095": (400, "invalid_grant"),
}


def answer(clients: ClientTokens, headers: Mapping[str, str], body: bytes) -> Response:
    """An access token, or the reason why there is none, in OAuth2's own shape."""
    try:
        form = _form(body)
        grant = form.get("grant_type", "")
        if grant == CREDENTIALS:
            return _given(_by_credentials(clients, headers, form))
        if grant == EXCHANGE:
            return _given(_by_exchange(clients, headers, form))
    except _MalformedError as wrong:
        return _refused(400, "invalid_request", str(wrong))
    except MillpondError as refused:
        status, word = _ERRORS.get(refused.code, (503, "temporarily_unavailable"))
        return _refused(status, word, refused.finding.message)
    return _refused(400, "unsupported_grant_type", f"grant_type must be {CREDENTIALS} or {EXCHANGE}")


class _MalformedError(Exception):
    """A form that is none, or that lacks a field."""


def _by_credentials(clients: ClientTokens, headers: Mapping[str, str], form: Mapping[str, str]) -> Access:
    name, secret = _basic(headers) or (form.get("client_id"), form.get("client_secret", ""))
    if not secret:
        raise _MalformedError("client_secret is missing")
    return clients.access(secret, name or None, form.get("scope", ""))


def _by_exchange(clients: ClientTokens, headers: Mapping[str, str], form: Mapping[str, str]) -> Access:
    """Who renews shows the old token twice or, when its time is over, the credential that it came from."""
    subject = form.get("subject_token", "")
    if not subject:
        raise _MalformedError("subject_token is missing")
    if form.get("subject_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise _MalformedError(f"subject_token_type must be {ACCESS_TOKEN}")
    credential = _basic(headers)
    if credential is not None:
        return clients.access(credential[1], credential[0] or None, form.get("scope", ""))
    own = bearer(headers)
    if own is not None and own != subject:
        clients.resolve(own)
    return clients.access(subject, None, form.get("scope", ""))


def _basic(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and secret of HTTP Basic, each form-encoded as RFC 6749 section 2.3.1 asks; None without the header."""
    scheme, _, coded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(coded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _MalformedError("the Authorization header cannot be read") from None
    return (unquote_plus(name), unquote_plus(secret)) if colon else ("", unquote_plus(name))


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form. A field that is there twice is refused, as RFC 6749 section 3.2 asks."""
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _MalformedError("the body is no form") from None
    if any(len(values) > 1 for values in fields.values()):
        raise _MalformedError("a field is there twice")
    return {name: values[0] for name, values in fields.items()}


def _given(access: Access) -> Response:
    content = {
        "access_token": access.token,
        "token_type": "bearer",
        "expires_in": access.seconds,
        "issued_token_type": ACCESS_TOKEN,
        "scope": access.scope,
    }
    return JSONResponse(content, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _refused(status: int, word: str, message: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="millpond"'
    return JSONResponse({"error": word, "error_description": message}, status_code=status, headers=headers)
