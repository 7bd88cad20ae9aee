"""The upstream key does not reach the caller, however an answer that quotes it is cut."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.settings import Settings
from modelscan.types import Auth
from router_app.hiding import HIDDEN, Hiding
from tests.router_app.peers import Scripted
from tests.router_app.routers import KEY, scripted

SECRET = KEY.encode()
PIECES = st.lists(st.sampled_from([SECRET, b"sk-", b"s", b"up", b"\n\n", SECRET[:7], SECRET[3:], b"other"]), max_size=8)


def hidden(text: bytes, cuts: list[int], secret: bytes = SECRET) -> bytes:
    hiding = Hiding(secret)
    at = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return b"".join(hiding.feed(text[start:end]) for start, end in itertools.pairwise(at)) + hiding.end()


@given(PIECES, st.lists(st.integers(min_value=0), max_size=12))
def test_it_is_taken_out_and_nothing_else_however_the_answer_is_cut(pieces: list[bytes], cuts: list[int]) -> None:
    text = b"".join(pieces)
    assert hidden(text, cuts) == text.replace(SECRET, HIDDEN)


@given(st.binary(max_size=100), st.lists(st.integers(min_value=0), max_size=5))
def test_without_a_secret_all_passes(text: bytes, cuts: list[int]) -> None:
    for secret in (b"", b"none"):
        assert hidden(text, cuts, secret) == text


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_provider_that_quotes_the_key_quotes_it_to_us_alone(settings: Settings, stream: bool, status: int) -> None:
    said = b'data: {"error": {"message": "wrong key %s", "x": "%s' % (SECRET, SECRET[:8]), SECRET[8:] + b'"}}\n\n'
    kind = b"text/event-stream" if stream else b"application/json"
    peer = Scripted(said, status=status, content_type=kind, headers=[(b"x-you-sent", b"Bearer " + SECRET)])

    async def story() -> None:
        async with scripted(peer, settings, auth=Auth()) as router:
            await router.admin("POST", "/keys/add", json={"provider": "acme", "api_key": KEY})
            answer = await router.chat("acme/echo", stream=stream)
            assert peer.requests[0][0][b"authorization"] == b"Bearer " + SECRET
            assert answer.status_code == status
            assert answer.content.count(HIDDEN) == 2
            assert KEY not in answer.text
            assert KEY not in str(answer.headers)

    asyncio.run(story())
