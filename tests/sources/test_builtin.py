import httpx2
import pytest

from modelscan.sources.builtin import BUILTIN, ROWS
from modelscan.types import SourceRecord
from tests.sources.asking import ask_with, json_routes

DEMO = "http://127.0.0.1:8080/reference/v1"


@pytest.mark.parametrize("provider", sorted(ROWS))
def test_each_row_is_an_https_base_url_with_the_page_that_says_so(provider: str) -> None:
    record = ask_with(json_routes({}), BUILTIN.fetch, provider)
    assert isinstance(record, SourceRecord)
    assert record.trusted
    assert record.url == ROWS[provider].doc
    base = httpx2.URL(ROWS[provider].base_url)
    assert (base.scheme, str(base).endswith("/")) == ("https", False)


def test_a_provider_without_a_row_has_no_record() -> None:
    assert ask_with(json_routes({}), BUILTIN.fetch, "acme") is None


def test_the_demo_is_where_this_service_says() -> None:
    record = ask_with(json_routes({}), BUILTIN.fetch, "demo", demo_base_url=DEMO)
    assert isinstance(record, SourceRecord)
    assert isinstance(record.payload, dict)
    assert (record.payload["base_url"], record.payload["auth"], record.payload["models"]) == (DEMO, "none", ["echo"])


def test_without_a_running_service_there_is_no_demo() -> None:
    assert ask_with(json_routes({}), BUILTIN.fetch, "demo") is None
