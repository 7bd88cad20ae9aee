"""A local upstream that serves the sources' lists, and sends none that its caller has already."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Upstream", "serving"]


class Upstream:
    """What it serves can be changed while it runs."""

    def __init__(self) -> None:
        self.origin = ""
        self.bodies: dict[str, bytes] = {}
        """By path."""
        self.status = 200
        self.answers: list[tuple[str, int]] = []
        """(path, status), in order."""

    @property
    def models_dev(self) -> str:
        """Where its models.dev list is."""
        return f"{self.origin}/api.json"

    @property
    def genai_prices(self) -> str:
        """Where its list of genai-prices is."""
        return f"{self.origin}/prices.json"

    def serve(self, models_dev: Any, genai_prices: Any = None) -> None:
        """Serve these from now on: JSON values, or bytes as they are."""
        for path, body in (("/api.json", models_dev), ("/prices.json", genai_prices)):
            if body is not None:
                self.bodies[path] = body if isinstance(body, bytes) else json.dumps(body).encode()


@contextmanager
def serving() -> Iterator[Upstream]:
    """One on a free port."""
    upstream = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = upstream.bodies.get(self.path, b"")
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            status = upstream.status if body else 404
            if status == 200 and self.headers.get("if-none-match") == etag:
                status = 304
            upstream.answers.append((self.path, status))
            self.send_response(status)
            self.send_header("etag", etag)
            sent = body if status == 200 else b""
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    upstream.origin = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield upstream
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
