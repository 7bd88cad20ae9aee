"""A provider that does well until it is told otherwise, and remembers what it was asked with."""

from dataclasses import dataclass, field

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from modelscan.reference import create_reference

__all__ = ["Ailing"]


@dataclass
class Ailing:
    """The reference provider; while `status` is set, that is its answer to all."""

    status: int | None = None
    key: str | None = None
    asked: list[tuple[str, bytes | None]] = field(default_factory=list)
    """Path and authorization of each request."""

    def __post_init__(self) -> None:
        self._well: ASGIApp = create_reference(models=("echo",), key=self.key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append((scope["path"], dict(scope["headers"]).get(b"authorization")))
        error = {"error": {"message": f"ailing {self.status}", "type": "server_error", "code": None, "param": None}}
        app = JSONResponse(error, self.status) if self.status else self._well
        await app(scope, receive, send)
