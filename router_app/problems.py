"""Errors as callers see them: problem documents for /api, the protocol's shape for /v1, one table for the status."""

import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan import errors
from modelscan.errors import InvalidInput, ModelScanError, ServiceUnavailable
from modelscan.wire import SURFACES, Surface
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES
from modelscan.wire.openai_chat import OPENAI_CHAT

__all__ = [
    "CODE",
    "HeadTooLarge",
    "HeadTooSlow",
    "STATUSES",
    "TooLarge",
    "answer_for",
    "invalid_body",
    "is_own",
    "on_http_exception",
    "on_modelscan_error",
    "on_unexpected",
    "problem",
    "status_of",
    "wire_error",
]


class TooLarge(InvalidInput):
    """A body past the limit."""

    code = "too-large"


class HeadTooLarge(InvalidInput):
    """More headers than any client needs."""

    code = "head-too-large"


class HeadTooSlow(InvalidInput):
    """A head that does not come to its end."""

    code = "head-too-slow"


STATUSES: Mapping[type[ModelScanError], HTTPStatus] = {
    ModelScanError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidInput: HTTPStatus.BAD_REQUEST,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HeadTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.InvalidConfiguration: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.BudgetSpent: HTTPStatus.PAYMENT_REQUIRED,
    errors.CatalogBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DiscoveryFailed: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DiscoveryInterrupted: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SourceUnavailable: HTTPStatus.BAD_GATEWAY,
    errors.HostRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotWaiting: HTTPStatus.CONFLICT,
    errors.KeyLimitReached: HTTPStatus.CONFLICT,
    errors.NoUsableKey: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.UpstreamFailed: HTTPStatus.BAD_GATEWAY,
    errors.UpstreamTimedOut: HTTPStatus.GATEWAY_TIMEOUT,
    ServiceUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of an error is that of the nearest class above it that has a row."""

CODE = "modelscan.code"
"""Where a request's scope keeps the code of the error that answered it, for its usage row."""
_PROBLEM = "application/problem+json"
_UNKNOWN = "unknown_url"
_ANTHROPICS = b"anthropic-version"
_BASE_URLS = "OpenAI's clients want a base URL that ends with /v1, Anthropic's the same without it."
Headers = Iterable[tuple[bytes, bytes]]


def status_of(error: ModelScanError) -> HTTPStatus:
    """The HTTP status of an error."""
    return next(STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES)


def problem(error: ModelScanError) -> JSONResponse:
    """A problem document (RFC 9457): what happened, what to do next, and the error's own fields."""
    status = status_of(error)
    document = {
        **error.fields,
        "type": f"urn:modelscan:{error.code}",
        "title": status.phrase,
        "status": int(status),
        "detail": error.message,
        "hint": error.hint,
        "code": error.code,
    }
    return JSONResponse(document, status, _headers(error), media_type=_PROBLEM)


def wire_error(error: ModelScanError, protocol: Surface) -> JSONResponse:
    """The answer in the protocol's shape; the hint is part of the message, since SDKs show nothing else."""
    status = int(status_of(error))
    body = protocol.error_body(status, str(error), code=error.code, param=error.fields.get("param"))
    return JSONResponse(body, status, _headers(error))


def answer_for(path: str, error: ModelScanError, headers: Headers = ()) -> JSONResponse:
    """The answer in the shape that callers of `path` with these headers read."""
    return problem(error) if is_own(path) else wire_error(error, _protocol_of(path, headers))


def is_own(path: str) -> bool:
    """Whether it is for operators. What lies anywhere else was meant for models, by a client with another base URL."""
    return path in ("", "/") or path.startswith(("/api/", "/health"))


def _protocol_of(path: str, headers: Headers) -> Surface:
    """What a caller speaks: by a place that is one protocol's alone, else by the header of Anthropic's clients."""
    for row in SURFACES:
        if path == row.served_at or path.startswith(f"{row.served_at}/"):
            return row
    return ANTHROPIC_MESSAGES if any(name == _ANTHROPICS for name, _ in headers) else OPENAI_CHAT


def invalid_body(error: ValidationError) -> InvalidInput:
    """What is wrong with a body, by field; without the values, which may be a key."""
    wrong = [
        {"field": ".".join(str(part) for part in one["loc"]), "message": one["msg"].removeprefix("Value error, ")}
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    said = "; ".join(f"{one['field'] or 'body'}: {one['message']}" for one in wrong)
    return InvalidInput(f"The body cannot be used: {said}.", hint="docs/api.md says what it holds.", errors=wrong)


def _headers(error: ModelScanError) -> dict[str, str]:
    """A caller may try again where the fault is this service's, for now; not where a key must be added first."""
    if isinstance(error, errors.Unauthorized):
        return {"www-authenticate": "Bearer"}
    if (wait := error.fields.get("retry_after")) is not None:
        return {"retry-after": str(max(math.ceil(wait), 1))}
    return {"retry-after": "1"} if isinstance(error, ServiceUnavailable | errors.CatalogBusy) else {}


async def on_modelscan_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for our own errors."""
    assert isinstance(error, ModelScanError)
    return _answered(request, error)


async def on_unexpected(request: Request, error: Exception) -> Response:
    """Starlette's handler for everything else, which it raises again for the log."""
    hint = "The service's log has the particulars."
    return _answered(request, ModelScanError(f"An unexpected {type(error).__name__}.", hint=hint))


def _answered(request: Request, error: ModelScanError) -> Response:
    request.scope[CODE] = error.code
    return answer_for(request.scope["path"], error, request.scope["headers"])


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405, in the caller's shape."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    said = f"{request.method} {path}: {error.detail}."
    if not is_own(path):
        request.scope[CODE] = _UNKNOWN
        if not path.startswith("/v1/") or path.startswith("/v1/v1/"):
            said = f"{said} {_BASE_URLS}"
        speaks = _protocol_of(path, request.scope["headers"])
        body = speaks.error_body(error.status_code, said, code=_UNKNOWN)
        return JSONResponse(body, error.status_code, error.headers)
    document: dict[str, Any] = {"type": "about:blank", "title": error.detail, "status": error.status_code}
    document |= {"detail": said, "hint": "docs/api.md lists what there is.", "code": _UNKNOWN}
    return JSONResponse(document, error.status_code, error.headers, media_type=_PROBLEM)
