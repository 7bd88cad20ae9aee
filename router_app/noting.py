"""Usage rows of requests that no model answers: turned away at the gate, about the list of models, astray."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelscan.redaction import redact
from modelscan.types import UsageEvent, utc_now
from router_app.door import CALLER
from router_app.problems import CODE
from router_app.serving import Serving

__all__ = ["Notes"]

_CALLER_LEFT = 499
_LONGEST_NAME, _READ_NAME = 256, 1024
_MODELS = "/v1/models"
_CLIENT = b"x-modelscan-client"
_NOTHING = Decimal(0)
_random = random.Random().getrandbits  # noqa: S311 - ids are to be different, not secret


class Notes:
    """Has one usage row tell of each answer, written before the answer's head. Nothing was used."""

    def __init__(self, serving: Serving, operations: Mapping[str, str]) -> None:
        """`operations`: what a request of that path asks for; of others than these and models it is `unknown`."""
        self._serving = serving
        self._operations = operations

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer of `app`, noted."""
        note = _Note(send)
        try:
            await app(scope, receive, lambda message: note.send(message, lambda: self._account(note, scope)))
        finally:
            if not note.status:
                self._account(note, scope)

    def _account(self, note: "_Note", scope: Scope) -> None:
        registry, path = self._serving.current, scope["path"]
        of_models = path == _MODELS or path.startswith(f"{_MODELS}/")
        client = next((value for name, value in scope["headers"] if name == _CLIENT), b"")
        event = UsageEvent(
            request_id=note.id,
            at=note.at,
            asked_model=redact(path[len(_MODELS) + 1 :][:_READ_NAME])[:_LONGEST_NAME] if of_models else "",
            operation="models" if of_models else self._operations.get(path, "unknown"),
            status=note.status or _CALLER_LEFT,
            error_code=scope.get(CODE),
            cancelled=not note.status,
            token_id=scope.get(CALLER),
            client=client.decode("latin-1")[:_LONGEST_NAME] or None,
            prompt_tokens=0,
            completion_tokens=0,
            cost_usd=_NOTHING,
            latency_ms=(time.perf_counter() - note.began) * 1000,
            generation=registry.generation if registry else 0,
        )
        self._serving.account(event)


@dataclass(slots=True)
class _Note:
    """What is known of one request."""

    to_caller: Send
    id: str = field(default_factory=lambda: f"req_{_random(128):032x}")
    at: datetime = field(default_factory=utc_now)
    began: float = field(default_factory=time.perf_counter)
    status: int = 0

    async def send(self, message: Message, account: Callable[[], None]) -> None:
        """Account for the answer before its head is sent, which tells the row's id."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            account()
            message = {**message, "headers": [*message["headers"], (b"x-request-id", self.id.encode())]}
        await self.to_caller(message)
