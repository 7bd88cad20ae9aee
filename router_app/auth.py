"""The admin token: from the environment, else made at the first start and kept for its owner alone."""

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from modelscan.errors import Unauthorized
from router_app.problems import problem

__all__ = ["AdminOnly", "admin_token"]


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
    fresh.replace(path)
    return token


class AdminOnly:
    """Lets only requests through that carry the admin token, compared in constant time."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self._token):
            await self._app(scope, receive, send)
            return
        error = Unauthorized(
            "The admin token is missing or wrong.",
            hint="Send `Authorization: Bearer TOKEN` with MODELSCAN_ADMIN_TOKEN or admin.token of the data directory.",
        )
        await problem(error)(scope, receive, send)
