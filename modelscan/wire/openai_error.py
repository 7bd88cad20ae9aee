"""OpenAI's error shape, which all of its protocols share."""

from typing import Any

__all__ = ["error_body"]

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_TYPES |= {
    402: "insufficient_quota",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


def error_body(
    status: int, message: str, *, code: str | None = None, param: str | None = None, **more: Any
) -> dict[str, Any]:
    """An error as OpenAI's SDKs read it; `more` is added beside the usual members."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code, **more}}
