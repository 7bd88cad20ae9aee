"""What a client must show, derived from its specification before the client exists."""

from collections.abc import Iterator

from modelscan.types import ClientSpec, Frozen
from modelscan.wire import protocol_of

__all__ = ["Case", "claims_refuted", "derive"]


class Case(Frozen):
    """One thing to prove; the generated test has a function `test_<id>` for it."""

    id: str
    title: str
    claim: str = ""
    """The capability of a model that it proves. A real provider that fails it loses the claim and keeps its client."""


_IMPORTABLE = Case(id="importable", title="The module imports and says what the specification says")
_MODELS = Case(id="lists_models", title="The models list is answered and read")
_WRONG_KEY = Case(id="wrong_key_is_refused", title="A wrong key is refused as an authentication error")
_CHATS = Case(id="chats", title="A chat is answered")
_STREAMS = Case(id="streams_and_ends_well", title="A streamed chat arrives in chunks and ends with a reason")
_USAGE = Case(id="reports_usage", title="An answer reports its tokens")
_COUNTS = Case(id="counts_tokens", title="The tokens of a request are counted before it is sent")
_UNKNOWN = Case(id="unknown_model_is_an_error", title="An unknown model is an error of the right shape")
_CLAIMED = (
    Case(id="calls_tools", title="A tool is called with arguments of its schema", claim="tool_call"),
    Case(id="streams_tool_calls", title="A streamed tool call has its arguments in pieces", claim="tool_call"),
    Case(id="takes_tool_results", title="The result of a tool is taken and answered", claim="tool_call"),
    Case(id="answers_in_schema", title="An answer keeps to the JSON schema asked for", claim="structured_output"),
    Case(id="embeds", title="Texts become vectors of one length", claim="embeddings"),
    Case(id="reads_images", title="An image is taken with a question about it", claim="vision"),
)


def derive(spec: ClientSpec) -> tuple[Case, ...]:
    """The cases that this specification claims: without a key in play no wrong one can be refused."""
    wanted = (_IMPORTABLE, _MODELS, _WRONG_KEY, _CHATS, _STREAMS, _USAGE, _COUNTS, _UNKNOWN)
    operations = {endpoint.operation for endpoint in spec.endpoints}
    absent = set()
    if spec.auth.kind == "none":
        absent.add(_WRONG_KEY)
    if "models" not in operations:
        absent.add(_MODELS)
    if "count_tokens" not in operations:
        absent.add(_COUNTS)
    claims = set(_claims(spec)) & protocol_of(spec).provable
    return (*(case for case in wanted if case not in absent), *(case for case in _CLAIMED if case.claim in claims))


def claims_refuted(failed: tuple[str, ...]) -> frozenset[str]:
    """The capabilities that those failed cases were to prove; none where another case is among them."""
    claims = {case.id: case.claim for case in _CLAIMED}
    return frozenset(claims[case] for case in failed) if set(failed) <= claims.keys() else frozenset()


def _claims(spec: ClientSpec) -> Iterator[str]:
    """What is said of the model that is tried, and whether there is another that embeds."""
    for model in spec.models:
        if model.id == spec.test_model:
            yield from model.capabilities
    if spec.embedding_model and spec.endpoint("embeddings"):
        yield "embeddings"
