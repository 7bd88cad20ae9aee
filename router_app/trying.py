"""Tries one key at its provider: by a call that costs nothing, and by a chat only where that is asked for."""

import time
from typing import Literal

from modelscan.clients.registry import Route
from modelscan.errors import HostRefused, InvalidInput, UpstreamFailed
from modelscan.keys.store import UsableKey, sendable
from modelscan.redaction import redact
from modelscan.sources.http import host_port
from modelscan.types import Frozen
from modelscan.visible import visible
from modelscan.wire import protocol_of
from modelscan.wire.chat.foreign import said_error
from modelscan.wire.chat.spoke import compact
from router_app.outgoing import filled, keyed, static
from router_app.unpacking import unpacked
from router_app.upstream import Upstream, UpstreamAnswer
from router_app.whole import json_of

__all__ = ["Call", "Tried", "try_key"]

_WITHIN_SECONDS = 30.0
_MOST_BYTES = 8 * 2**20
_MOST_WORDS = 200

Verdict = Literal["taken", "refused", "limited", "unclear", "unreachable"]
_OF_STATUS: dict[int, Verdict] = {401: "refused", 403: "refused", 402: "limited", 429: "limited"}


class Call(Frozen):
    """One call to the provider, and what it says about the key."""

    what: Literal["models", "models without a key", "chat"]
    status: int | None
    """None where nobody answered."""
    verdict: Verdict
    detail: str
    milliseconds: float


class Tried(Frozen):
    """What was seen."""

    provider: str
    id: str
    prefix: str
    verdict: Verdict
    """Of the call that says most: a chat, else the list of models."""
    why: str
    calls: tuple[Call, ...]


async def try_key(upstream: Upstream, route: Route, usable: UsableKey, *, chat: bool) -> Tried:
    """Ask for the list of models with the key and, where that is given, without it: only a list that is not given to
    everybody proves a key. With `chat` also for one tiny chat. Raises InvalidInput where the key is for another server,
    or for none.
    """
    spec = route.spec
    if spec.auth.kind == "none":
        raise InvalidInput(
            f"{spec.provider} wants no key.", hint=f"It is asked without: modelscan verify {spec.provider}"
        )
    if spec.operator_host and not sendable([usable], host_port(filled(route, route.base))):
        raise InvalidInput(f"This key was given for {usable.key.host}, and is sent nowhere else.")
    trying = _Trying(upstream, route, usable)
    calls = await trying.models()
    if chat:
        calls.append(await trying.chat())
    verdict, why = _said(calls)
    return Tried(
        provider=spec.provider, id=usable.key.id, prefix=usable.key.prefix, verdict=verdict, why=why, calls=tuple(calls)
    )


class _Trying:
    def __init__(self, upstream: Upstream, route: Route, usable: UsableKey) -> None:
        self._upstream = upstream
        self._route = route
        self._headers = static(route, [])
        self._keyed = keyed(self._headers, route.spec.auth, usable.secret_bytes)

    async def models(self) -> list[Call]:
        """None where the provider has no such list."""
        endpoint = self._route.spec.endpoint("models")
        if endpoint is None:
            return []
        url = self._route.spec.url(endpoint, base_url=self._route.base)
        first = await self._call("models", endpoint.method, url, keyed=True)
        if first.verdict != "taken":
            return [first]
        return [first, await self._call("models without a key", endpoint.method, url, keyed=False)]

    async def chat(self) -> Call:
        """The smallest one, with the model that validation talks to."""
        spec = self._route.spec
        body = compact(protocol_of(spec).chat_body(spec.test_model, spec.quirks)).encode()
        return await self._call("chat", "POST", self._route.url, keyed=True, body=body)

    async def _call(
        self,
        what: Literal["models", "models without a key", "chat"],
        method: str,
        url: str,
        *,
        keyed: bool,
        body: bytes = b"",
    ) -> Call:
        began, status = time.perf_counter(), None
        headers = self._keyed if keyed else self._headers
        try:
            answer = await self._upstream.send(method, filled(self._route, url), headers, body, _WITHIN_SECONDS)
            status = answer.status
            verdict, detail = _OF_STATUS.get(status, "taken" if status < 300 else "unclear"), await _detail(answer)
        except (UpstreamFailed, HostRefused) as error:
            verdict, detail = "unreachable", error.message
        took = (time.perf_counter() - began) * 1000
        shown = visible(redact(detail), _MOST_WORDS)
        return Call(what=what, status=status, verdict=verdict, detail=shown, milliseconds=round(took, 1))


async def _detail(answer: UpstreamAnswer) -> str:
    """How many models are listed, or what the provider says of its refusal."""
    body, plain = bytearray(), unpacked(answer)
    try:
        while chunk := await plain.read():
            body += chunk
            if len(body) > _MOST_BYTES:
                break
    finally:
        await answer.aclose()
    payload = json_of(bytes(body))
    if answer.status >= 300:
        return said_error(payload)[0]
    listed = payload.get("data", payload.get("models")) if isinstance(payload, dict) else payload
    return f"{len(listed)} models" if isinstance(listed, list) else ""


def _said(calls: list[Call]) -> tuple[Verdict, str]:
    """The verdict on the key, and why it is that."""
    if not calls:
        return "unclear", "the provider has no list of models, which would cost nothing: try --chat"
    last = calls[-1]
    if last.what == "models without a key" and last.verdict == "taken":
        return "unclear", "the list of models is given without a key, too: try --chat"
    if last.what == "models without a key":
        last = calls[0]
    words = {
        "taken": "the provider takes it",
        "refused": f"the provider refuses it with status {last.status}",
        "limited": f"the provider knows it, and gives it nothing now: status {last.status}",
        "unclear": f"the provider answered with status {last.status}",
        "unreachable": "the provider did not answer",
    }
    return last.verdict, words[last.verdict]
