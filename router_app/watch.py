"""Notices callers who go away before their answer is complete, and ends what runs for them."""

import asyncio

from starlette.types import Scope

from router_app.cycle import LEFT, TASK
from router_app.exchange import Exchange

__all__ = ["Watch"]


class Watch:
    """Cancels what runs inside when the caller goes away before the answer is complete.

    The connection tells of that itself (`LEFT`): to await it in a task of its own would cost more than all the rest.
    """

    __slots__ = ("_exchange", "_left", "_scope", "_task")

    def __init__(self, scope: Scope, exchange: Exchange) -> None:
        self._exchange = exchange
        self._left = False
        task = scope.get(TASK) or asyncio.current_task()
        assert task is not None
        self._task: asyncio.Task[object] = task
        self._scope = scope

    def __enter__(self) -> None:
        self._scope[LEFT] = self._leave

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """Whether the cancellation was this watch's own, and ends here."""
        del self._scope[LEFT]  # Else all that belongs to a request would hold each other, for the collector to find.
        return kind is asyncio.CancelledError and self._left and self._task.uncancel() == 0

    def _leave(self) -> None:
        if not self._exchange.complete:
            self._left = True
            self._task.cancel()
