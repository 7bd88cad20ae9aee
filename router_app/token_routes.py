"""The admin API's part about callers' tokens."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.tokens.store import Issued
from modelscan.types import TokenTerms
from router_app.bodies import IssueToken, read_body
from router_app.token_desk import TokenDesk

__all__ = ["TokenRoutes"]

Endpoint = Callable[[Request], Awaitable[Response]]


class TokenRoutes:
    """The endpoints below /api/tokens. A token's text is in two answers: to its issue, and to its rotation."""

    def __init__(self, desk: TokenDesk) -> None:
        self._desk = desk

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/tokens", self.list_all),
            ("POST", "/tokens", self.issue),
            ("GET", "/tokens/{name}", self.show),
            ("PUT", "/tokens/{name}", self.change),
            ("DELETE", "/tokens/{name}", self.delete),
            ("POST", "/tokens/{name}/revoke", self.revoke),
            ("POST", "/tokens/{name}/rotate", self.rotate),
        ]

    async def list_all(self, _: Request) -> Response:
        return JSONResponse([one.model_dump(mode="json") for one in self._desk.list_standing()])

    async def show(self, request: Request) -> Response:
        return self._told(_named(request))

    async def issue(self, request: Request) -> Response:
        asked = await read_body(request, IssueToken)
        return self._handed(await self._desk.issue(asked.name, asked.role, asked.terms, asked.expires_at), 201)

    async def rotate(self, request: Request) -> Response:
        return self._handed(await self._desk.rotate(_named(request)), 200)

    async def change(self, request: Request) -> Response:
        changed = await self._desk.change(_named(request), await read_body(request, TokenTerms))
        return self._told(changed.id)

    async def revoke(self, request: Request) -> Response:
        return self._told((await self._desk.revoke(_named(request))).id)

    async def delete(self, request: Request) -> Response:
        return JSONResponse((await self._desk.delete(_named(request))).model_dump(mode="json"))

    def _told(self, name: str) -> Response:
        return JSONResponse(self._desk.standing(name).model_dump(mode="json"))

    def _handed(self, issued: Issued, status: int) -> Response:
        standing = self._desk.standing(issued.token.id).model_dump(mode="json")
        headers = {"cache-control": "no-store"}
        return JSONResponse({**standing, "token": issued.secret.get_secret_value()}, status, headers)


def _named(request: Request) -> str:
    name: str = request.path_params["name"]
    return name
