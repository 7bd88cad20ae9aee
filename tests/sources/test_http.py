import asyncio
from typing import Any

import anyio
import httpcore2
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.reference import create_reference, serve_in_thread
from modelscan.sources.http import Answer, GuardedBackend, ask, host_port, is_public, open_client, origin_of
from tests.sources.asking import Handler, answered


def asked(handler: Handler, url: str = "https://a.example/x", **more: Any) -> Answer:
    async def run() -> Answer:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as http:
            return await ask(http, "GET", url, **more)

    return asyncio.run(run())


def really_asked(url: str, *allowed: str) -> Answer:
    async def run() -> Answer:
        async with open_client(allowed_private=allowed, timeout=5) as http:
            return await ask(http, "GET", url)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::1",
        "::",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
    ],
)
def test_a_private_address_is_none_of_the_open_internet_in_any_dress(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1", "2002:101:101::"]
)
def test_a_public_address_is_public_in_any_dress(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_a_wrapped_address_is_as_public_as_the_bare_one(bare: Any) -> None:
    assert (
        is_public(f"::ffff:{bare}")
        is is_public(f"64:ff9b::{int(bare) >> 16:x}:{int(bare) & 0xFFFF:x}")
        is is_public(str(bare))
    )


def test_a_loopback_server_is_refused_unless_its_own_host_and_port_are_allowed() -> None:
    with serve_in_thread(create_reference()) as origin:
        port = origin.rpartition(":")[2]
        for allowed in ((), ("127.0.0.1:1",), ("localhost",)):
            with pytest.raises(HostRefused, match="no public address"):
                really_asked(f"{origin}/v1/models", *allowed)
        assert really_asked(f"{origin}/v1/models", f"127.0.0.1:{port}").status == 200
        assert really_asked(f"{origin}/v1/models", "127.0.0.1").json_body["data"][0]["id"] == "echo"


def test_a_name_is_judged_by_the_addresses_it_resolves_to() -> None:
    with serve_in_thread(create_reference()) as origin:
        port = origin.rpartition(":")[2]
        with pytest.raises(HostRefused, match="localhost is at"):
            really_asked(f"http://localhost:{port}/v1/models")
        assert really_asked(f"http://localhost:{port}/v1/models", f"localhost:{port}").status == 200


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".example"])
def test_a_name_that_does_not_resolve_is_an_unavailable_source(host: str) -> None:
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        really_asked(f"http://{host}/v1")


def test_a_closed_port_is_an_unavailable_source(free_port: int) -> None:
    with pytest.raises(SourceUnavailable, match=f"127.0.0.1:{free_port} cannot be reached"):
        really_asked(f"http://127.0.0.1:{free_port}/v1", "127.0.0.1")


def test_a_port_that_is_none_is_an_unavailable_source() -> None:
    with pytest.raises(SourceUnavailable, match="99999 is no port"):
        really_asked("http://127.0.0.1:99999/v1", "127.0.0.1")


def connected(
    addresses: list[str], port: int, allowed: str, backend: httpcore2.AsyncNetworkBackend | None = None
) -> None:
    """Connect to a name that resolves to `addresses`."""

    async def resolve(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        return [(None, None, None, "", (address, port)) for address in addresses]

    async def run() -> None:
        guarded = GuardedBackend([allowed], resolve=resolve, backend=backend)
        await (await guarded.connect_tcp("two.example", port)).aclose()

    asyncio.run(run())


def test_the_next_address_of_a_name_is_tried_where_the_first_is_closed() -> None:
    with serve_in_thread(create_reference()) as origin:
        port = int(origin.rpartition(":")[2])
        connected(["127.0.0.2", "127.0.0.1"], port, f"two.example:{port}")


def test_a_name_with_one_private_address_among_its_public_ones_is_refused() -> None:
    with pytest.raises(HostRefused, match=r"two\.example is at 10\.0\.0\.1"):
        connected(["1.1.1.1", "10.0.0.1"], 443, "other.example", httpcore2.AsyncMockBackend([]))


def test_a_name_with_public_addresses_is_connected_to() -> None:
    connected(["1.1.1.1"], 443, "other.example", httpcore2.AsyncMockBackend([]))


def test_a_name_that_takes_too_long_to_resolve_is_no_connection() -> None:
    async def resolve(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        await anyio.sleep_forever()
        return []

    async def run() -> None:
        await GuardedBackend((), resolve=resolve).connect_tcp("slow.example", 443, timeout=0.01)

    with pytest.raises(httpcore2.ConnectError, match="its name cannot be resolved"):
        asyncio.run(run())


def test_the_guard_sleeps_as_the_backend_below_it() -> None:
    asyncio.run(GuardedBackend(()).sleep(0))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9001/v1", "127.0.0.1:9001"),
        ("https://a.example/v1", "a.example:443"),
        ("http://a.example", "a.example:80"),
        ("http://[::1]:9001/v1", "[::1]:9001"),
    ],
)
def test_one_server_is_named_by_host_and_port(url: str, expected: str) -> None:
    assert host_port(url) == expected


def test_a_redirect_is_not_followed() -> None:
    answer = asked(lambda _: httpx2.Response(302, headers={"location": "http://127.0.0.1/"}))
    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1/")


def test_an_answer_over_the_limit_is_not_read_to_its_end() -> None:
    with pytest.raises(SourceUnavailable, match="more than 10 bytes"):
        asked(lambda _: answered(200, b"x" * 11), limit=10)


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe\x00", b"[NaN]", b'{"a": "\\ud800"}', b"[" * 100_000])
def test_what_is_no_json_that_can_be_stored_is_none(body: bytes) -> None:
    assert asked(lambda _: answered(200, body)).json_body is None


def test_escaped_text_is_read() -> None:
    assert asked(lambda _: answered(200, b'{"a": "\\ud83d\\ude00 \\u00e9"}')).json_body == {"a": "\N{GRINNING FACE} é"}


@pytest.mark.parametrize("url", ["http://a\n/", "http://a:port/"])
def test_a_url_that_is_none_is_an_unavailable_source(url: str) -> None:
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        asked(lambda _: answered(200, {}), url)


def test_a_local_fault_is_told_without_the_header_that_it_quotes() -> None:
    def refuse(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.LocalProtocolError("Illegal header value b'Bearer sk-secret'")

    with pytest.raises(SourceUnavailable) as caught:
        asked(refuse)
    assert str(caught.value) == "https://a.example cannot be reached: LocalProtocolError."


def test_a_slow_answer_is_an_unavailable_source() -> None:
    def refuse(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("")

    with pytest.raises(SourceUnavailable, match="ReadTimeout"):
        asked(refuse)


def test_the_origin_keeps_scheme_host_and_port() -> None:
    assert origin_of("https://a.example:8443/v1?x=1") == "https://a.example:8443"
