"""Answers and errors in the one shape of the REST catalog specification."""

from __future__ import annotations

import hashlib
from typing import Any

from starlette.responses import JSONResponse, Response

from millpond.core.errors import ConflictError, MillpondError

_STATUS: dict[str, tuple[int, str]] = {
    "MP-3001": (404, "NoSuchTableException"),
    "MP-3002": (404, "NoSuchNamespaceException"),
    "MP-3003": (409, "AlreadyExistsException"),
    "MP-3004": (409, "AlreadyExistsException"),
    "MP-3005": (409, "NamespaceNotEmptyException"),
    "MP-3008": (404, "NoSuchViewException"),
    "MP-3009": (400, "IllegalArgumentException"),
    "MP-3007": (422, "UnprocessableEntityException"),
    "MP-3014": (403, "ForbiddenException"),
    "MP-3015": (500, "CommitStateUnknownException"),
    "MP-3017": (503, "ServiceUnavailableException"),
    "MP-3018": (503, "ServiceUnavailableException"),
    "MP-3019": (401, "NotAuthorizedException"),
    "MP-3021": (404, "NoSuchWarehouseException"),
    "MP-3022": (422, "UnprocessableEntityException"),
    "MP-3032": (404, "NotFoundException"),
    "MP-3039": (503, "ServiceUnavailableException"),
    "MP-3054": (503, "ServiceUnavailableException"),
    "MP-3059": (503, "ServiceUnavailableException"),
    "MP-3080": (503, "ServiceUnavailableException"),
    "MP-3081": (503, "ServiceUnavailableException"),
    "MP-3082": (503, "ServiceUnavailableException"),
    "MP-3093": (401, "NotAuthorizedException"),
    "MP-3094": (401, "NotAuthorizedException"),
    "MP-3095": (401, "NotAuthorizedException"),
}
"""Status and type of each error. A commit answers 500 only where its outcome cannot be told."""


def done() -> Response:
    """Success without a body."""
    return Response(status_code=204)


def document(content: Any, tag: str | None = None) -> Response:
    """Success with a JSON body. `tag` names this version of it."""
    return JSONResponse(content, headers={"ETag": tag} if tag is not None else None)


def version_tag(metadata_location: str, part: str = "all") -> str:
    """The entity tag of a table's metadata: a file that never changes, and which part of it is sent."""
    digest = hashlib.sha256(f"{part}\0{metadata_location}".encode("utf-8", "surrogateescape")).hexdigest()
    return f'"{digest[:32]}"'


def unchanged(tag: str, known: str | None) -> Response | None:
    """The answer 304 when the client has this version already: its header If-None-Match names the tag."""
    if known is None:
        return None
    names = {name.strip().removeprefix("W/") for name in known.split(",")}
    return Response(status_code=304, headers={"ETag": tag}) if tag in names or "*" in names else None


def failure(error: MillpondError) -> Response:
    """An error of ours as clients read it."""
    default = (409, "CommitFailedException") if isinstance(error, ConflictError) else (400, "BadRequestException")
    status, kind = _STATUS.get(error.code, default)
    return refusal(status, kind, error.finding.message, error.code)


def refusal(status: int, kind: str, message: str, code: str | None = None) -> Response:
    """An error as clients read it. `code` is the stable code of Millpond's own."""
    error: dict[str, Any] = {"message": message, "type": kind, "code": status}
    if code is not None:
        error["stack"] = [code]
    return JSONResponse({"error": error}, status_code=status, headers=_challenge(status, code))


def _challenge(status: int, code: str | None) -> dict[str, str] | None:
    """What a client without a good token is told, as RFC 6750 section 3 writes it."""
    if status != 401:
        return None
    wrong = "" if code == "MP-3019" else ', error="invalid_token"'
    return {"WWW-Authenticate": f'Bearer realm="millpond"{wrong}'}
