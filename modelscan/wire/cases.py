"""What a client must show, derived from its specification before the client exists."""

from modelscan.types import ClientSpec, Frozen

__all__ = ["Case", "derive"]


class Case(Frozen):
    """One thing to prove; the generated test has a function `test_<id>` for it."""

    id: str
    title: str


_IMPORTABLE = Case(id="importable", title="The module imports and says what the specification says")
_MODELS = Case(id="lists_models", title="The models list is answered and read")
_WRONG_KEY = Case(id="wrong_key_is_refused", title="A wrong key is refused as an authentication error")
_CHATS = Case(id="chats", title="A chat is answered")
_STREAMS = Case(id="streams_and_ends_well", title="A streamed chat arrives in chunks and ends with a reason")
_USAGE = Case(id="reports_usage", title="An answer reports its tokens")
_COUNTS = Case(id="counts_tokens", title="The tokens of a request are counted before it is sent")
_UNKNOWN = Case(id="unknown_model_is_an_error", title="An unknown model is an error of the right shape")


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
    return tuple(case for case in wanted if case not in absent)
