"""The admin token: from the environment, else made at the first start and kept for its owner alone."""

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from modelscan.errors import Forbidden, Unauthorized
from router_app.door import Door, presented
from router_app.problems import problem

__all__ = ["AdminOnly", "actor_of", "admin_token"]

_ACTOR = "modelscan.actor"
_ADMIN = "admin token"
_LOOKING = frozenset({"GET", "HEAD"})
_SEND = (
    "Send `Authorization: Bearer TOKEN` with MODELSCAN_ADMIN_TOKEN, admin.token of the data directory, or a token of a "
    "role: modelscan tokens issue NAME --role admin."
)


def admin_token(data_dir: Path, environ: Mapping[str, str]) -> str:
    """MODELSCAN_ADMIN_TOKEN, else `data_dir`/admin.token, made (0600) if it is not there."""
    if given := environ.get("MODELSCAN_ADMIN_TOKEN", "").strip():
        return given
    path = data_dir / "admin.token"
    if path.exists() and (kept := path.read_text().strip()):
        return kept
    token = secrets.token_urlsafe(32)
    # Written whole under another name first: a process killed in between leaves no empty token behind.
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token)
    try:
        return _first(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def _first(fresh: Path, path: Path) -> str:
    """The token of the router process that was the first to make one: all of them open with the same."""
    try:
        os.link(fresh, path)
    except OSError:  # It is there, or this file system has no links.
        if path.exists() and (kept := path.read_text().strip()):
            return kept
        fresh.replace(path)
    return path.read_text().strip()


class AdminOnly:
    """Lets only requests through that carry the admin token, or one that was issued with a role; never a client's.

    The role `read-only` opens what only looks: GET.
    """

    def __init__(self, app: ASGIApp, token: str, door: Door) -> None:
        self._app = app
        self._token = token.encode()
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope[_ACTOR] = self._check(presented(scope["headers"]), scope["method"])
        except (Unauthorized, Forbidden) as error:
            await problem(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, found: list[bytes], method: str) -> str:
        """By what it was opened. Raises Unauthorized, Forbidden."""
        if any(hmac.compare_digest(text, self._token) for text in found):
            return _ADMIN
        if self._door.broken or not any(self._door.book.find(text) for text in found):
            raise Unauthorized("The admin token is missing or wrong.", hint=_SEND)
        token = self._door.token_of(found).token
        if token.role == "client":
            raise Forbidden(f"The token {token.name} is for models, and opens nothing here.", hint=_SEND)
        if token.role == "read-only" and method not in _LOOKING:
            raise Forbidden(f"The token {token.name} may look, and change nothing.", hint=_SEND)
        return f"token {token.name}"


def actor_of(request: Request) -> str:
    """Who asks the admin API: `admin token`, or `token` and the name of the one that was issued."""
    actor: str = request.scope[_ACTOR]
    return actor
