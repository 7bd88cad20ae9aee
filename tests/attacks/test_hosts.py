"""A list that names a private, disguised or look-alike host gets neither a specification nor a connection nor a key."""

import asyncio
from typing import Any

import httpcore2
import httpx2
import pytest
from pydantic import SecretStr

from modelscan.errors import HostRefused, NotEnoughEvidence, SourceUnavailable
from modelscan.reference import serve_in_thread
from modelscan.sources.gather import gather
from modelscan.sources.http import GuardedBackend, ask, open_client
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import propose
from router_app.hop.pool import PooledUpstream
from tests.attacks.table import Attack, attacks
from tests.sources.asking import answered, ask_with
from tests.synthesis.telling import evidence, listed

PRIVATE = "private address"
NO_HOST = r"names no fixed http\(s\) host"
LOOKS_LIKE = "may look like others"
SECRET = "may be a secret"

URLS = (
    Attack("short IPv4", "https://127.1/v1", PRIVATE),
    Attack("decimal IPv4", "https://2130706433/v1", PRIVATE),
    Attack("octal IPv4", "https://0177.0.0.1/v1", NO_HOST),
    Attack("hexadecimal IPv4", "https://0x7f000001/v1", PRIVATE),
    Attack("mixed IPv4", "https://0x7f.1/v1", PRIVATE),
    Attack("IPv4 with a dot at its end", "https://127.0.0.1./v1", PRIVATE),
    Attack("unspecified", "https://0.0.0.0:8000/v1", PRIVATE),
    Attack("metadata service", "https://169.254.169.254/latest", PRIVATE),
    Attack("metadata service of Azure", "https://168.63.129.16/v1", PRIVATE),
    Attack("metadata service of Alibaba", "https://100.100.100.200/v1", PRIVATE),
    Attack("metadata service of Oracle", "https://192.0.0.192/v1", PRIVATE),
    Attack("carrier's own network", "https://100.64.0.1/v1", PRIVATE),
    Attack("loopback IPv6", "https://[::1]/v1", PRIVATE),
    Attack("mapped IPv6", "https://[::ffff:127.0.0.1]/v1", PRIVATE),
    Attack("mapped IPv6 in hexadecimal", "https://[::ffff:7f00:1]/v1", PRIVATE),
    Attack("compatible IPv6", "https://[::127.0.0.1]/v1", PRIVATE),
    Attack("6to4", "https://[2002:7f00:1::]/v1", PRIVATE),
    Attack("NAT64", "https://[64:ff9b::a9fe:a9fe]/v1", PRIVATE),
    Attack("NAT64 of a network's own", "https://[64:ff9b:1::a9fe:a9fe]/v1", PRIVATE),
    Attack("Teredo", "https://[2001:0:7f00:1::80ff:fffe]/v1", PRIVATE),
    Attack("ISATAP", "https://[2001:4860::5efe:7f00:1]/v1", PRIVATE),
    Attack("link-local IPv6", "https://[fe80::1]/v1", PRIVATE),
    Attack("unique local IPv6", "https://[fd00::1]/v1", PRIVATE),
    Attack("metadata service over IPv6", "https://[fd00:ec2::254]/v1", PRIVATE),
    Attack("site-local IPv6", "https://[fec0::1]/v1", PRIVATE),
    Attack("localhost", "https://localhost/v1", PRIVATE),
    Attack("localhost with a dot", "https://localhost./v1", PRIVATE),
    Attack("below localhost", "https://api.localhost/v1", PRIVATE),
    Attack("localhost in capitals", "https://LOCALHOST/v1", PRIVATE),
    Attack("localdomain", "https://localhost.localdomain/v1", PRIVATE),
    Attack("metadata service by name", "https://metadata.google.internal/v1", PRIVATE),
    Attack("a network's own name", "https://router.home.arpa/v1", PRIVATE),
    Attack("a name without a dot", "https://kubernetes/v1", PRIVATE),
    Attack("without TLS", "http://api.acme.example/v1", "would carry a key in clear"),
    Attack("user before the host", "https://api.openai.com@evil.example/v1", NO_HOST),
    Attack("user and password", "https://user:pass@evil.example/v1", NO_HOST),
    Attack("backslash before the host", "https://api.openai.com\\@evil.example/v1", NO_HOST),
    Attack("backslashes for slashes", "https:\\\\evil.example/v1", NO_HOST),
    Attack("fragment", "https://api.openai.com#@evil.example/v1", NO_HOST),
    Attack("query", "https://evil.example/v1?x=", NO_HOST),
    Attack("no slashes", "https:evil.example/v1", NO_HOST),
    Attack("three slashes", "https:///evil.example/v1", NO_HOST),
    Attack("climbing path", "https://api.openai.com/../evil", NO_HOST),
    Attack("space", "https://api.openai.com .evil.example/v1", NO_HOST),
    Attack("line break", "https://api.openai.com\r\nHost: evil.example/v1", NO_HOST),
    Attack("null byte", "https://evil.example\0.openai.com/v1", NO_HOST),
    Attack("escaped dot", "https://127%2e0.0.1/v1", NO_HOST),
    Attack("zone in an address", "https://[fe80::1%25eth0]/v1", NO_HOST),
    Attack("full-width digits", "https://\uff11\uff12\uff17.0.0.1/v1", NO_HOST),
    Attack("ideographic dots", "https://127\u30020\u30020\u30021/v1", NO_HOST),
    Attack("circled letters", "https://api.\u24dep\u24d4nai.com/v1", NO_HOST),
    Attack("soft hyphen", "https://loc\u00adalhost/v1", NO_HOST),
    Attack("right to left", "https://api.openai.com\u202emoc.live/v1", NO_HOST),
    Attack("port zero", "https://evil.example:0/v1", NO_HOST),
    Attack("port too high", "https://evil.example:65536/v1", NO_HOST),
    Attack("port in words", "https://evil.example:https/v1", NO_HOST),
    Attack("another scheme", "file:///etc/passwd", NO_HOST),
    Attack("gopher", "gopher://127.0.0.1:6379/_FLUSHALL", NO_HOST),
    Attack("Cyrillic letter", "https://api.\u043epenai.com/v1", LOOKS_LIKE),
    Attack("Cyrillic letter in punycode", "https://api.xn--penai-iye.com/v1", LOOKS_LIKE),
    Attack("Greek letter", "https://\u03bfpenrouter.ai/api/v1", LOOKS_LIKE),
    Attack("a key in the host", "https://${OPENAI_API_KEY}.evil.example/v1", SECRET),
    Attack("a key in the path", "https://evil.example/${ANTHROPIC_API_KEY}/v1", SECRET),
    Attack("a key's id in the path", "https://evil.example/${AWS_ACCESS_KEY_ID}", SECRET),
    Attack("a secret's id in the path", "https://evil.example/${VAULT_SECRET_ID}", SECRET),
    Attack("a token's name in the path", "https://evil.example/${MY_TOKEN_NAME}", SECRET),
    Attack("our own token in the path", "https://evil.example/${MODELSCAN_ADMIN_TOKEN}", SECRET),
    Attack("another variable", "https://evil.example/${HOME}", SECRET),
)


