"""Notices callers who go away before their answer is complete, and ends what runs for them."""

import asyncio

from starlette.types import Receive

from router_app.exchange import Exchange

__all__ = ["Watch", "Watches"]

_UNWATCHED_SECONDS = 0.05


class Watches:
    """Those of a router. Whose request lasts is watched from the second look on; one timer looks after all."""

    def __init__(self, seconds: float = _UNWATCHED_SECONDS) -> None:
        self._seconds = seconds
        self._new: set[Watch] = set()
        self._seen: list[Watch] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: "Watch") -> None:
        """It begins."""
        self._new.add(watch)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look)

    def remove(self, watch: "Watch") -> None:
        """It ends."""
        self._new.discard(watch)

    def _look(self) -> None:
        for watch in self._seen:
            if watch in self._new:
                self._new.remove(watch)
                watch.start()
        self._seen = list(self._new)
        again = asyncio.get_running_loop().call_later
        self._timer = again(self._seconds, self._look) if self._seen else None


class Watch:
    """Cancels what runs inside when the caller goes away before the answer is complete.

    Who is answered at once is not watched: a task of its own for each request costs more than most of the request.
    """

    __slots__ = ("_among", "_exchange", "_left", "_receive", "_task", "_watching")

    def __init__(
        self, receive: Receive, exchange: Exchange, among: Watches, task: "asyncio.Task[object] | None" = None
    ) -> None:
        """`task` is the one of the request, where it is known already."""
        self._receive = receive
        self._exchange = exchange
        self._among = among
        self._left = False
        self._task = task
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._task = self._task or asyncio.current_task()
        self._among.add(self)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """Whether the cancellation was this watch's own, and ends here."""
        self._among.remove(self)
        if self._watching is not None:
            self._watching.cancel()
        if kind is not asyncio.CancelledError or not self._left:
            return False
        return self._task is not None and self._task.uncancel() == 0

    def start(self) -> None:
        """Watch, beside the request."""
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._exchange.complete and self._task is not None:
            self._left = True
            self._task.cancel()
