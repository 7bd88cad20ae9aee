"""OpenAI's other endpoints: requests and answers pass as they are, to providers of that protocol, if they have them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from modelscan.clients.registry import Route
from modelscan.errors import UpstreamFailed, WrongEndpoint
from modelscan.types import Endpoint
from modelscan.usage.estimate import DEFAULT_COMPLETION, reserved
from modelscan.wire.openai_chat import OPENAI_CHAT
from router_app.adapting import ask_for_usage
from router_app.asking import Asked
from router_app.exchange import Exchange
from router_app.inference import Inference
from router_app.multipart import Form, is_form
from router_app.outgoing import Outgoing, Prepare, filled, static
from router_app.serving import Serving
from router_app.upstream import Headers, UpstreamAnswer
from router_app.whole import is_event_stream

__all__ = ["PASSED", "Passing"]

PASSED = (
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/completions",
    "/embeddings",
    "/images/edits",
    "/images/generations",
    "/images/variations",
    "/moderations",
    "/rerank",
)
"""Their paths below the base URL, and below /v1 here."""
_WITHOUT_ANSWER = frozenset({"/embeddings", "/moderations", "/rerank"})
"""Those whose answers hold no tokens that a model made."""
_BYTES_OF_SOUND, _PICTURES = 64, 8192
"""Of a token at the least, and the tokens that some pictures come to."""
_LIKE_CHATS = "/completions"
"""Its streams tell their usage only where that is asked for."""
_AS_ONE = (b"application/json", b"application/problem+json", b"text/plain")


class Passing(Inference):
    """One of them. The model names the provider; nothing else of a request is read, and of an answer only its usage."""

    def __init__(self, serving: Serving, path: str) -> None:
        super().__init__(serving, OPENAI_CHAT)
        self.named = path.removeprefix("/")
        self._endpoint = Endpoint(operation="chat", method="POST", path=path)  # Only its place counts here.
        self._passed = frozenset({b"content-type"})
        if path in _WITHOUT_ANSWER:
            self._uses = "prompt"

    def _asked(self, exchange: Exchange, passed: Headers, body: bytes) -> tuple[Mapping[str, Any], Prepare]:
        content_type = next((value for _, value in passed), b"")
        form = Form.read(body, content_type) if is_form(content_type) else None
        asked = form or Asked(body)
        members = {"model": asked.model} if isinstance(asked, Form) else asked.members
        if form is None:
            exchange.most = reserved(body, members)
            exchange.foreseen = sum(exchange.most)
        else:  # How many tokens sound or a picture is, is hardly told by its bytes: keys are not chosen by that.
            exchange.most = len(body) // _BYTES_OF_SOUND + _PICTURES, DEFAULT_COMPLETION
        return members, partial(self._outgoing_as_it_is, exchange, passed, body, asked)

    def _outgoing_as_it_is(
        self, exchange: Exchange, passed: Headers, body: bytes, asked: Form | Asked, route: Route
    ) -> Outgoing:
        if route.spec.protocol != OPENAI_CHAT.name:
            raise WrongEndpoint(
                f"{route.spec.provider} does not speak OpenAI's protocol, and has no {self._endpoint.path}.",
                hint="Ask a model of a provider that has one.",
                protocol=route.spec.protocol,
            )
        hide_usage = False
        if isinstance(asked, Form):
            body = asked.with_model(route.model)
        else:
            asked = asked.unchanged()  # It may have been made for another one before.
            if self._endpoint.path == _LIKE_CHATS and asked.members.get("stream") is True:
                hide_usage = ask_for_usage(asked, route.spec)
            asked.put("model", route.model)
            body = asked.body()
        url = filled(route, route.spec.url(self._endpoint, base_url=route.base, model=route.model))
        if exchange.query:
            url = self._with_query(exchange, url)
        headers = static(route, passed if isinstance(asked, Form) else [])
        return Outgoing(url, headers, body, partial(self._tell_or_pass, exchange, hide_usage))

    async def _tell_or_pass(
        self, exchange: Exchange, hide_usage: bool, answer: UpstreamAnswer, headers: Headers
    ) -> None:
        kind = next((value for name, value in headers if name == b"content-type"), b"")
        if answer.status >= 400 or is_event_stream(answer.headers) or kind.lower().startswith(_AS_ONE):
            await self._tell(exchange, hide_usage, answer, headers)
            return
        await exchange.start(answer.status, headers)
        try:
            while chunk := await answer.read():
                exchange.came(chunk)
                await exchange.more(chunk)
        except UpstreamFailed as error:  # Sound or a picture that is cut: the caller's connection is cut, too.
            exchange.status, exchange.error_code = 502, error.code
            exchange.account()
            raise ConnectionResetError(str(error)) from error
        await exchange.finish(b"")
