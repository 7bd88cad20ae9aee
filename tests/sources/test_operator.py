import pytest

from modelscan.errors import InvalidInput
from modelscan.sources.operator import OPERATOR
from modelscan.types import SourceRecord
from tests.sources.asking import ask_with, json_routes


def test_a_typed_base_url_is_a_trusted_record() -> None:
    record = ask_with(json_routes({}), OPERATOR.fetch, base_url="http://127.0.0.1:9001/v1", operator_named=True)
    assert isinstance(record, SourceRecord)
    assert (record.trusted, record.payload) == (True, {"base_url": "http://127.0.0.1:9001/v1"})


def test_a_base_url_of_a_list_is_no_word_of_the_operator() -> None:
    assert ask_with(json_routes({}), OPERATOR.fetch, base_url="https://a.example/v1") is None


@pytest.mark.parametrize(
    "base_url",
    [
        None,
        "",
        "box:9001",
        "ftp://box/v1",
        "http://",
        "http://[x",
        "http://a b/v1",
        "http://a:port/v1",
        "http://a:65536/v1",
        "http://me:secret@box/v1",
        "http://box/v1?key=secret",
        "http://box/#secret",
    ],
)
def test_what_is_no_plain_base_url_is_refused_without_being_repeated(base_url: str | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask_with(json_routes({}), OPERATOR.fetch, base_url=base_url, operator_named=True)
    assert "secret" not in str(caught.value)
