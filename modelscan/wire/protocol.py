"""What a wire protocol is: a row of data that names its endpoints, its SDK and its templates."""

from modelscan.types import Endpoint, Frozen

__all__ = ["WireProtocol"]


class WireProtocol(Frozen):
    """One way of talking to a provider."""

    name: str
    """As specifications name it, such as `openai_chat`."""
    title: str
    endpoints: tuple[Endpoint, ...]
    sdk: str
    """The only package that a generated client of it imports."""
    client_template: str
    test_template: str
