"""A receiver of webhooks on loopback, which checks signatures in its own way, as the specification describes it."""

import hashlib
import hmac
import json
import threading
import time
from base64 import standard_b64decode, standard_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["SECRET", "Receiver", "receiving", "verified"]

SECRET = "whsec_" + standard_b64encode(bytes(range(32))).decode()


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the signatures of version 1 is that of this body."""
    key = standard_b64decode(secret[len("whsec_") :])
    mac = hmac.new(key, digestmod=hashlib.sha256)
    mac.update(headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b".")
    mac.update(body)
    own = mac.digest()
    for one in headers["webhook-signature"].split(" "):
        version, _, signature = one.partition(",")
        if version == "v1" and hmac.compare_digest(standard_b64decode(signature), own):
            return True
    return False


Answer = tuple[int, dict[str, str]]


@dataclass
class Receiver:
    """What came, and what is answered: `answers` in turn, then 204."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    between: Callable[[], None] = lambda: None
    """Called with each letter before it is answered."""

    @property
    def told(self) -> list[dict[str, Any]]:
        """The bodies that came; each is checked first: signature, and a time of now."""
        for headers, body in self.came:
            assert verified(SECRET, headers, body)
            assert abs(time.time() - int(headers["webhook-timestamp"])) < 300
            assert headers["content-type"] == "application/json"
        return [json.loads(body) for _, body in self.came]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.came]


@contextmanager
def receiving(*answers: Answer) -> Iterator[Receiver]:
    receiver = Receiver(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            receiver.between()
            status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook?token=of-the-receiver"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
