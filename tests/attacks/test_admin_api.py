"""What a caller of the service writes into a path or a body reaches no file, no other host and no other row."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.table import Attack, attacks
from tests.places import settings_in
from tests.router_app.routers import Lasting, Router, a_spec, lasting, routed

PATHS = (
    Attack("climbs", "../../../../etc/passwd"),
    Attack("climbs, escaped", "..%2f..%2f..%2fetc%2fpasswd"),
    Attack("climbs, escaped twice", "..%252f..%252fetc%252fpasswd"),
    Attack("climbs on Windows", "..%5c..%5cwindows"),
    Attack("absolute", "%2fetc%2fpasswd"),
    Attack("null byte", "acme%00.py"),
    Attack("line break", "acme%0d%0aX-Evil:%201"),
    Attack("quotes of SQL", "acme'%20OR%20'1'='1"),
    Attack("end of a statement", "acme';%20DROP%20TABLE%20providers;--"),
    Attack("anything of SQL", "%25"),
    Attack("template", "%7b%7b7*7%7d%7d"),
    Attack("look-alike", "\u0430cme"),
    Attack("very long", "a" * 5_000),
)
PLACES = ("/api/sdks/{}", "/api/providers/{}/dossier", "/api/discoveries/{}", "/v1/models/{}")
BODIES = (
    Attack("user before the host", "http://api.openai.com@evil.example/v1"),
    Attack("password", "http://u:p@127.0.0.1/v1"),
    Attack("query", "http://127.0.0.1/v1?key=1"),
    Attack("fragment", "http://127.0.0.1/v1#x"),
    Attack("line break", "http://127.0.0.1/v1\r\nHost: evil.example"),
    Attack("space", "http://127.0.0.1 .evil.example/v1"),
    Attack("another scheme", "file:///etc/passwd"),
    Attack("port zero", "http://127.0.0.1:0/v1"),
    Attack("port too high", "http://127.0.0.1:65536/v1"),
    Attack("no host", "http:///v1"),
    Attack("right to left", "http://127.0.0.1/v1\u202e"),
)
NESTED = (
    Attack("lists without end", b"[" * 60_000),
    Attack("objects without end", b'{"a":' * 10_000),
    Attack("a number without end", b'{"identifier": ' + b"9" * 60_000 + b"}"),
    Attack("no text", b'{"identifier": "\xff\xfe"}'),
    Attack("half a surrogate pair", b'{"identifier": "acme/\\ud800"}'),
    Attack("null byte", b'{"identifier": "acme/a\\u0000b"}'),
    Attack("too long", b'{"identifier": "' + b"a" * 70_000 + b'"}'),
    Attack("a second meaning", b'{"identifier": "acme/x", "is_admin": true}'),
)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    settings = settings_in(tmp_path_factory.mktemp("router"))
    with lasting(routed(settings, specs=lambda _: [a_spec("http://127.0.0.1:9/v1")])) as found:
        yield found


def told(stand: Lasting, *calls: tuple[str, str, Any]) -> list[tuple[int, str]]:
    """What the service answers to the operator, and that it then still serves what it served."""

    async def story(router: Router) -> list[tuple[int, str]]:
        said = [await _one(router, method, path, more) for method, path, more in calls]
        assert [row["id"] for row in (await router.admin("GET", "/providers")).json()] == ["acme"]
        assert (await router.admin("GET", "/discoveries")).json() == []
        return said

    return stand.run(story(stand.router))


async def _one(router: Router, method: str, path: str, more: Any) -> tuple[int, str]:
    answer = await router.http.request(method, path, headers={"authorization": "Bearer a-token-for-tests"}, **more)
    assert "x-evil" not in answer.headers
    return answer.status_code, answer.text


@attacks(*PATHS)
def test_such_a_name_in_a_path_finds_nothing(attack: Attack, stand: Lasting) -> None:
    calls: list[tuple[str, str, Any]] = [("GET", place.format(attack.hostile), {}) for place in PLACES]
    for status, text in told(stand, *calls):
        assert status in (400, 404)
        assert "root:" not in text
        assert "49" not in text


@attacks(*BODIES)
def test_such_a_base_url_is_not_taken_from_the_operator_either(attack: Attack, stand: Lasting) -> None:
    body = {"json": {"identifier": "box/x", "base_url": attack.hostile}}
    ((status, text),) = told(stand, ("POST", "/api/providers/add", body))
    assert (status, json.loads(text)["code"]) == (400, "invalid-input")


@pytest.mark.parametrize("path", ["/api/providers/add", "/v1/chat/completions"])
@attacks(*NESTED)
def test_such_a_body_is_refused_and_breaks_nothing(attack: Attack, path: str, stand: Lasting) -> None:
    ((status, text),) = told(stand, ("POST", path, {"content": attack.hostile}))
    assert status in (400, 413)
    assert json.loads(text)
