"""What was really recorded of providers, as the tests replay it: answers and streams with what was asked for them."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.corpus import corpus_file, corpus_names

__all__ = ["FIXTURES", "RECORDED", "Recording", "fixture", "recording", "spoken"]

_PLACES = {
    "openai_chat": r"/chat/completions$",
    "anthropic_messages": r"/v1/messages(\?beta=true)?$",
    "openai_responses": r"/responses$",
}
_BY_NAME = {
    "openai_chat": re.compile(r"chat-completions__"),
    "anthropic_messages": re.compile(r"v1-messages__"),
    "openai_responses": re.compile(r"responses__"),
}
# Their bodies were unpacked when they were recorded, and whoever replays them frames them anew.
_FRAMING = {"content-encoding", "content-type", "transfer-encoding", "content-length"}
_LAST = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_HI = [{"role": "user", "content": "hi"}]


@dataclass(frozen=True)
class Recording:
    """One exchange."""

    protocol: str
    status: int
    kind: str
    """The content type."""
    headers: dict[str, str]
    """But for those that frame the body."""
    body: bytes
    asked: dict[str, Any]
    """The request's body; the smallest one where none was recorded."""

    @property
    def stream(self) -> bool:
        return "event-stream" in self.kind


RECORDED = [
    (name, protocol)
    for name in corpus_names("recorded/*__*.json")
    for protocol, place in _BY_NAME.items()
    if place.search(name)
]
"""(file, protocol) of the exchanges in the protocols of `_PLACES`."""
FIXTURES = corpus_names("sse_fixtures/*")


def recording(name: str) -> Recording:
    """An exchange of `recorded/`."""
    found = json.loads(corpus_file(name).read_bytes())
    protocol = next(protocol for protocol, place in _PLACES.items() if re.search(place, found["url"]))
    text = found.get("response_text")
    # Its own spelling is lost; this one no encoder of ours writes.
    body = json.dumps(found["response"], indent=1, ensure_ascii=False) if text is None else text
    headers = {name.lower(): value for name, value in found["response_headers"].items()}
    kept = {name: value for name, value in headers.items() if name not in _FRAMING}
    asked = found["request"] if isinstance(found.get("request"), dict) else {"model": "", "messages": _HI}
    return Recording(protocol, found["status"], headers["content-type"], kept, body.encode(), asked)


def fixture(name: str) -> list[Recording]:
    """The streams, framed, or the answer of a file of `sse_fixtures/`; none where it is of another protocol."""
    text = corpus_file(name).read_text()
    if name.endswith(".json"):
        found = json.loads(text)
        protocol = _answered(found)
        return [_recording(protocol, "application/json", text)] if protocol else []
    lines = [line for line in text.splitlines() if line.strip()]
    protocol = spoken(lines)
    if protocol is None:
        return []
    if protocol != "anthropic_messages":
        done = "data: [DONE]\n\n" if protocol == "openai_chat" else ""
        return [_recording(protocol, "text/event-stream", "".join(f"data: {line}\n\n" for line in lines) + done)]
    events = "".join(f"event: {json.loads(line)['type']}\ndata: {line}\n\n" for line in lines)
    # Some files hold one stream after the other.
    each = [f"{one}{_LAST}" for one in events.split(_LAST)[:-1]]
    return [_recording(protocol, "text/event-stream", one) for one in each]


def _recording(protocol: str, kind: str, body: str) -> Recording:
    asked = {"model": "", "messages": _HI, "max_tokens": 9}
    more = {"stream": True} if kind == "text/event-stream" else {}
    return Recording(protocol, 200, kind, {}, body.encode(), asked | more)


def _answered(found: Any) -> str | None:
    """The protocol of a whole answer."""
    if not isinstance(found, dict):
        return None
    chat = found.get("object") == "chat.completion"
    return "openai_chat" if chat else "anthropic_messages" if found.get("type") == "message" else None


def spoken(lines: list[str]) -> str | None:
    """The protocol of a stream's payloads."""
    if any('"message_start"' in line for line in lines[:3]):
        return "anthropic_messages"
    if any('"response.' in line for line in lines[:3]):
        return "openai_responses"
    return "openai_chat" if '"choices"' in lines[0] else None
