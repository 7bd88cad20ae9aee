"""What there is no such place or method for is said in the caller's own shape, and a slash too many is forgiven."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.places import settings_in
from tests.router_app.routers import Lasting, chat_body, lasting, routed_to_reference

ANTHROPICS = {"anthropic-version": "2023-06-01"}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    with lasting(routed_to_reference(settings_in(tmp_path_factory.mktemp("router")))) as found:
        yield found


def answered(stand: Lasting, method: str, path: str, headers: dict[str, str]) -> httpx2.Response:
    body = chat_body("acme/echo", max_tokens=5) if method == "POST" else None
    return stand.run(stand.router.http.request(method, path, headers=headers, json=body))


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v1/chat/completions", {}, 405),
        ("OPTIONS", "/v1/chat/completions", {}, 405),
        ("PUT", "/v1/chat/completions/", {}, 405),
        ("POST", "/v1/models", {}, 405),
        ("DELETE", "/v1/responses/resp_1", {}, 404),
        ("POST", "/v1/files", {}, 404),
        ("POST", "/v1/messagesx", {}, 404),
        ("GET", "/v1", {}, 404),
        ("POST", "/chat/completions", {}, 404),
    ],
)
def test_openais_callers_read_it_in_openais_shape(
    stand: Lasting, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = answered(stand, method, path, headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], list(answer.json())) == (status, "unknown_url", ["error"])
    assert ("a base URL that ends with /v1" in error["message"]) is not path.startswith("/v1/")
    assert ("allow" in answer.headers) is (status == 405)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "kind"),
    [
        ("GET", "/v1/messages", {}, 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", {}, 404, "not_found_error"),
        ("GET", "/v1/messages/count_tokens", {}, 405, "invalid_request_error"),
        ("POST", "/v1/complete", ANTHROPICS, 404, "not_found_error"),
        ("GET", "/v1/models/nobody", ANTHROPICS, 404, "not_found_error"),
        ("POST", "/v1/v1/messages", ANTHROPICS, 404, "not_found_error"),
        ("POST", "/messages", ANTHROPICS, 404, "not_found_error"),
    ],
)
def test_anthropics_callers_read_it_in_anthropics_shape(
    stand: Lasting, method: str, path: str, headers: dict[str, str], status: int, kind: str
) -> None:
    answer = answered(stand, method, path, headers)
    told = answer.json()
    assert (answer.status_code, told["type"], told["error"]["type"]) == (status, "error", kind)


@pytest.mark.parametrize("path", ["/", "/api/nothing", "/health"])
def test_operators_read_a_problem(stand: Lasting, path: str) -> None:
    answer = answered(stand, "DELETE", path, {})
    assert answer.headers["content-type"] == "application/problem+json"


def test_only_the_head_is_told_where_only_that_is_asked(stand: Lasting) -> None:
    answer = answered(stand, "HEAD", "/v1/messages", {})
    assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize("path", ["/v1/chat/completions/", "/v1/messages/"])
def test_a_slash_at_the_end_is_no_redirect(stand: Lasting, path: str) -> None:
    answer = answered(stand, "POST", path, {})
    assert (answer.status_code, answer.json()["model"]) == (200, "echo")


def test_the_list_of_models_is_there_with_a_slash_too(stand: Lasting) -> None:
    assert answered(stand, "GET", "/v1/models/", {}).json()["data"][0]["id"] == "acme/echo"
