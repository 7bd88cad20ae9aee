"""The admin token: from the environment, else made at the first start and kept for its owner alone."""

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request

from modelscan.errors import Unauthorized

__all__ = ["admin_token", "require_token"]


def admin_token(data_dir: Path, environ: Mapping[str, str]) -> str:
    """MODELSCAN_ADMIN_TOKEN, else `data_dir`/admin.token, made (0600) if it is not there."""
    if given := environ.get("MODELSCAN_ADMIN_TOKEN"):
        return given
    path = data_dir / "admin.token"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    token = secrets.token_urlsafe(32)
    with open(descriptor, "w") as file:
        file.write(token)
    return token


def require_token(request: Request, token: str) -> None:
    """Raise Unauthorized unless the request carries the admin token; compared in constant time."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Unauthorized(
            "The admin token is missing or wrong.",
            hint="Send `Authorization: Bearer TOKEN` with MODELSCAN_ADMIN_TOKEN or admin.token of the data directory.",
        )
