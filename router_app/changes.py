"""The admin API's part about changes: listed, streamed, approved and rejected."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.catalog import drift
from modelscan.drift.asking import asked_changes
from modelscan.errors import InvalidInput
from router_app.auth import actor_of
from router_app.bodies import Judge, has_body, read_body
from router_app.change_feed import ChangeFeed
from router_app.deciding import Deciding
from router_app.event_stream import HEARTBEAT, EventStream, event

__all__ = ["Changes"]

Endpoint = Callable[[Request], Awaitable[Response]]
_FURTHEST = 2**53
_GONE = "What lies between is kept no longer. GET /api/changes lists what counts."
_AGAIN = "retry: 2000\n\n"


class Changes:
    """The endpoints below /api/changes."""

    def __init__(self, deciding: Deciding, feed: ChangeFeed) -> None:
        self._deciding = deciding
        self._database = deciding.database
        self._feed = feed

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/changes", self.list_changes),
            ("GET", "/changes/stream", self.stream),
            ("GET", "/changes/{id}", self.show),
            ("POST", "/changes/{id}/approve", self.approve),
            ("POST", "/changes/{id}/reject", self.reject),
        ]

    async def list_changes(self, request: Request) -> Response:
        """One page, the newest first; where it is full, `Link` leads to the next."""
        asked = asked_changes(request.query_params.multi_items())
        found = await asyncio.to_thread(asked.found, self._database)
        headers = {}
        if len(found) == asked.limit:
            following = request.url.include_query_params(before=found[-1].id)
            headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
        return JSONResponse([change.model_dump(mode="json") for change in found], headers=headers)

    async def show(self, request: Request) -> Response:
        found = await asyncio.to_thread(drift.get, self._database, request.path_params["id"])
        return JSONResponse(found.model_dump(mode="json"))

    async def stream(self, request: Request) -> Response:
        """The feed from `Last-Event-ID`, or `?after=`, on; without either from now on."""
        after = _number(request.headers.get("last-event-id") or request.query_params.get("after"))
        if request.method == "HEAD":
            return EventStream.head()
        await self._feed.enter()
        return EventStream(self._told(after), self._feed.leave)

    async def approve(self, request: Request) -> Response:
        return await self._judge(request, approved=True)

    async def reject(self, request: Request) -> Response:
        return await self._judge(request, approved=False)

    async def _judge(self, request: Request, *, approved: bool) -> Response:
        """The change after the verdict, and the discovery that has it take effect, if it needs one."""
        asked = await read_body(request, Judge) if has_body(request) else Judge()
        decided = await self._deciding.judge(
            request.path_params["id"], approved=approved, actor=actor_of(request), reason=asked.reason
        )
        return JSONResponse(decided.model_dump(mode="json"))

    async def _told(self, after: int | None) -> AsyncIterator[str]:
        yield _AGAIN
        async for line in self._feed.lines(after):
            if line and after is not None and line.seq > after + 1:
                yield event("gap", json.dumps({"after": after, "next": line.seq, "hint": _GONE}), id_=line.seq - 1)
            if line:
                after = line.seq
            yield event("change", line.model_dump_json(), id_=line.seq) if line else HEARTBEAT


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and int(text) < _FURTHEST:
        return int(text)
    raise InvalidInput(f"{text[:40]!r} is no number of an event.", hint="Send the id of the last event that you had.")
