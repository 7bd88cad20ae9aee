"""What a language model may say: data, each field with the records it rests on; never code, never a path of a file."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from modelscan.types import Frozen, ModelId, Quirks
from modelscan.wire import WIRE_PROTOCOLS

__all__ = ["Cited", "ProposedAuth", "ProposedHeader", "Refusal", "SpecProposal", "read_proposal", "schema"]

T = TypeVar("T")
_MAX_REASONS = 12
_NOT_IN_STRICT_SCHEMAS = {
    "$defs",
    "default",
    "format",
    "maxItems",
    "maxLength",
    "minItems",
    "minLength",
    "pattern",
    "title",
}


def _names() -> list[str]:
    """Those whose requests are known beforehand: a mapping of its own is not for a model to write."""
    return [protocol.dialect for protocol in WIRE_PROTOCOLS]


def _known(name: str) -> str:
    if name not in _names():
        raise ValueError(f"there is no template for it; there is one for {', '.join(_names())}")
    return name


RecordId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ProtocolName = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": _names()})]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Cited(_Said, Generic[T]):
    """A value and where it stands."""

    value: T
    records: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=8)]
    """The ids of the records (or attempts) that contain the value."""


class ProposedAuth(_Said):
    """How a request carries its key."""

    kind: Literal["none", "header"]
    header: Annotated[str, Field(max_length=64)]
    """The header that carries the key, such as Authorization; empty for kind none."""
    scheme: Annotated[str, Field(max_length=16)]
    """What stands before the key, such as Bearer; empty for nothing."""
    env: Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=4)]
    """The names of environment variables that hold the key."""


class ProposedHeader(_Said):
    """A header that every request has, besides the one with the key."""

    name: Annotated[str, Field(max_length=64)]
    value: Annotated[str, Field(max_length=200)]


class SpecProposal(_Said):
    """How the provider is spoken to. Null where the records are silent."""

    protocol: Cited[ProtocolName]
    base_url: Cited[Annotated[str, Field(max_length=500)]]
    """Copied from a trusted record."""
    auth: Cited[ProposedAuth] | None = None
    headers: Cited[Annotated[tuple[ProposedHeader, ...], Field(max_length=8)]] | None = None
    quirks: Cited[Quirks] | None = None
    """What it does otherwise than the protocol has it."""
    models: Cited[Annotated[tuple[ModelId, ...], Field(min_length=1, max_length=50)]] | None = None
    """Ids of models that chat; null: those that the lists name."""
    test_model: Cited[ModelId] | None = None
    """The model to try it with; null: the cheapest."""
    notes: Annotated[str, Field(max_length=500)] = ""


class Refusal(Frozen):
    """Why a proposal is not taken: one field, one reason."""

    field: str
    reason: str


def read_proposal(data: object) -> SpecProposal | tuple[Refusal, ...]:
    """The proposal, or what is wrong with its form."""
    try:
        return SpecProposal.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[:_MAX_REASONS]
        return tuple(Refusal(field=".".join(map(str, one["loc"]))[:100], reason=one["msg"][:300]) for one in found)


@cache
def schema() -> dict[str, Any]:
    """SpecProposal as a JSON schema in the strict form that OpenAI takes, and all others too.

    Every property is required, none is allowed beside, texts have no limits, and no reference is left.
    """
    whole = SpecProposal.model_json_schema()
    strict: dict[str, Any] = _strict(whole, whole.get("$defs", {}))
    return strict


def _strict(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_strict(one, definitions) for one in node]
    if not isinstance(node, dict):
        return node
    if reference := node.get("$ref"):
        node = {**definitions[reference.rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}
    kept = {key: _strict(value, definitions) for key, value in node.items() if key not in _NOT_IN_STRICT_SCHEMAS}
    if isinstance(properties := node.get("properties"), dict):
        kept["properties"] = {name: _strict(value, definitions) for name, value in properties.items()}
        kept["required"] = list(properties)
        kept["additionalProperties"] = False
    return kept
