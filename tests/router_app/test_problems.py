"""Every error has a status, and both shapes say what to do."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from modelscan.errors import CatalogBusy, ModelScanError, RateLimited, ServiceUnavailable, UnknownIdentifier
from router_app.problems import TooLarge, answer_for, status_of

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def classes(cls: type[ModelScanError] = ModelScanError) -> Iterator[type[ModelScanError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from classes(child)


ALL = [cls for cls in classes() if cls.__module__ == "modelscan.errors"]


@pytest.mark.parametrize("cls", ALL)
def test_every_error_has_the_status_that_is_documented(cls: type[ModelScanError]) -> None:
    documented = re.search(rf"^\| `{cls.code}` \| (\d+) \|", API, re.MULTILINE)
    assert documented, cls.code
    assert status_of(cls("x")) == int(documented[1])


def test_an_error_of_tomorrow_has_the_status_of_its_nearest_class() -> None:
    class Stranger(UnknownIdentifier):
        code = "stranger"

    assert status_of(Stranger("x")) == HTTPStatus.NOT_FOUND
    assert status_of(TooLarge("x")) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize("cls", ALL)
def test_both_shapes_tell_what_happened_and_what_to_do(cls: type[ModelScanError]) -> None:
    error = cls("It happened.", hint="Do this.", nearest=["a"], status="a field's own")
    problem = json.loads(bytes(answer_for("/api/x", error).body))
    assert (problem["detail"], problem["hint"], problem["code"]) == ("It happened.", "Do this.", cls.code)
    assert (problem["nearest"], problem["status"]) == (["a"], int(status_of(error)))
    assert problem["type"].endswith(f":{cls.code}")
    openai = json.loads(bytes(answer_for("/v1/x", error).body))["error"]
    assert (openai["message"], openai["code"]) == ("It happened. Do this.", cls.code)


@pytest.mark.parametrize("cls", ALL)
def test_only_what_passes_by_itself_says_when_to_try_again(cls: type[ModelScanError]) -> None:
    headers = answer_for("/api/x", cls("x")).headers
    assert ("retry-after" in headers) is issubclass(cls, ServiceUnavailable | CatalogBusy)


def test_what_is_known_of_the_wait_is_told() -> None:
    told = RateLimited("x", retry_after=2.2), RateLimited("x", retry_after=0.0)
    assert [answer_for("/v1/x", error).headers["retry-after"] for error in told] == ["3", "1"]
