"""Base URLs of well-known providers that publish none in the lists, each from the provider's own documentation."""

from collections.abc import Collection, Iterable

from pydantic import JsonValue

from modelscan.sources.source import Said, Source, SourceRequest
from modelscan.types import Frozen, SourceGap, SourceRecord

__all__ = ["BUILTIN", "ROWS", "record_of"]


class Row(Frozen):
    """One provider's base URL, and the page that says so."""

    base_url: str
    doc: str
    protocol: str = "openai_chat"
    bearer: bool = False
    """Whether it takes its key as a bearer token though its protocol usually has it elsewhere."""


ROWS: dict[str, Row] = {
    "aihubmix": Row(base_url="https://aihubmix.com/v1", doc="https://docs.aihubmix.com/en"),
    "anthropic": Row(
        base_url="https://api.anthropic.com",
        doc="https://platform.claude.com/docs/en/api/messages",
        protocol="anthropic_messages",
        bearer=True,  # So its documentation of authentication and its own SDK have it.
    ),
    "cerebras": Row(base_url="https://api.cerebras.ai/v1", doc="https://inference-docs.cerebras.ai/resources/openai"),
    "cohere": Row(
        base_url="https://api.cohere.com", doc="https://docs.cohere.com/v2/reference/chat", protocol="cohere_v2"
    ),
    "deepinfra": Row(base_url="https://api.deepinfra.com/v1/openai", doc="https://deepinfra.com/docs/openai_api"),
    "google": Row(
        base_url="https://generativelanguage.googleapis.com",
        doc="https://ai.google.dev/api/generate-content",
        protocol="gemini_generate_content",
    ),
    "groq": Row(base_url="https://api.groq.com/openai/v1", doc="https://console.groq.com/docs/openai"),
    "mistral": Row(base_url="https://api.mistral.ai/v1", doc="https://docs.mistral.ai/api/"),
    "openai": Row(base_url="https://api.openai.com/v1", doc="https://platform.openai.com/docs/api-reference"),
    "perplexity": Row(
        base_url="https://api.perplexity.ai", doc="https://docs.perplexity.ai/guides/chat-completions-guide"
    ),
    "togetherai": Row(
        base_url="https://api.together.xyz/v1", doc="https://docs.together.ai/docs/openai-api-compatibility"
    ),
    "v0": Row(base_url="https://api.v0.dev/v1", doc="https://vercel.com/docs/v0/api"),
    "venice": Row(base_url="https://api.venice.ai/api/v1", doc="https://docs.venice.ai/overview/about-venice"),
    "vercel": Row(base_url="https://ai-gateway.vercel.sh/v1", doc="https://vercel.com/docs/ai-gateway/openai-compat"),
    "xai": Row(base_url="https://api.x.ai/v1", doc="https://docs.x.ai/docs/api-reference"),
}
"""Only what is certain: a provider that is not here and publishes no URL is reported as such, never guessed."""

DEMO = "demo"


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """The row of this provider, or the address of this service's reference provider; None for all others."""
    provider = request.identifier.provider
    if provider == DEMO and request.demo_base_url:
        return _demo(request.demo_base_url)
    return record_of(provider)


def record_of(provider: str) -> SourceRecord | None:
    """The row of this provider; None for all others."""
    if (row := ROWS.get(provider)) is None:
        return None
    payload: dict[str, JsonValue] = {"base_url": row.base_url, "protocol": row.protocol}
    payload |= {"auth": "bearer"} if row.bearer else {}
    return SourceRecord.of(source="builtin", subject=provider, url=row.doc, payload=payload, trusted=True)


def _demo(base_url: str) -> SourceRecord:
    payload: JsonValue = {
        "name": "Demo (the bundled reference provider)",
        "base_url": base_url,
        "protocol": "openai_chat",
        "auth": "none",
        "models": ["echo"],
    }
    return SourceRecord.of(source="builtin", subject=DEMO, url=base_url, payload=payload, trusted=True)


def _claims(record: SourceRecord, _models: Collection[str]) -> Iterable[Said]:
    payload = record.payload if isinstance(record.payload, dict) else {}
    return [Said(record.subject, field, payload[field]) for field in ("base_url", "protocol") if payload.get(field)]


BUILTIN = Source(name="builtin", fetch=fetch, cached=False, claims=_claims)