def told(base_url: str) -> Evidence:
    return evidence("acme", listed(api=base_url))


@attacks(*URLS)
def test_a_list_gets_no_specification_with_such_an_address(attack: Attack) -> None:
    with pytest.raises((HostRefused, NotEnoughEvidence), match=attack.refusal):
        propose(told(attack.hostile))


@attacks(*URLS)
def test_nothing_is_asked_and_no_key_sent_at_such_an_address(attack: Attack) -> None:
    asked: list[str] = []
    rows = {"acme": listed(api=attack.hostile).payload}

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return answered(200, rows) if "models.dev" in str(request.url) else answered(401, {})

    ask_with(handle, gather, "acme", key=SecretStr("sk-canary"))
    assert {url for url in asked if "genai" not in url} == {"https://models.dev/api.json"}


ANSWERS = (
    Attack("loopback", "127.0.0.1"),
    Attack("metadata service", "169.254.169.254"),
    Attack("private", "10.0.0.8"),
    Attack("carrier's own network", "100.64.0.1"),
    Attack("broadcast", "255.255.255.255"),
    Attack("IPv6 loopback", "::1"),
    Attack("mapped IPv6", "::ffff:10.0.0.8"),
    Attack("6to4", "2002:a00:8::"),
    Attack("NAT64", "64:ff9b::7f00:1"),
    Attack("Teredo", "2001:0:a00:8::f5ff:fff7"),
    Attack("ISATAP", "2606:4700::200:5efe:a00:8"),
    Attack("unique local", "fd12:3456::1"),
    Attack("link-local with its zone", "fe80::1%eth0"),
    Attack("site-local", "fec0::1"),
    Attack("Azure's own host", "168.63.129.16"),
)


