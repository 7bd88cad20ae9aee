"""Wire protocols: one module each, and their only registration is the tuple below."""

from modelscan.errors import UnsupportedProtocol
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES
from modelscan.wire.openai_chat import OPENAI_CHAT
from modelscan.wire.protocol import Usage, Vocabulary, WireProtocol

__all__ = ["Usage", "Vocabulary", "WIRE_PROTOCOLS", "WireProtocol", "protocol_named"]

WIRE_PROTOCOLS: tuple[WireProtocol, ...] = (OPENAI_CHAT, ANTHROPIC_MESSAGES)


def protocol_named(name: str) -> WireProtocol:
    """The row of that name; raises UnsupportedProtocol."""
    for protocol in WIRE_PROTOCOLS:
        if protocol.name == name:
            return protocol
    raise UnsupportedProtocol(
        f"There is no template for the protocol {name}.",
        hint="Supported: " + ", ".join(protocol.name for protocol in WIRE_PROTOCOLS) + ".",
        protocol=name,
    )
