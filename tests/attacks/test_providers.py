"""A provider that lies while it serves costs neither the memory of the router nor the usage of others."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.catalog import keys as key_rows
from modelscan.catalog.database import Database
from modelscan.catalog.stats import stats
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidInput
from modelscan.keys import store
from modelscan.settings import Settings
from modelscan.types import Auth, ClientSpec, Endpoint, UsageStat
from modelscan.wire.openai_chat import StreamUsage
from router_app import whole
from router_app.sse import Relay
from tests.attacks.table import Attack, attacks
from tests.catalogues import migrate
from tests.router_app.peers import Scripted
from tests.router_app.routers import KEY, scripted
from tests.validation.specs import a_spec

MEBIBYTE = 2**20
COUNTS = (
    Attack("past 64 bits", 2**63),
    Attack("the most of 64 bits", 2**63 - 1),
    Attack("a thousand digits", 10**999),
    Attack("negative", -1),
    Attack("beyond all", float("inf")),
    Attack("a truth", True),
    Attack("a text", "7; DROP TABLE usage_tracking"),
    Attack("a list", [1]),
)


def answered(body: bytes, *, stream: bool, settings: Settings, times: int = 2) -> list[UsageStat]:
    """What the catalogue counts after chats that were answered so."""
    kind = b"text/event-stream" if stream else b"application/json"
    peer = Scripted([b"data: " + body + b"\n\n" if stream else body], content_type=kind)

    async def story() -> None:
        auth = Auth(header="X-Key", scheme="")
        async with scripted(peer, settings, auth=auth) as router:
            await router.admin("POST", "/keys/add", json={"provider": "acme", "api_key": KEY})
            for _ in range(times):
                assert (await router.chat("acme/echo", stream=stream)).status_code == 200

    asyncio.run(story())
    return list(stats(Database(settings.database_path)))


@pytest.mark.parametrize("stream", [True, False])
@attacks(*COUNTS)
def test_a_count_of_tokens_that_is_none_keeps_no_usage_out_of_the_catalogue(
    attack: Attack, stream: bool, settings: Settings
) -> None:
    said = {"usage": {"prompt_tokens": attack.hostile, "completion_tokens": 3}}
    body = json.dumps(said).encode() if attack.hostile != 10**999 else b'{"usage":{"prompt_tokens":1%s}}' % (b"0" * 999)
    (row,) = answered(body, stream=stream, settings=settings)
    assert (row.requests, row.estimated) == (2, 2)
    assert row.prompt_tokens < 100
    (key,) = key_rows.list_keys(Database(settings.database_path))
    assert key.requests == 2
    assert key.tokens < 600


@pytest.mark.parametrize("stream", [True, False])
@attacks(
    Attack("lists", b'{"usage": ' + b"[" * 200_000),
    Attack("objects", b'{"usage": ' + b'{"usage":' * 100_000),
    Attack("a number without end", b'{"usage": {"prompt_tokens": ' + b"9" * 100_000 + b"}}"),
    Attack("no text", b'{"usage": "\xff\xfe"}'),
)
def test_usage_without_end_is_none_and_the_answer_passes(attack: Attack, stream: bool, settings: Settings) -> None:
    (row,) = answered(attack.hostile, stream=stream, settings=settings)
    assert (row.requests, row.errors, row.estimated) == (2, 0, 2)


def test_an_answer_without_end_does_not_fill_the_memory(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "_LONGEST_ANSWER", MEBIBYTE)

    async def story() -> None:
        async with scripted(Scripted([bytes(MEBIBYTE)] * 4), settings) as router:
            answer = await router.chat("acme/echo")
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")

    asyncio.run(story())


def test_an_event_without_end_passes_on_instead_of_piling_up() -> None:
    relay = Relay(StreamUsage(), hide_usage=True)
    passed = sum(len(relay.feed(b"data: " + bytes(MEBIBYTE))) for _ in range(8))
    assert passed > 7 * MEBIBYTE


KEYS = (
    Attack("a header of its own", "sk-1\r\nX-Evil: 1"),
    Attack("a line break", "sk-1\nx"),
    Attack("a null byte", "sk-1\0x"),
    Attack("a space", "sk 1"),
    Attack("letters from elsewhere", "sk-\u0430bc"),
    Attack("zero width", "sk-\u200babc"),
    Attack("nothing", "  "),
)


@attacks(*KEYS)
def test_such_a_key_is_not_taken(attack: Attack, tmp_path: Path) -> None:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    with pytest.raises(InvalidInput, match="printable ASCII"):
        store.add_key(database, Custody(SecretStr("master")), "acme", SecretStr(attack.hostile))


def with_header(header: str, scheme: str = "") -> ClientSpec:
    return a_spec(auth=Auth(header=header, scheme=scheme))


SPECS: tuple[Attack, ...] = (
    Attack("line break in the key's header", lambda: with_header("X-Key\r\nX-Evil")),
    Attack("line break at its end", lambda: with_header("X-Key\n")),
    Attack("colon in it", lambda: with_header("X-Key: x")),
    Attack("line break in the scheme", lambda: with_header("X-Key", "Bearer\n")),
    Attack("space in the scheme", lambda: with_header("X-Key", "Bearer x")),
    Attack("line break in a header's value", lambda: a_spec(headers={"X-V": "1\r\nX-Evil: 1"})),
    Attack("line break at its end", lambda: a_spec(headers={"X-V": "1\n"})),
    Attack("another host", lambda: a_spec(headers={"Host": "evil.example"})),
    Attack("length of the body", lambda: a_spec(headers={"Content-Length": "0"})),
    Attack("encoding of the transfer", lambda: a_spec(headers={"Transfer-Encoding": "chunked"})),
    Attack("address of the caller", lambda: a_spec(headers={"X-Forwarded-For": "127.0.0.1"})),
    Attack("a key in a header", lambda: a_spec(headers={"X-Api-Key": "sk-1"})),
    Attack("a variable of a shell", lambda: with_header("${OPENAI_API_KEY}")),
    Attack("variable with a line break", lambda: a_spec(auth=Auth(env=("A\nB",)))),
    Attack("variable that is code", lambda: a_spec(auth=Auth(env=("A'] or __import__('os')['B",)))),
    Attack("a second parameter", lambda: a_spec(query={"v": "1&key=2"})),
    Attack("a line break in a parameter", lambda: a_spec(query={"v": "1\r\n"})),
    Attack("a path that climbs", lambda: Endpoint(operation="chat", method="POST", path="/../../admin")),
    Attack("a path that is a host", lambda: Endpoint(operation="chat", method="POST", path="//evil.example/")),
    Attack("a path that is a URL", lambda: Endpoint(operation="chat", method="POST", path="https://evil.example/")),
    Attack("a path with a user", lambda: Endpoint(operation="chat", method="POST", path="@evil.example/chat")),
    Attack("a path with a break", lambda: Endpoint(operation="chat", method="POST", path="/chat\n")),
)


@pytest.mark.parametrize("attack", SPECS, ids=[f"{number} {row.name}" for number, row in enumerate(SPECS)])
def test_no_specification_breaks_out_of_a_request(attack: Attack) -> None:
    made: Any = attack.hostile
    with pytest.raises(ValueError, match="validation error"):
        made()
