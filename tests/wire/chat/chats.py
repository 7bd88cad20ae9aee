"""Any chat: strategies for requests, answers and streams in the neutral form."""

import json
from typing import Any

from hypothesis import strategies as st

from modelscan.wire.chat.answer import Answer, Stop, TokenCounts
from modelscan.wire.chat.parts import Document, Image, Part, Text, Thinking, ToolCall, ToolResult
from modelscan.wire.chat.request import ChatRequest, Format, Tool, ToolChoice, Turn

__all__ = ["answers", "arguments", "requests"]

words = st.text(min_size=1, max_size=8)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
ids = st.from_regex(r"call_[a-z0-9]{1,6}", fullmatch=True)
numbers = st.integers(0, 10**6)
arguments = st.dictionaries(names, st.one_of(words, st.integers(), st.none()), max_size=2).map(
    lambda value: json.dumps(value, separators=(",", ":"))
)
texts = st.builds(Text, words)
images = st.one_of(
    st.builds(Image, names.map(lambda name: f"https://pictures.test/{name}.png")),
    st.builds(Image, st.just(""), st.sampled_from(["image/png", "image/jpeg"]), st.just("aGk=")),
)
files = st.builds(Document, st.just(""), st.just("application/pdf"), st.just("aGk="), names)
calls = st.builds(ToolCall, ids, names, arguments)
results = st.builds(ToolResult, ids, st.tuples(texts))
signed = st.builds(Thinking, words, names)


def _turns() -> st.SearchStrategy[tuple[Turn, ...]]:
    """A system prompt, and pairs of what a user asks and a model says, as each protocol can say them."""
    shown = st.lists(st.one_of(images, files), max_size=2)
    asks = st.tuples(texts, shown).map(lambda both: Turn("user", (both[0], *both[1])))
    told = st.lists(results, min_size=1, max_size=2).map(lambda found: Turn("user", tuple(found)))
    says = st.tuples(texts, st.lists(calls, max_size=2)).map(lambda both: Turn("assistant", (both[0], *both[1])))
    system = st.one_of(st.just(()), texts.map(lambda text: (Turn("system", (text,)),)))
    pairs = st.lists(st.tuples(says, st.one_of(asks, told)), max_size=2)

    def joined(both: Any) -> tuple[Turn, ...]:
        first, ask, rest = both
        return (*first, ask, *(turn for pair in rest for turn in pair))

    return st.tuples(system, asks, pairs).map(joined)


tools = st.lists(
    st.builds(Tool, names, st.one_of(st.none(), words), st.just({"type": "object", "properties": {}})), max_size=2
).map(tuple)
formats = st.one_of(
    st.none(), st.builds(Format, st.just({"type": "object"}), st.just("answer"), st.none(), st.just(True))
)


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    """Requests of what all three protocols can say."""
    offered = draw(tools)
    kinds = [ToolChoice("auto"), ToolChoice("any"), *(ToolChoice("tool", tool.name) for tool in offered)]
    return ChatRequest(
        turns=draw(_turns()),
        tools=offered,
        tool_choice=draw(st.sampled_from(kinds)) if offered else None,
        parallel=draw(st.booleans()) if offered else None,
        limit=draw(st.integers(1, 9999)),
        temperature=draw(st.sampled_from([None, 0, 0.5, 1])),
        top_p=draw(st.sampled_from([None, 0.5, 1])),
        format=draw(formats),
        user=draw(st.one_of(st.none(), names)),
        stream=draw(st.booleans()),
    )


def answers() -> st.SearchStrategy[Answer]:
    """Answers that each protocol can say: thoughts, words and calls, and no refusals, which not all have."""
    parts = st.tuples(
        st.lists(signed, max_size=1), st.lists(texts, max_size=1), st.lists(calls, max_size=2, unique_by=lambda c: c.id)
    ).map(lambda found: tuple(part for one in found for part in one))
    counts = st.tuples(numbers, numbers, numbers, numbers, numbers).map(
        lambda n: TokenCounts(n[0] + n[2] + n[3], n[1], n[2], n[3], n[4])
    )

    def answer(both: tuple[tuple[Part, ...], TokenCounts, Stop]) -> Answer:
        parts, counts, stop = both
        called = any(isinstance(part, ToolCall) for part in parts)
        return Answer("1", "m", parts, "tool" if called else stop, None, counts)

    return st.tuples(parts, counts, st.sampled_from(["end", "length"])).map(answer)  # type: ignore[arg-type]
