"""A stand-in for the running service: an HTTP server on loopback that answers what the test lists."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["AdminApi", "discovery", "served", "step"]

TOKEN = "token-of-the-test"
NOW = "2026-11-23T08:00:00Z"
LATER = "2026-11-23T08:00:01.5Z"


@dataclass
class AdminApi:
    """`answers` by `METHOD path`, each a list of (status, body) of which the last is repeated; `requests` that came."""

    answers: dict[str, list[tuple[int, Any]]]
    requests: list[tuple[str, Any, str | None]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: str, body: Any, token: str | None) -> tuple[int, Any]:
        self.requests.append((request, body, token))
        known = self.answers.get(request, [(404, {"title": "Not Found"})])
        return known.pop(0) if len(known) > 1 else known[0]


@contextmanager
def served(api: AdminApi, data_dir: Path) -> Iterator[AdminApi]:
    """Serve it, and write its address and token where the command finds them."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = json.loads(body) if body else None
            status, value = api.answer(f"{self.command} {self.path}", asked, self.headers.get("authorization"))
            if status == 0:  # The connection breaks.
                return
            text = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    data_dir.mkdir(exist_ok=True)
    (data_dir / "router.url").write_text(api.url)
    (data_dir / "admin.token").write_text(TOKEN)
    yield api
    server.shutdown()
    server.server_close()
    thread.join()


def step(seq: int, name: str, state: str = "done", detail: str = "") -> dict[str, Any]:
    ended = None if state == "running" else LATER
    return {"seq": seq, "name": name, "state": state, "detail": detail, "started_at": NOW, "ended_at": ended}


def discovery(state: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A discovery of demo/echo as the API tells it."""
    return {"id": "d1", "identifier": "demo/echo", "created_at": NOW, "state": state, "steps": list(steps), **more}
