"""How a custom REST service is asked and how its answers are read: a mapping in words of a closed vocabulary."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from modelscan.types.base import Frozen
from modelscan.types.request import QueryParameters

__all__ = ["FinishReason", "RestAnswer", "RestMapping", "RestModels", "RestRequest", "RestStream"]

_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
_STEP = rf"({_NAME}|[0-9]{{1,2}}|\*)"

FieldPath = Annotated[str, Field(pattern=rf"^{_NAME}(\.{_NAME}){{0,7}}$")]
"""Where a value is written: the names of objects within each other, such as `generationConfig.maxOutputTokens`."""
AnswerPath = Annotated[str, Field(pattern=rf"^{_STEP}(\.{_STEP}){{0,9}}$")]
"""Where a value is read; a number is a place in a list, and `*` each of them, such as `choices.0.parts.*.text`."""
AnswerPaths = Annotated[tuple[AnswerPath, ...], Field(min_length=1, max_length=4)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why an answer ended, in the words of the field."""


class RestRequest(Frozen):
    """Where a chat's parts are written in the body. None: it is not sent."""

    model: FieldPath | None = None
    """None where the `{model}` of the path says which is meant."""
    messages: FieldPath
    roles: dict[Literal["system", "user", "assistant"], Word]
    """What it calls each; without `system` the system prompt goes to the field `system`."""
    role: FieldPath = "role"
    """Within a message, as is `content`."""
    content: FieldPath = "content"
    content_form: Literal["text", "parts"] = "text"
    """A text, or a list with one `{"text": …}`."""
    system: FieldPath | None = None
    max_tokens: FieldPath | None = None
    temperature: FieldPath | None = None
    top_p: FieldPath | None = None
    stop: FieldPath | None = None
    stream: FieldPath | None = None
    """The flag that asks for a stream, sent as true or false; None where the operation `stream` has its own path."""

    @model_validator(mode="after")
    def _has_a_place_for_each_role(self) -> Self:
        if not {"user", "assistant"} <= self.roles.keys():
            raise ValueError("the mapping has no word for the user or the assistant")
        if ("system" in self.roles) == (self.system is not None):
            raise ValueError("the system prompt has a role or a field, and not both")
        return self


class RestAnswer(Frozen):
    """Where an answer, or a piece of a streamed one, holds what was said."""

    text: AnswerPath
    """Several are joined."""
    finish: AnswerPaths
    """The first that is there counts."""
    prompt_tokens: AnswerPaths
    """Several are summed, as are `completion_tokens`."""
    completion_tokens: AnswerPaths
    cached_tokens: AnswerPaths | None = None
    """Of the prompt's, those that were read from a cache, as `reasoning_tokens` are of the answer's."""
    reasoning_tokens: AnswerPaths | None = None


class RestStream(Frozen):
    """How a streamed answer comes."""

    framing: Literal["sse", "ndjson"]
    query: QueryParameters = Field(default_factory=dict)
    """Added to the URL of a stream."""
    piece: RestAnswer
    end: Literal["connection", "done_mark", "field"]
    """How it ends: with its connection, with `[DONE]`, or with a piece whose `end_at` holds `end_value`."""
    end_at: AnswerPath | None = None
    end_value: bool | Word = True

    @model_validator(mode="after")
    def _says_where_it_ends(self) -> Self:
        if (self.end == "field") == (self.end_at is None):
            raise ValueError("`end_at` says which field ends a stream, and stands only where one does")
        return self


class RestModels(Frozen):
    """Where the models list holds the ids."""

    rows: AnswerPath
    id: AnswerPath
    """Within a row."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{0,64}$")] = ""
    """Stands before each id and is no part of it."""


class RestMapping(Frozen):
    """The whole mapping; the paths of its endpoints stand in the specification."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    """What it is called, such as `cohere_v2`."""
    request: RestRequest
    answer: RestAnswer
    stream: RestStream
    finish_reasons: Annotated[dict[Word, FinishReason], Field(max_length=64)]
    """Its words for why an answer ended, each with the field's."""
    error: AnswerPaths
    """Where an error, also one within a stream, has its message; the first that is there counts."""
    models: RestModels
