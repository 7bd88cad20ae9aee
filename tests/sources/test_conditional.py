"""A list that did not change is not sent again, and nothing a server says of it is believed beyond that."""

import asyncio
from collections.abc import Mapping

import httpx2
import pytest

from modelscan.errors import SourceUnavailable
from modelscan.sources.conditional import ask_for_list
from modelscan.types import Listing
from tests.sources.asking import Handler

URL = "https://lists.example/api.json"


def asked(handler: Handler, kept: Listing | None = None, url: str = URL) -> Listing:
    async def run() -> Listing:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as http:
            return await ask_for_list(http, url, source="models.dev", kept=kept)

    return asyncio.run(run())


class Server:
    """Answers 304 to who has its list, and remembers the conditions that it was asked with."""

    def __init__(self, headers: Mapping[str, str], body: bytes = b'{"acme": {}}') -> None:
        self.headers, self.body = headers, body
        self.conditions: list[dict[str, str]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        told = {
            name: request.headers[name] for name in ("if-none-match", "if-modified-since") if name in request.headers
        }
        self.conditions.append(told)
        known = told.get("if-none-match") == self.headers.get("etag") if "etag" in self.headers else bool(told)
        return httpx2.Response(
            304 if known and told else 200, headers=self.headers, content=b"" if known else self.body
        )


@pytest.mark.parametrize(
    ("headers", "conditions"),
    [
        ({"etag": '"a1"'}, {"if-none-match": '"a1"'}),
        ({"etag": 'W/"a1"'}, {"if-none-match": 'W/"a1"'}),
        ({"last-modified": "Fri, 27 Nov 2026 12:00:00 GMT"}, {"if-modified-since": "Fri, 27 Nov 2026 12:00:00 GMT"}),
    ],
)
def test_what_did_not_change_counts_as_answered_now(headers: dict[str, str], conditions: dict[str, str]) -> None:
    server = Server(headers)
    first = asked(server)
    second = asked(server, first)
    assert server.conditions == [{}, conditions]
    assert (second.body, second.sha256, second.answered_at) == (first.body, first.sha256, first.answered_at)
    assert second.checked_at > first.checked_at
    assert (first.confirmed, second.confirmed) == (False, True)


def test_what_changed_is_taken_with_its_own_validators() -> None:
    server = Server({"etag": '"a1"'})
    first = asked(server)
    server.headers, server.body = {"etag": '"a2"'}, b"[]"
    second = asked(server, first)
    assert (second.etag, second.body, second.confirmed) == ('"a2"', b"[]", False)
    assert second.sha256 != first.sha256


def test_a_list_of_another_address_is_no_condition() -> None:
    server = Server({"etag": '"a1"'})
    first = asked(server)
    assert asked(server, first, url="https://other.example/api.json").url == "https://other.example/api.json"
    assert server.conditions == [{}, {}]


@pytest.mark.parametrize("etag", ["a1", '"a\x7f"', '"' + "a" * 201 + '"', ""])
def test_a_validator_that_is_none_is_not_sent_back(etag: str) -> None:
    server = Server({"etag": etag} if etag else {})
    assert asked(server).etag == ""


@pytest.mark.parametrize(
    ("status", "body"), [(304, b""), (500, b"{}"), (404, b"{}"), (200, b"<html>"), (200, b"NaN"), (206, b"{}")]
)
def test_whatever_is_no_list_is_refused(status: int, body: bytes) -> None:
    with pytest.raises(SourceUnavailable, match=f"answered {status} and no list"):
        asked(lambda _: httpx2.Response(status, content=body))
