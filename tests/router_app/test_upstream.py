"""The library client: cookies are forgotten, keys are in no error."""

import asyncio

import pytest

from modelscan.errors import HostRefused, UpstreamFailed, UpstreamTimedOut
from modelscan.reference import serve
from router_app.upstream import LibraryUpstream, UpstreamAnswer
from tests.router_app.peers import Endless, Scripted


async def body_of(answer: UpstreamAnswer) -> bytes:
    body = b""
    try:
        while chunk := await answer.read():
            body += chunk
        return body
    finally:
        await answer.aclose()


def test_what_one_answer_sets_is_not_sent_with_the_next_request() -> None:
    async def story() -> None:
        peer = Scripted([b"a", b"b"], headers=[(b"set-cookie", b"who=me")])
        async with serve(peer) as origin:
            upstream = LibraryUpstream([origin.removeprefix("http://")])
            for _ in range(2):
                assert await body_of(await upstream.send("POST", origin, [(b"x-a", b"1")], b"{}")) == b"ab"
            await upstream.aclose()
        assert [b"cookie" in headers for headers, _ in peer.requests] == [False, False]
        assert peer.requests[0][0][b"user-agent"].startswith(b"modelscan/")

    asyncio.run(story())


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://name.invalid/v1", "nonsense", "http://[bad.invalid"])
def test_what_cannot_be_reached_is_an_upstream_failure_that_names_the_host(url: str) -> None:
    async def story() -> None:
        upstream = LibraryUpstream(["127.0.0.1"])
        with pytest.raises(UpstreamFailed) as failed:
            await upstream.send("POST", url, [], b"")
        await upstream.aclose()
        assert failed.value.hint
        assert failed.value.fields["host"]

    asyncio.run(story())


def test_a_private_address_needs_the_operators_word() -> None:
    async def story() -> None:
        upstream = LibraryUpstream([])
        with pytest.raises(HostRefused):
            await upstream.send("POST", "http://127.0.0.1:9/v1", [], b"")
        await upstream.aclose()

    asyncio.run(story())


def test_no_key_is_in_an_error() -> None:
    async def story() -> None:
        upstream = LibraryUpstream(["127.0.0.1"])
        async with serve(Scripted([b"{}"])) as origin:
            with pytest.raises(UpstreamFailed) as failed:
                await upstream.send("POST", origin, [(b"authorization", b"Bearer sk-canary\n0123")], b"")
        await upstream.aclose()
        assert "canary" not in str(failed.value)
        assert "canary" not in repr(failed.value)

    asyncio.run(story())


def test_what_has_begun_is_still_to_be_read() -> None:
    async def story() -> None:
        async with serve(Scripted([b"a", b"b"])) as origin:
            upstream = LibraryUpstream([origin.removeprefix("http://")])
            answer = await upstream.send("POST", origin, [], b"{}")
            await answer.begun()
            assert await body_of(answer) == b"ab"
            await upstream.aclose()

    asyncio.run(story())


@pytest.mark.parametrize("silent", [True, False])
def test_an_exchange_takes_no_longer_than_it_may(silent: bool) -> None:
    async def story() -> None:
        async with serve(Endless(silent)) as origin:
            upstream = LibraryUpstream([origin.removeprefix("http://")])
            with pytest.raises(UpstreamTimedOut):
                await body_of(await upstream.send("POST", origin, [], b"{}", 0.2))
            await upstream.aclose()

    asyncio.run(story())
