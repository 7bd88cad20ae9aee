"""Misbehaviour on demand: asked for by the header `x-reference-fault` or the body's field `reference_fault`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

__all__ = ["BrokenOff", "Fault", "cut_off", "fault_of"]

_STATUSES = {
    "401": (401, "Incorrect API key provided.", "invalid_api_key"),
    "404": (404, "The model does not exist.", "model_not_found"),
    "429": (429, "Rate limit reached.", "rate_limit_exceeded"),
    "500": (500, "The server had an error.", "server_error"),
}
_LONGEST_WAIT = 600.0


class BrokenOff(Exception):
    """Raised inside a response to drop its connection, as the fault `cut` asks."""


async def cut_off(begun: bytes) -> AsyncIterator[bytes]:
    """A body that breaks off after its beginning."""
    yield begun
    raise BrokenOff


@dataclass(frozen=True)
class Fault:
    """One of 401, 404, 429 (with Retry-After), 500, slow:SECONDS, cut (in the middle), malformed, or none."""

    name: str = ""

    async def response(self, error_body: Callable[..., dict[str, Any]]) -> Response | None:
        """The answer that this fault gives instead of the right one, after waiting if it is slow."""
        if self.name.startswith("slow"):
            await asyncio.sleep(min(float(self.name.partition(":")[2] or 1), _LONGEST_WAIT))
        if self.name not in _STATUSES:
            return None
        status, message, code = _STATUSES[self.name]
        headers = {"retry-after": "1"} if status == 429 else None
        return JSONResponse(error_body(status, message, code=code), status, headers)


def fault_of(headers: Mapping[str, str], body: Mapping[str, Any]) -> Fault:
    """What this request asks for."""
    return Fault(str(headers.get("x-reference-fault") or body.get("reference_fault") or ""))
