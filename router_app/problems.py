"""Errors as callers see them: problem documents for /api, OpenAI's shape for /v1, one table for the status."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan import errors
from modelscan.errors import ModelScanError
from modelscan.wire.openai_chat import error_body

__all__ = ["STATUSES", "answer_for", "on_http_exception", "on_modelscan_error", "openai_error", "problem", "status_of"]

STATUSES: Mapping[type[ModelScanError], HTTPStatus] = {
    ModelScanError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.AmbiguousModel: HTTPStatus.CONFLICT,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.CatalogBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DiscoveryFailed: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DiscoveryInterrupted: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SourceUnavailable: HTTPStatus.BAD_GATEWAY,
    errors.HostRefused: HTTPStatus.FORBIDDEN,
    errors.KeyLimitReached: HTTPStatus.CONFLICT,
    errors.NoUsableKey: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UpstreamFailed: HTTPStatus.BAD_GATEWAY,
    errors.ServiceUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of an error is that of the nearest class above it that has a row."""

_RETRY_SECONDS = {HTTPStatus.SERVICE_UNAVAILABLE: "1"}


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
    return JSONResponse(document, status, _headers(status), media_type="application/problem+json")


def openai_error(error: ModelScanError) -> tuple[int, dict[str, Any]]:
    """(status, body) in OpenAI's shape; the hint is part of the message, since SDKs show nothing else."""
    status = status_of(error)
    return int(status), error_body(int(status), str(error), code=error.code)


def answer_for(path: str, error: ModelScanError) -> Response:
    """The answer in the shape that callers of `path` read."""
    if path.startswith("/v1/"):
        status, body = openai_error(error)
        return JSONResponse(body, status, _headers(HTTPStatus(status)))
    return problem(error)


def _headers(status: HTTPStatus) -> dict[str, str] | None:
    return {"retry-after": _RETRY_SECONDS[status]} if status in _RETRY_SECONDS else None


async def on_modelscan_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for our own errors."""
    assert isinstance(error, ModelScanError)
    return answer_for(request.url.path, error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405, in the caller's shape."""
    assert isinstance(error, HTTPException)
    said = f"{request.method} {request.url.path}: {error.detail}."
    if request.url.path.startswith("/v1/"):
        return JSONResponse(error_body(error.status_code, said, code="unknown_url"), error.status_code, error.headers)
    document = {"type": "about:blank", "title": error.detail, "status": error.status_code, "detail": said}
    document |= {"hint": "docs/api.md lists what there is."}
    return JSONResponse(document, error.status_code, error.headers, media_type="application/problem+json")
