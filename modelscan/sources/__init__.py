"""Sources: one module each, and their only registration is the tuple below."""

from modelscan.sources.builtin import BUILTIN
from modelscan.sources.genai_prices import GENAI_PRICES
from modelscan.sources.gpustack import GPUSTACK
from modelscan.sources.gpustack_catalogue import GPUSTACK_CATALOGUE
from modelscan.sources.huggingface import HUGGINGFACE
from modelscan.sources.models_dev import MODELS_DEV
from modelscan.sources.modelscope import MODELSCOPE
from modelscan.sources.openapi_document import OPENAPI
from modelscan.sources.operator import OPERATOR
from modelscan.sources.provider_itself import PROVIDER
from modelscan.sources.source import Source, SourceRequest

__all__ = ["SOURCES", "Source", "SourceRequest", "source_named"]

SOURCES: tuple[Source, ...] = (
    OPERATOR,
    BUILTIN,
    MODELS_DEV,
    GENAI_PRICES,
    HUGGINGFACE,
    MODELSCOPE,
    GPUSTACK,
    GPUSTACK_CATALOGUE,
    PROVIDER,
    OPENAPI,
)


def source_named(name: str) -> Source:
    """The row of that name; KeyError where there is none."""
    return {source.name: source for source in SOURCES}[name]
