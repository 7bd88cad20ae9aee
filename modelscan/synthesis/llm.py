"""What a language model is to a discovery: something that is asked once, and answers with data or says why not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import httpx2
from pydantic import JsonValue, SecretStr

from modelscan.errors import HostRefused
from modelscan.sources.http import host_port, open_client
from modelscan.sources.json_body import json_of
from modelscan.synthesis.prompt import Prompt

__all__ = [
    "Access",
    "FAULTS",
    "LanguageModel",
    "Reply",
    "ReplyOutcome",
    "TOOL",
    "TOOL_SAYS",
    "http_for",
    "json_in",
    "of_fault",
    "of_status",
]

FAULTS = (httpx2.HTTPError, httpx2.InvalidURL, HostRefused, TimeoutError, ValueError)
"""What can come of a question beside the SDK's own errors."""
TOOL = "propose"
TOOL_SAYS = "Hand in the proposal."
_MAX_BYTES = 2**20
"""Of one answer; a proposal has a few thousand."""

ReplyOutcome = Literal[
    "answered",
    "declined",
    "unreadable",
    "truncated",
    "too_large",
    "timeout",
    "unauthorized",
    "rate_limited",
    "failed",
]
_STATUSES: dict[int, ReplyOutcome] = {
    401: "unauthorized",
    403: "unauthorized",
    408: "timeout",
    413: "too_large",
    429: "rate_limited",
    504: "timeout",
}


@dataclass(frozen=True)
class Reply:
    """What came of one question: `data` is the answer as JSON. `detail` quotes no server, as that may quote a key."""

    outcome: ReplyOutcome
    data: JsonValue = None
    detail: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True)
class Access:
    """Where a model is asked, with which key, and how much it may answer in which time."""

    base_url: str
    key: SecretStr
    max_tokens: int
    seconds: float
    own_host: bool = False
    """Whether the operator named the host, so that it may have a private address."""


class LanguageModel(Protocol):
    """One model at one place. Its SDK is imported when it is asked first: that takes seconds."""

    @property
    def provider(self) -> str:
        """Who serves it."""
        ...

    @property
    def model(self) -> str:
        """As it is called there."""
        ...

    @property
    def access(self) -> Access:
        """Where, with which key, how long."""
        ...

    async def ask(self, prompt: Prompt) -> Reply:
        """One question, one answer; every failure is an outcome, none is raised, and nothing is tried again."""
        ...


@asynccontextmanager
async def http_for(access: Access) -> AsyncIterator[httpx2.AsyncClient]:
    """Our guarded client for one question: no redirects, limited in time and size, and public addresses only, but for
    the operator's own. Raises TimeoutError when the time is up, also where an answer only trickles."""
    allowed = [host_port(access.base_url)] if access.own_host else []
    async with (
        asyncio.timeout(access.seconds),
        open_client(allowed_private=allowed, timeout=access.seconds, max_bytes=_MAX_BYTES) as http,
    ):
        yield http


def of_status(status: int) -> Reply:
    """The outcome of an answer with that status."""
    return Reply(_STATUSES.get(status, "failed"), detail=f"it answered {status}")


def of_fault(error: BaseException, seconds: float) -> Reply:
    """The outcome where no answer came, or none that can be read. Names the fault only: its text may quote a key."""
    causes = [error]
    while cause := causes[-1].__cause__:
        causes.append(cause)
    if any(isinstance(one, TimeoutError | httpx2.TimeoutException) for one in causes):
        return Reply("timeout", detail=f"no whole answer within {seconds:g} s")
    if any(isinstance(one, httpx2.ReadError) and "too large" in str(one) for one in causes):
        return Reply("too_large", detail=f"the answer has more than {_MAX_BYTES} bytes")
    if isinstance(error, ValueError):
        return Reply("unreadable", detail="the answer is no JSON of that API")
    return Reply("failed", detail=f"it cannot be reached ({type(causes[-1]).__name__})")


def json_in(text: str) -> JsonValue:
    """The JSON object that a text is, or holds among other words; None where there is none."""
    whole = text.encode("utf-8", "replace")
    for candidate in (whole, whole[whole.find(b"{") : whole.rfind(b"}") + 1]):
        if isinstance(found := json_of(candidate), dict):
            return found
    return None