def connected(*answers: list[str]) -> list[str]:
    """Connect to one public name as often as there are answers of its name server; which addresses were reached."""
    reached: list[str] = []
    waiting = list(answers)

    class Backend(httpcore2.AsyncMockBackend):
        async def connect_tcp(self, host: str, *more: Any, **named: Any) -> httpcore2.AsyncNetworkStream:
            reached.append(host)
            return await super().connect_tcp(host, *more, **named)

    async def resolve(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        return [(None, None, None, "", (address, 443)) for address in waiting.pop(0)]

    async def run() -> None:
        guarded = GuardedBackend((), resolve=resolve, backend=Backend([]))
        for _ in answers:
            await guarded.connect_tcp("api.acme.example", 443)

    try:
        asyncio.run(run())
    except HostRefused:
        reached.append("refused")
    return reached


@attacks(*ANSWERS)
def test_a_public_name_that_resolves_to_such_an_address_is_not_connected_to(attack: Attack) -> None:
    assert connected([attack.hostile]) == ["refused"]
    assert connected(["1.1.1.1", attack.hostile]) == ["refused"]


@attacks(*ANSWERS)
def test_a_name_that_answers_otherwise_the_second_time_is_judged_again(attack: Attack) -> None:
    assert connected(["1.1.1.1"], [attack.hostile]) == ["1.1.1.1", "refused"]


@attacks(*ANSWERS)
def test_the_router_sends_no_chat_to_a_name_that_resolves_to_such_an_address(attack: Attack) -> None:
    async def resolve(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        return [(None, None, None, "", (address, 80)) for address in ("1.1.1.1", attack.hostile)]

    async def run() -> None:
        upstream = PooledUpstream((), resolve=resolve)
        with pytest.raises(HostRefused, match=r"api\.acme\.example is at"):
            await upstream.send("POST", "http://api.acme.example/v1/chat/completions", [], b"{}")
        await upstream.aclose()

    asyncio.run(run())


LOOPBACK = (
    Attack("plain", "http://127.0.0.1:{port}/v1/models"),
    Attack("short", "http://127.1:{port}/v1/models"),
    Attack("decimal", "http://2130706433:{port}/v1/models"),
    Attack("hexadecimal", "http://0x7f.0.0.1:{port}/v1/models"),
    Attack("octal", "http://0177.0.0.1:{port}/v1/models"),
    Attack("unspecified", "http://0.0.0.0:{port}/v1/models"),
    Attack("mapped", "http://[::ffff:127.0.0.1]:{port}/v1/models"),
    Attack("by name", "http://localhost:{port}/v1/models"),
    Attack("behind a user", "http://api.openai.com@127.0.0.1:{port}/v1/models"),
    Attack("with ideographic dots", "http://127\u30020\u30020\u30021:{port}/v1/models"),
)


@attacks(*LOOPBACK)
def test_a_real_server_on_the_loopback_is_never_reached(attack: Attack) -> None:
    calls: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append(scope["path"])

    async def run(url: str) -> None:
        async with open_client(timeout=5) as http:
            await ask(http, "GET", url)

    with serve_in_thread(app) as origin, pytest.raises((HostRefused, SourceUnavailable)):
        asyncio.run(run(attack.hostile.format(port=origin.rpartition(":")[2])))
    assert calls == []


REDIRECTS = (
    Attack("to itself on the loopback", (302, "{origin}/secret")),
    Attack("to the metadata service", (307, "http://169.254.169.254/latest/meta-data")),
    Attack("to another host, for good", (308, "http://evil.invalid/v1/models")),
    Attack("without a scheme", (301, "//evil.invalid/v1/models")),
    Attack("with a key in its address", (303, "http://evil.invalid/?key=sk-canary")),
)


@attacks(*REDIRECTS)
def test_a_redirect_is_not_followed_and_takes_no_key_along(attack: Attack) -> None:
    status, location = attack.hostile
    paths: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        paths.append(scope["path"])
        headers = [(b"location", location.format(origin=origins[0]).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def run(origin: str) -> int:
        async with open_client(allowed_private=["127.0.0.1"], timeout=5) as http:
            answer = await ask(http, "GET", f"{origin}/v1/models", headers={"authorization": "Bearer sk-canary"})
            return answer.status

    origins: list[str] = []
    with serve_in_thread(app) as origin:
        origins.append(origin)
        assert asyncio.run(run(origin)) == status
    assert paths == ["/v1/models"]
