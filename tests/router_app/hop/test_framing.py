"""What comes over the wire is read as HTTP/1.1 says, however it is split, and what is no HTTP/1.1 is refused."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelscan.errors import UpstreamFailed
from router_app.hop.connection import Limits
from tests.router_app.hop.wires import body_of, pooled, scripted, served

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
WELL: dict[str, tuple[bytes, int, bytes]] = {
    "of a length": (OK + b"content-length: 5\r\n\r\nhello", 200, b"hello"),
    "empty": (OK + b"content-length: 0\r\n\r\n", 200, b""),
    "chunked": (CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
    "with a trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n", 200, b"hello"),
    "without content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "after 100 and 103": (
        b"HTTP/1.1 100 Continue\r\nx-not: this\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
        + OK
        + b"content-length: 5\r\n\r\nhello",
        200,
        b"hello",
    ),
    "an error": (b"HTTP/1.1 429 \r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}", 429, b"{}"),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, b"hello"),
}
UNTIL_THE_END = (OK + b"content-type: text/plain\r\n\r\nhello", b"HTTP/1.0 200 OK\r\n\r\nhello")
ILL: dict[str, bytes] = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/2": b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64",
    "TLS to a plain port": b"\x15\3\1\0\2\2\x46",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    "a header without a colon": OK + b"nonsense\r\n\r\n",
    "a header folded": OK + b"x-a: 1\r\n  2\r\ncontent-length: 0\r\n\r\n",
    "a length below zero": OK + b"content-length: -1\r\n\r\n",
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "a length and chunks": OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
}
ILL_BODY: dict[str, bytes] = {
    "a chunk of no size": CHUNKED + b"2\r\nhe\r\nzz\r\n",
    "a chunk longer than it says": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "a chunk too large to count": CHUNKED + b"2\r\nhe\r\nfffffffffffffffff\r\n",
}


def asked(*pieces: bytes, stay: bool = True, limits: Limits | None = None) -> tuple[int, dict[bytes, bytes], bytes]:
    """(status, headers, body) of an answer that is sent in these pieces."""

    async def story() -> tuple[int, dict[bytes, bytes], bytes]:
        async with served(scripted(pieces, stay=stay)) as server, pooled(limits=limits or Limits(5.0)) as upstream:
            answer = await upstream.send("POST", server.url, [(b"x-a", b"1")], b"{}")
            return answer.status, dict(answer.headers), await body_of(answer)

    return asyncio.run(story())


@pytest.mark.parametrize("name", WELL)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(min_value=1, max_value=140), max_size=6))
def test_an_answer_may_be_split_anywhere(name: str, cuts: list[int]) -> None:
    whole, status, body = WELL[name]
    bounds = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[start:end] for start, end in pairwise(bounds)]
    seen = asked(*pieces)
    assert (seen[0], seen[2]) == (status, body)
    assert not {b"x-not", b"link", b"x-sum"} & seen[1].keys()


@pytest.mark.parametrize("name", WELL)
def test_an_answer_may_come_byte_by_byte(name: str) -> None:
    whole, status, body = WELL[name]
    seen = asked(*(whole[at : at + 1] for at in range(len(whole))))
    assert (seen[0], seen[2]) == (status, body)


@pytest.mark.parametrize("whole", UNTIL_THE_END)
def test_an_answer_without_a_length_ends_with_its_connection(whole: bytes) -> None:
    assert asked(whole, stay=False)[2] == b"hello"


@pytest.mark.parametrize("name", ILL)
def test_what_is_no_answer_is_refused(name: str) -> None:
    with pytest.raises(UpstreamFailed, match="could not be reached or broke off"):
        asked(ILL[name])


@pytest.mark.parametrize("name", ILL_BODY)
def test_a_body_that_is_misframed_breaks_off(name: str) -> None:
    with pytest.raises(UpstreamFailed, match="broke off"):
        asked(ILL_BODY[name])


@pytest.mark.parametrize(
    "pieces",
    [
        [OK, *[b"x-%d: y\r\n" % number for number in range(300)], b"\r\n"],
        [OK + b"x-a: " + b"y" * 3000],
        [OK + b"content-length: 0\r\nx-a: " + b"y" * 3000 + b"\r\n\r\n"],
        [b"HTTP/1.1 200 " + b"y" * 3000],
        [CHUNKED + b"2\r\nhe\r\n0\r\nx-sum: " + b"y" * 3000 + b"\r\n\r\n"],
    ],
)
def test_headers_without_an_end_are_refused(pieces: list[bytes]) -> None:
    with pytest.raises(UpstreamFailed, match=r"1000 bytes"):
        asked(*pieces, limits=Limits(5.0, head_bytes=1000))


def test_what_comes_after_an_answer_belongs_to_nobody() -> None:
    second = b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\nevil"

    async def story() -> None:
        first = WELL["of a length"][0]
        async with served(scripted([first + second], [first])) as server, pooled() as upstream:
            for _ in range(2):
                answer = await upstream.send("POST", server.url, [], b"")
                assert (answer.status, await body_of(answer)) == (200, b"hello")
            assert len(server.connections) == 2, "a connection that said too much is not used again"

    asyncio.run(story())
