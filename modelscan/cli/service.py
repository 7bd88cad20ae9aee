"""The running service, spoken to over its admin API."""

import http.client
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from modelscan.errors import ModelScanError, ServiceUnavailable, error_from_code
from modelscan.settings import Settings

__all__ = ["Service"]

# Blocking calls end by the service's own limits; this only notices one that hangs.
_TIMEOUT_SECONDS = 60.0
_START_IT = "Start it: scripts/serve (or modelscan serve)."


class Service:
    """The admin API at `url`, with the admin token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._token = token

    @classmethod
    def found_by(cls, settings: Settings, environ: Mapping[str, str] = os.environ) -> Self:
        """The service whose address and token stand in the data directory; raises ServiceUnavailable without them."""
        url = _first_line(settings.data_dir / "router.url")
        token = environ.get("MODELSCAN_ADMIN_TOKEN") or _first_line(settings.data_dir / "admin.token")
        if not url or not token:
            raise ServiceUnavailable(f"No service is running on {settings.data_dir}.", hint=_START_IT)
        return cls(url, token)

    def get(self, path: str) -> Any:
        """The JSON that GET answers; raises the error that a problem document tells."""
        return self._request("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that POST answers; raises the error that a problem document tells."""
        return self._request("POST", path, json.dumps(body).encode())

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that PUT answers; raises likewise."""
        return self._request("PUT", path, json.dumps(body).encode())

    def delete(self, path: str) -> Any:
        """The JSON that DELETE answers; raises likewise."""
        return self._request("DELETE", path)

    def answers(self) -> bool:
        """Whether anybody listens there; a service that was killed leaves its address behind."""
        try:
            self._request("GET", "/health")
        except ModelScanError as error:
            return not isinstance(error.__cause__, OSError)
        return True

    def _request(self, method: str, path: str, body: bytes | None = None) -> Any:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=_TIMEOUT_SECONDS)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, parts.path + path, body, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServiceUnavailable(
                f"The service at {self.url} does not answer: {error or error.__class__.__name__}.", hint=_START_IT
            ) from error
        finally:
            connection.close()
        return _answer(status, text)


def _answer(status: int, text: bytes) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = {}
    if status >= 400:
        raise _problem(status, value if isinstance(value, dict) else {})
    return value


def _problem(status: int, problem: dict[str, Any]) -> ModelScanError:
    """The error of a problem document; one without a code is told by its status."""
    known = {"type", "title", "status", "detail", "hint", "code"}
    code = str(problem.get("code") or problem.get("type", "")).rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    message = str(problem.get("detail") or problem.get("title") or f"The service answered {status}.")
    fields = {key: value for key, value in problem.items() if key not in known}
    return error_from_code(code, message, str(problem.get("hint", "")), fields)


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
