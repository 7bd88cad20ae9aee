"""What clients that subclass an official SDK are made of, whichever SDK it is."""

from modelscan.wire.protocol import Vocabulary

__all__ = ["sdk_vocabulary"]

_NAMES = (
    "Any AsyncClient Client Literal ModelName SPEC _PRIVATE __all__ _api_key _base_url _variable api_key base_url bool "
    "custom_headers dict found given headers int key list name names next options os re security self str super value"
)
_ATTRIBUTES = "DefaultAsyncHttpxClient DefaultHttpxClient Match Omit __init__ api_key environ get join setdefault sub"


def sdk_vocabulary(sdk: str, attributes: str, names: str = "") -> Vocabulary:
    """The vocabulary of a subclass of `sdk`'s clients; `attributes` and `names` are what only this SDK needs."""
    return Vocabulary(
        imports=frozenset({"os", "re", "typing", sdk}),
        names=frozenset({sdk, *_NAMES.split(), *names.split()}),
        attributes=frozenset({*_ATTRIBUTES.split(), *attributes.split()}),
    )
