"""What a person types, and the ids it is made of."""

import re
from typing import Annotated, Self
from urllib.parse import unquote

from pydantic import AfterValidator

from modelscan.errors import InvalidIdentifier
from modelscan.redaction import redact
from modelscan.types.base import Frozen

__all__ = ["Identifier", "ModelId", "ProviderId", "fits_a_path", "is_model_id"]

_PROVIDER = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_MODEL_LENGTH = 256
_STEP_OF_A_PATH = re.compile(r"(^|[/\\])\.{0,2}($|[/\\])")


def _provider_id(text: str) -> str:
    if not _PROVIDER.fullmatch(text):
        raise ValueError("a provider id is 1-64 of a-z 0-9 . _ - and starts and ends with a letter or digit")
    return text


def _model_id(text: str) -> str:
    if not text or len(text) > _MODEL_LENGTH or not text.isprintable() or text != text.strip():
        raise ValueError(f"a model id is 1-{_MODEL_LENGTH} printable characters without spaces around it")
    return text


def is_model_id(text: str) -> bool:
    """Whether it can be the id of a model: what a server or a list calls so may hold anything."""
    try:
        return bool(_model_id(text))
    except ValueError:
        return False


def fits_a_path(model: str) -> bool:
    """Whether its id can stand in a URL's path and stay there: `..` leads out of it, also where it is escaped."""
    return is_model_id(model) and not _STEP_OF_A_PATH.search(unquote(model))


ProviderId = Annotated[str, AfterValidator(_provider_id)]
ModelId = Annotated[str, AfterValidator(_model_id)]


class Identifier(Frozen):
    """What a person types: `provider/model`, `provider:model`, or `provider` alone."""

    provider: ProviderId
    model: ModelId | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person typed. Case and spaces in the provider are forgiven; raises InvalidIdentifier.

        A key that was pasted into the wrong place is refused here, before it is stored or told to anybody.
        """
        if redact(text) != text:
            raise InvalidIdentifier(
                "That is no model identifier: a key stands in it.",
                hint="Give it with --api-key-stdin, or modelscan keys add PROVIDER; replace it where others saw it.",
            )
        provider, separator, model = _split(text.strip())
        try:
            return cls(provider=re.sub(r"[ ]+", "-", provider.strip().lower()), model=model if separator else None)
        except ValueError as error:
            raise InvalidIdentifier(
                f"{text!r} is not a model identifier: {_reason(error)}.",
                hint="Write provider/model, such as deepseek/deepseek-chat, or a provider alone.",
                identifier=text,
            ) from error

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.model else self.provider


def _split(text: str) -> tuple[str, str, str]:
    at = min((text.index(mark) for mark in "/:" if mark in text), default=len(text))
    return text[:at], text[at : at + 1], text[at + 1 :]


def _reason(error: ValueError) -> str:
    return str(error).partition("Value error, ")[2].partition(" [type=")[0] or "it has the wrong shape"
