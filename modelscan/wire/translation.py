"""From a caller's protocol to a provider's and back: the only place that knows all protocols that can be translated."""

import re
from collections.abc import Mapping
from typing import Any

from modelscan.errors import UpstreamFailed
from modelscan.types import ClientSpec
from modelscan.wire.chat.answer import Answer, Counted, Event, Failed, Finished, Started, TokenCounts, events_of
from modelscan.wire.chat.foreign import said_error
from modelscan.wire.chat.request import Target
from modelscan.wire.chat.spoke import ProviderSide, Spoke, body_of, compact
from modelscan.wire.chat_completions import CHAT_COMPLETIONS
from modelscan.wire.messages import MESSAGES
from modelscan.wire.protocol import Usage
from modelscan.wire.responses import RESPONSES
from modelscan.wire.rest_chat import rest_side

__all__ = ["SPOKES", "StreamTranslation", "Translation", "provider_side"]

Json = dict[str, Any]
SPOKES: Mapping[str, Spoke] = {
    "openai_chat": CHAT_COMPLETIONS,
    "anthropic_messages": MESSAGES,
    "openai_responses": RESPONSES,
}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_NAMES = 32
_LONGEST_WORDS = 1000


def provider_side(spec: ClientSpec) -> ProviderSide:
    """How this provider is asked and understood."""
    return rest_side(spec.rest) if spec.rest else SPOKES[spec.protocol]


class Translation:
    """One caller's request, which can be written for any provider, one after the other; raises InvalidInput."""

    def __init__(self, caller: str, body: Json) -> None:
        self._caller = SPOKES[caller]
        self._body = body
        self._asked = self._caller.read_request(body)

    def request_for(self, provider: ProviderSide, target: Target) -> tuple[bytes, str]:
        """(body, names of what was dropped, as a header says them); raises InvalidInput."""
        written = provider.write_request(self._asked, target)
        return body_of(written), _listed(written.dropped)

    def answer_of(self, provider: ProviderSide, payload: Any) -> tuple[bytes, Usage]:
        """A provider's whole answer for the caller; raises UpstreamFailed."""
        answer = _answer(provider, payload)
        return _bytes(self._caller.write_answer(answer, self._body)), _usage(answer.counts)

    def stream_of(self, provider: ProviderSide) -> "StreamTranslation":
        """What translates a provider's stream."""
        return StreamTranslation(provider, self._caller, self._body)


class StreamTranslation:
    """Takes a provider's bytes, split anywhere, and gives the caller's. Nothing piles up but the event that is open."""

    def __init__(self, provider: ProviderSide, caller: Spoke, body: Json) -> None:
        self._provider = provider
        self._reading = provider.stream_in()
        self._writing = caller.stream_out(body)
        self._counts = TokenCounts()
        self.finished = False
        """Whether all was said: what comes after it, be it the end of the connection, is not told."""
        self.failed: Failed | None = None
        """Set where the stream ended with an error, which the caller was told; what comes after it is not read."""

    @property
    def usage(self) -> Usage:
        """The tokens told so far."""
        return _usage(self._counts)

    def feed(self, chunk: bytes) -> bytes:
        """What the caller gets for the next bytes."""
        return self._write(self._reading.feed(chunk))

    def end(self) -> bytes:
        """What the caller gets when the provider's connection has ended."""
        return self._write(self._reading.end())

    def whole(self, payload: Any) -> bytes:
        """The stream of an answer that came as one though a stream was asked for; raises UpstreamFailed."""
        return self._write(list(events_of(_answer(self._provider, payload))))

    def broken(self, message: str, code: str) -> bytes:
        """What the caller gets when the connection broke off."""
        return self._write([Failed(message, code)])

    def _write(self, events: list[Event]) -> bytes:
        written = b""
        for event in events:
            if self.failed or self.finished:
                break
            if isinstance(event, Counted | Started):
                self._counts = event.counts
            elif isinstance(event, Failed):
                self.failed = event
            elif isinstance(event, Finished):
                self.finished = True
            written += self._writing.write(event)
        return written


def _answer(provider: ProviderSide, payload: Any) -> Answer:
    answer = provider.read_answer(payload)
    if answer is None:
        if isinstance(payload, dict) and payload.get("error"):
            raise UpstreamFailed(said_error(payload)[0][:_LONGEST_WORDS] or "The provider failed.", hint="Ask again.")
        raise UpstreamFailed("The provider answered with what is no answer of its protocol.", hint="Ask again.")
    return answer


def _bytes(answer: Json) -> bytes:
    try:
        return compact(answer).encode()
    except (ValueError, RecursionError) as error:
        raise UpstreamFailed("The provider's answer cannot be written as JSON.", hint="Ask again.") from error


def _usage(counts: TokenCounts) -> Usage:
    return Usage(counts.prompt, counts.completion, counts.cached, counts.cache_written, counts.reasoning)


def _listed(names: tuple[str, ...]) -> str:
    """The names as a header holds them; a caller may call a member whatever it likes."""
    known = [name for name in names if _NAME.fullmatch(name)][:_MOST_NAMES]
    return ", ".join([*known, "other"] if len(known) < len(names) else known)
