"""A language model's server that answers by a script, in Anthropic's Messages and in OpenAI's chat completions."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from modelscan.reference import serve_in_thread

__all__ = ["FORMS", "ScriptedModel", "scripted"]

FORMS = ("json_schema", "tool", "text")
"""How OpenAI's API is asked for JSON; a server may understand some of them only."""
Fixed = dict[str, Any] | str | int
Turn = Fixed | Callable[[str], Fixed]
"""A proposal, or a function of the question's text; or a fault: a status, or one of `garbage`, `refusal`, `truncated`,
`huge`, `hold`, `no_tool`, `page`, `packed`, `redirect`, `odd`. `{"mute": proposal}` does not tell its usage."""


class ScriptedModel:
    """Answers one turn a request, the last one again and again; remembers what it was asked."""

    def __init__(self, script: Sequence[Turn], forms: Sequence[str] = FORMS) -> None:
        self.script = list(script)
        self.forms = forms
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    @property
    def prompts(self) -> list[str]:
        """What was asked: the whole of each request's text, and who was told it."""
        return [json.dumps(body, ensure_ascii=False) for body in self.asked]

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/messages", self.messages, methods=["POST"]),
                Route("/v1/chat/completions", self.completions, methods=["POST"]),
            ]
        )

    async def messages(self, request: Request) -> Response:
        turn = await self._turn(request)
        if isinstance(turn, Response):
            return turn
        usage = {"input_tokens": 1000, "output_tokens": 100}
        blocks: list[dict[str, Any]] = [{"type": "text", "text": "Certainly."}]
        if isinstance(turn, dict):
            usage = {} if "mute" in turn else usage
            blocks.append({"type": "tool_use", "id": "t1", "name": "propose", "input": turn.get("mute", turn)})
        stop = {"refusal": "refusal", "truncated": "max_tokens", "no_tool": "end_turn"}.get(str(turn), "tool_use")
        return JSONResponse({"id": "m", "type": "message", "content": blocks, "stop_reason": stop, "usage": usage})

    async def completions(self, request: Request) -> Response:
        body = json.loads(await request.body())
        form = "json_schema" if "response_format" in body else "tool" if "tools" in body else "text"
        if form not in self.forms:
            self._remember(request, body)
            return JSONResponse({"error": {"message": f"{form} is not supported"}}, 400)
        turn = await self._turn(request)
        if isinstance(turn, Response):
            return turn
        usage: dict[str, Any] | None = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        said = {"no_tool": "I would rather talk.", "garbage": "{{{ no", "truncated": '{"proto'}.get(str(turn), "")
        message: dict[str, Any] = {"role": "assistant", "content": said}
        if isinstance(turn, dict):
            usage = None if "mute" in turn else usage
            said = json.dumps(turn.get("mute", turn))
            call = {"id": "c1", "type": "function", "function": {"name": "propose", "arguments": said}}
            message |= {"content": None, "tool_calls": [call]} if form == "tool" else {"content": f"Here:\n{said}\n"}
        if turn == "refusal":
            message |= {"content": None, "refusal": "I will not."}
        choice = {"index": 0, "message": message, "finish_reason": "length" if turn == "truncated" else "stop"}
        return JSONResponse({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage})

    async def _turn(self, request: Request) -> Fixed | Response:
        """The next turn; a fault that is the same in both APIs is answered here."""
        body = json.loads(await request.body())
        self._remember(request, body)
        turn = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if callable(turn):
            turn = turn(body["messages"][-1]["content"])
        if isinstance(turn, int):
            return JSONResponse({"error": {"message": f"{request.headers} was wrong", "type": "x"}}, turn)
        if turn == "hold":
            await asyncio.Event().wait()
        faults = {
            "page": Response("<html>Welcome</html>", media_type="text/html"),
            "odd": JSONResponse({"content": "odd", "choices": [], "usage": -1}),
            "huge": Response(b'{"content": "' + b"x" * 2**21 + b'"}', media_type="application/json"),
            "packed": Response(b"\x1f\x8b", headers={"content-encoding": "gzip"}),
            "redirect": Response(status_code=302, headers={"location": "http://elsewhere.example/v1"}),
        }
        return faults.get(turn, turn) if isinstance(turn, str) else turn

    def _remember(self, request: Request, body: dict[str, Any]) -> None:
        self.asked.append(body)
        self.headers.append(dict(request.headers))


@contextmanager
def scripted(*script: Turn, forms: Sequence[str] = FORMS) -> Iterator[ScriptedModel]:
    """A running server; `url` is its origin."""
    model = ScriptedModel(script, forms)
    with serve_in_thread(model.app()) as model.url:
        yield model
