import pytest
from pydantic import SecretStr

from modelscan.keys.describing import describe


@pytest.mark.parametrize(("text", "prefix"), [("abc", ""), ("abcdefgh", "ab"), ("sk-" + "x" * 60, "sk-xxxxx")])
def test_at_most_a_quarter_of_a_key_is_shown(text: str, prefix: str) -> None:
    described = describe(SecretStr(text), "acme", "api")
    assert described.prefix == prefix
    assert text not in repr(described) or len(text) < 4
