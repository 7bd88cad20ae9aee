"""The smallest value of a JSON schema, whatever it says."""

from typing import Any

import pytest

from modelscan.reference.schema import example

ROW = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "example"),
        ({"type": ["integer", "null"]}, 1),
        ({"type": []}, {}),
        ({"const": 7}, 7),
        ({"enum": ["x", "y"]}, "x"),
        ({"anyOf": [{"type": "boolean"}, {"type": "string"}]}, True),
        ({"oneOf": [{"type": "null"}]}, None),
        (ROW, {"a": "example"}),
        ({**ROW, "required": ["a", "b"]}, {"a": "example", "b": 1.5}),
        ({"properties": {"c": {"type": "array", "items": ROW}}}, {"c": [{"a": "example"}]}),
        ({"type": "object"}, {}),
        ({"type": 7}, {}),
        ("odd", {}),
        (None, {}),
    ],
)
def test_it_is_of_the_schema(schema: Any, value: Any) -> None:
    assert example(schema) == value


def test_a_schema_without_end_ends() -> None:
    endless: dict[str, Any] = {"type": "array"}
    endless["items"] = endless
    assert isinstance(example(endless), list)
