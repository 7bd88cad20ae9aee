"""Asks the real host, without a key, whether it answers as an API of its protocol should."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import httpx2

from modelscan.errors import HostRefused
from modelscan.sources.json_body import json_of
from modelscan.types import CaseResult, ClientSpec, Level
from modelscan.wire import protocol_of

__all__ = ["BUSY", "REFUSED", "Answer", "judge_chat", "judge_models", "probe"]

REFUSED = frozenset({401, 403})
"""The statuses of a key that is missing or not accepted."""
BUSY = frozenset({402, 429, 503, 529})
"""The statuses of a quota or an overload: they prove nothing about the client."""
_UNAVAILABLE = BUSY | {500, 502, 504}
_BODY_BYTES = 8 * 2**20
_ASKS_FOR_KEY = re.compile(r"\b(api[ _-]?key|auth\w*|token|credentials?)\b", re.IGNORECASE)
_LOGIN_SCHEMES = ("basic", "digest", "negotiate", "ntlm")


@dataclass(frozen=True)
class Answer:
    """What the host answered to one request."""

    status: int
    content_type: str = ""
    www_authenticate: str = ""
    payload: Any = None
    """The parsed JSON body; None where it is no JSON."""
    text: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.status} {self.content_type.partition(';')[0] or 'without a content type'}"

    @property
    def json_error(self) -> bool:
        """Whether the body is an error as JSON APIs write it, in any of the usual shapes."""
        return isinstance(self.payload, dict) and bool({"error", "detail", "message", "errors"} & self.payload.keys())

    @property
    def asks_for_key(self) -> bool:
        """Whether it is an API's refusal of a request without a key (not a web page's login)."""
        if self.status in REFUSED:
            login = self.www_authenticate.lower().startswith(_LOGIN_SCHEMES)
            return self.json_error or (self.status == 401 and not login)  # some gateways answer a bare 401 page
        return self.status == 400 and self.json_error and bool(_ASKS_FOR_KEY.search(self.text))


Verdict = tuple[str, str]
"""An outcome of CaseResult and its detail."""


def judge_models(answer: Answer) -> Verdict:
    """GET models should be a list, or an API's refusal."""
    if answer.status == 200 and _is_list(answer.payload):
        return "passed", ""
    if answer.asks_for_key:
        return "passed", ""
    if answer.status in _UNAVAILABLE:
        return "skipped", f"the host answered {answer}: it is busy or out of order"
    return "failed", f"expected a list of models, or 401 or 403 with a JSON error; got {answer}"


def _is_list(payload: Any) -> bool:
    rows = payload.get("data", payload.get("models")) if isinstance(payload, dict) else payload
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def judge_chat_with_key(answer: Answer) -> Verdict:
    """POST chat, well-formed but without the key, should be refused for that."""
    if answer.asks_for_key:
        return "passed", ""
    if answer.status in _UNAVAILABLE:
        return "skipped", f"the host answered {answer}: it is busy or out of order"
    return "failed", f"expected 401 or 403 with a JSON error to a chat without a key; got {answer}"


def judge_chat_without_key(answer: Answer) -> Verdict:
    """POST chat with an empty object, where no key is needed, should be a JSON error about the request."""
    if answer.status in REFUSED:
        return "failed", f"expected to be served without a key; got {answer}"
    if not answer.json_error or answer.status < 400 or (answer.status in (404, 405) and "model" not in answer.text):
        return "failed", f"expected a JSON error to an empty chat request; got {answer}"
    if answer.status in BUSY:
        return "skipped", f"the host answered {answer}: it is busy or out of order"
    return "passed", ""  # llama.cpp's older servers answer 500 with a JSON error here


def judge_chat(spec: ClientSpec, answer: Answer) -> Verdict:
    """Judge the answer to `chat_request(spec)`."""
    return judge_chat_without_key(answer) if spec.auth.kind == "none" else judge_chat_with_key(answer)


def _chat_body(spec: ClientSpec) -> dict[str, Any]:
    """An empty request where no key is needed, so that it costs nothing; else a good one that lacks only the key."""
    if spec.auth.kind == "none":
        return {}
    return protocol_of(spec).chat_body(spec.test_model, spec.quirks)


async def probe(
    spec: ClientSpec, base_url: str, http: httpx2.AsyncClient, *, seconds: float = 20.0
) -> tuple[CaseResult, ...]:
    """Ask both endpoints of `spec` below `base_url` at once, without a key, and for at most `seconds`.

    Returns a result for each endpoint the specification has. A host that cannot be reached, or that HostRefused keeps
    us from, gives skips: that proves nothing about the client.
    """
    asked: list[Awaitable[CaseResult]] = []
    if models := spec.endpoint("models"):
        answer = _ask(http, models.method, spec.url(models, base_url=base_url), spec.headers, None)
        asked.append(_case("models_without_key", answer, judge_models, seconds))
    url = spec.url(spec.chat, base_url=base_url, model=spec.test_model)
    answer = _ask(http, spec.chat.method, url, spec.headers, _chat_body(spec))
    asked.append(_case("chat_without_key", answer, partial(judge_chat, spec), seconds))
    return tuple(await asyncio.gather(*asked))


async def _case(case: str, asked: Awaitable[Answer], judge: Callable[[Answer], Verdict], seconds: float) -> CaseResult:
    began, status = monotonic(), None
    try:
        async with asyncio.timeout(seconds):
            answer = await asked
        (outcome, detail), status = judge(answer), answer.status
    except TimeoutError:
        outcome, detail = "skipped", f"the host did not answer within {seconds:g} s"
    except (httpx2.HTTPError, httpx2.InvalidURL, HostRefused) as error:
        words = str(error) or type(error).__name__
        outcome, detail = "skipped", f"the host could not be reached: {words}"
    took = monotonic() - began
    return CaseResult.model_validate(
        {"case": case, "level": Level.PROBE, "outcome": outcome, "detail": detail, "status": status, "seconds": took}
    )


async def _ask(
    http: httpx2.AsyncClient, method: str, url: str, headers: Mapping[str, str], body: dict[str, Any] | None
) -> Answer:
    async with http.stream(method, url, headers=headers, json=body) as response:
        came = await _read(response)
    headers = response.headers
    www_authenticate, text = headers.get("www-authenticate", ""), came.decode(errors="replace")
    return Answer(response.status_code, headers.get("content-type", ""), www_authenticate, json_of(came), text)


async def _read(response: httpx2.Response) -> bytes:
    """The body, up to its cap; the rest could only be more of what is no sensible answer."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _BODY_BYTES:
            break
    return bytes(body)
