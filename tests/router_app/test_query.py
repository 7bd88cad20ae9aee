"""A caller's query goes to a provider of the same protocol, and no credential with it."""

import asyncio
import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelscan.errors import InvalidInput
from modelscan.settings import Settings
from router_app.hop.address import address_of, address_with_query
from router_app.query import added_to, names_in
from tests.router_app.peers import Scripted
from tests.router_app.routers import chat_body, scripted

URL = "http://acme.example/v1/chat/completions"
SECRET = "sk-proj-" + "a1" * 20


@pytest.mark.parametrize(
    ("url", "query", "target", "dropped"),
    [
        (URL, b"beta=true", "?beta=true", ()),
        (URL, b"a=1&a=2&empty=&bare&b=%20x+y/z", "?a=1&a=2&empty=&bare&b=%20x+y/z", ()),
        (URL, b"&&", "", ()),
        (URL, b"key=x&beta=true&api_key=y", "?beta=true", ("query.key", "query.api_key")),
        (
            URL,
            b"%6bey=x&Api-Key=y&accessToken=z&sig=1",
            "",
            ("query.key", "query.Api-Key", "query.accessToken", "query.sig"),
        ),
        (URL, b"a=1;key=x", "", ("query.a",)),
        (URL, b"note=" + SECRET.encode(), "", ("query.note",)),
        (URL, b"note=sk%2Dproj-" + SECRET[8:].encode(), "", ("query.note",)),
        (URL, SECRET.encode(), "", ("query.[redacted]",)),
        (URL, b"k\xc3\xa9y%0d%0aauth=1", "", ("query.k__y__auth",)),
        (URL, b"a=\xff\x01 #<", "?a=%FF%01%20%23%3C", ()),
        (f"{URL}?api-version=3", b"api-version=4&b=1", "?api-version=3&b=1", ("query.api-version",)),
        (f"{URL}?api-version=3", b"api%2Dversion=4", "?api-version=3", ("query.api-version",)),
    ],
)
def test_all_but_credentials_and_what_the_url_says_itself_goes_on(
    url: str, query: bytes, target: str, dropped: tuple[str, ...]
) -> None:
    assert added_to(url, query) == (URL + target, dropped)


@given(query=st.binary(max_size=200) | st.text("key=&;%6bKE Y+\r\n#?", max_size=60).map(str.encode))
@example(query=b"x=\r\nhost: other")
def test_whatever_it_is_the_target_is_one_line_and_its_names_fit_into_a_header(query: bytes) -> None:
    url, dropped = added_to(URL, query)
    address = address_with_query(url) if "?" in url else address_of(url)
    assert address.origin == address_of(URL).origin
    assert all(33 <= byte < 127 for byte in address.target)
    assert b"key=" not in address.target.lower()
    assert all(name.isascii() and name.isprintable() for name in (*dropped, *names_in(query)))


def test_queries_are_not_remembered_and_odd_ones_are_no_target() -> None:
    before = address_of.cache_info().currsize
    for number in range(50):
        address_with_query(f"http://acme.example/v1?n={number}")
    assert address_of.cache_info().currsize <= before + 1
    with pytest.raises(ValueError, match="escaped"):
        address_with_query("http://acme.example/v1?a b")


def test_a_query_past_any_use_is_refused_and_few_names_are_told() -> None:
    with pytest.raises(InvalidInput, match="more than 8192 bytes"):
        added_to(URL, b"a" * 8193)
    many = b"&".join(b"key%d=1" % number for number in range(500))
    assert len(added_to(URL, many).dropped) == len(names_in(many)) == 16


def test_a_clients_query_reaches_the_provider_and_its_key_does_not(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"])
        async with scripted(peer, settings, query={"api-version": "3"}) as router:
            answers = [
                await router.http.post(f"/v1/{path}", json=chat_body("acme/echo"))
                for path in (
                    f"chat/completions?beta=true&key={SECRET}",
                    "embeddings?beta=true&api-version=9",
                    "chat/completions",
                    f"chat/completions?a={'b' * 8192}",
                )
            ]
        assert peer.targets == [
            "/v1/chat/completions?api-version=3&beta=true",
            "/v1/embeddings?api-version=3&beta=true",
            "/v1/chat/completions?api-version=3",
        ]
        dropped = [one.headers.get("x-modelscan-dropped") for one in answers]
        assert dropped == ["query.key", "query.api-version", None, None]
        assert (answers[3].status_code, answers[3].json()["error"]["code"]) == (400, "invalid-input")
        assert SECRET not in repr([peer, *(one.headers for one in answers), *router.usage()])

    with caplog.at_level(logging.DEBUG, logger="router_app"):
        asyncio.run(story())
    assert SECRET not in caplog.text
