"""Who comes in: nobody without a token once one was issued; before, whoever is on this machine."""

from datetime import timedelta

import pytest

from modelscan.errors import Forbidden, ForeignHost, ModelScanError, ServiceUnavailable, Unauthorized
from modelscan.tokens.book import Entry, TokenBook
from modelscan.tokens.hashing import TokenHash
from modelscan.types import ClientToken, utc_now
from router_app.door import Door, is_loopback
from tests.tokens.accounts import a_token

HASH = TokenHash(b"key")
Headers = list[tuple[bytes, bytes]]


def book(*tokens: ClientToken) -> TokenBook:
    """Each token's text is its name."""
    made = TokenBook()
    made.replace([Entry(token, HASH.of(token.name.encode())) for token in tokens], HASH)
    return made


def named(name: str, **fields: object) -> ClientToken:
    return a_token().model_copy(update={"id": f"tok_{name}", "name": name, **fields})


def bearer(text: str) -> Headers:
    return [(b"host", b"x"), (b"authorization", f"Bearer {text}".encode())]


@pytest.mark.parametrize(
    "headers",
    [
        bearer("app"),
        [(b"authorization", b"bearer  app ")],
        [(b"x-api-key", b"app")],
        [(b"x-api-key", b"any"), (b"authorization", b"Bearer app")],
        [(b"authorization", b"Bearer any"), (b"x-api-key", b"app")],
    ],
)
def test_a_token_comes_in_as_either_protocols_clients_send_it(headers: Headers) -> None:
    account = Door(book(named("app"))).enter(headers)
    assert account is not None
    assert account.token.name == "app"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([], "A token is needed here."),
        ([(b"authorization", b"Basic app")], "A token is needed here."),
        (bearer("other"), "The token is not known here."),
        (bearer("gone"), "The token gone was revoked."),
        (bearer("late"), "The token late expired at 20"),
    ],
)
def test_anything_else_is_turned_away_with_what_is_wrong(headers: Headers, said: str) -> None:
    now = utc_now()
    door = Door(book(named("app"), named("gone", revoked_at=now), named("late", expires_at=now - timedelta(1))))
    with pytest.raises(Unauthorized, match=said) as refused:
        door.enter(headers)
    assert "modelscan tokens issue" in refused.value.hint


def test_a_token_of_the_admin_api_uses_no_model() -> None:
    door = Door(book(named("app"), named("ops", role="admin")))
    with pytest.raises(Forbidden, match="is for the admin API"):
        door.enter(bearer("ops"))


def test_tokens_of_the_admin_api_alone_close_no_door() -> None:
    assert Door(book(named("ops", role="read-only"))).enter([]) is None


@pytest.mark.parametrize(
    "name", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "a.localhost", "10.0.0.7", ""]
)
def test_without_tokens_this_machine_may_ask_by_its_own_names(name: str) -> None:
    door = Door()
    for _ in range(2):
        assert door.enter([(b"host", name.encode())]) is None
    assert door.enter([]) is None


@pytest.mark.parametrize("name", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.nip.io"])
def test_without_tokens_a_foreign_name_is_refused(name: str) -> None:
    with pytest.raises(ForeignHost, match="no name of this machine"):
        Door().enter([(b"host", name.encode())])
    assert Door(open_anyway=True).enter([(b"host", name.encode())]) is None
    assert Door(book(named("app"))).enter([(b"host", name.encode()), (b"x-api-key", b"app")]) is not None


def test_own_names_are_not_remembered_without_an_end() -> None:
    door = Door()
    for number in range(300):
        door.enter([(b"host", f"10.0.{number // 250}.{number % 250}".encode())])
    assert len(door._own_names) <= 64


@pytest.mark.parametrize(
    ("tokens", "host", "open_anyway", "refused"),
    [
        ((), "0.0.0.0", False, Unauthorized),
        ((), "0.0.0.0", True, None),
        ((named("app", revoked_at=utc_now()),), "0.0.0.0", True, Unauthorized),
        ((named("app", revoked_at=utc_now()),), "127.0.0.1", False, Unauthorized),
        ((named("ops", role="admin"),), "192.0.2.1", False, Unauthorized),
    ],
)
def test_no_door_opens_because_the_last_token_was_revoked(
    tokens: tuple[ClientToken, ...], host: str, open_anyway: bool, refused: type[ModelScanError] | None
) -> None:
    door = Door(book(*tokens), host=host, open_anyway=open_anyway)
    if refused is None:
        assert door.enter([]) is None
    else:
        with pytest.raises(refused):
            door.enter([])


def test_where_tokens_cannot_be_read_nobody_comes_in() -> None:
    door = Door()
    door.broken = "A stored key does not open."
    with pytest.raises(ServiceUnavailable, match="cannot be read: A stored key does not open"):
        door.enter([])


@pytest.mark.parametrize(
    ("hosts", "is_one"),
    [
        (["127.0.0.1", "127.8.8.8", "::1", "localhost", "LocalHost."], True),
        (["0.0.0.0", "::", "", "192.168.1.2", "fe80::1%eth0", "my.host"], False),
    ],
)
def test_what_only_this_machine_reaches(hosts: list[str], is_one: bool) -> None:
    assert {is_loopback(host) for host in hosts} == {is_one}
