"""Sources: one module each, and their only registration is the tuple below."""

from modelscan.sources.builtin import BUILTIN
from modelscan.sources.genai_prices import GENAI_PRICES
from modelscan.sources.models_dev import MODELS_DEV
from modelscan.sources.operator import OPERATOR
from modelscan.sources.provider_itself import PROVIDER
from modelscan.sources.source import Source, SourceRequest

__all__ = ["SOURCES", "Source", "SourceRequest", "source_named"]

SOURCES: tuple[Source, ...] = (OPERATOR, BUILTIN, MODELS_DEV, GENAI_PRICES, PROVIDER)


def source_named(name: str) -> Source:
    """The row of that name; KeyError where there is none."""
    return {source.name: source for source in SOURCES}[name]
