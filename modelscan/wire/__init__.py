"""Wire protocols: one module each, and their only registration is the tuple below."""

from modelscan.errors import UnsupportedProtocol
from modelscan.types import ClientSpec
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES
from modelscan.wire.custom_rest import KNOWN_MAPPINGS, custom_rest
from modelscan.wire.openai_chat import OPENAI_CHAT
from modelscan.wire.openai_responses import OPENAI_RESPONSES
from modelscan.wire.protocol import Surface, Usage, Vocabulary, WireProtocol

__all__ = [
    "SURFACES",
    "Surface",
    "Usage",
    "Vocabulary",
    "WIRE_PROTOCOLS",
    "WireProtocol",
    "protocol_named",
    "protocol_of",
]

WIRE_PROTOCOLS: tuple[WireProtocol, ...] = (OPENAI_CHAT, ANTHROPIC_MESSAGES, *KNOWN_MAPPINGS)
SURFACES: tuple[Surface, ...] = (*(row for row in WIRE_PROTOCOLS if row.served_at), OPENAI_RESPONSES)
"""What callers may speak."""


def protocol_named(dialect: str) -> WireProtocol:
    """The row of that name, such as `openai_chat` or `cohere_v2`; raises UnsupportedProtocol."""
    for protocol in WIRE_PROTOCOLS:
        if protocol.dialect == dialect:
            return protocol
    raise UnsupportedProtocol(
        f"There is no template for the protocol {dialect}.",
        hint="Supported: " + ", ".join(protocol.dialect for protocol in WIRE_PROTOCOLS) + ".",
        protocol=dialect,
    )


def protocol_of(spec: ClientSpec) -> WireProtocol:
    """How this provider is spoken to: a row, or what its own mapping says; raises UnsupportedProtocol."""
    return custom_rest(spec.rest, spec.endpoints) if spec.rest else protocol_named(spec.protocol)
