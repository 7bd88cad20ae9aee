"""The answer without an LLM: which claim wins, and what else may be tried after a red run."""

import re
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from modelscan.errors import NotEnoughEvidence, UnknownIdentifier, UnsupportedProtocol
from modelscan.sources.provider_itself import Observation, candidates
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.models import models_for
from modelscan.synthesis.resolve import resolve
from modelscan.types import Attempt, Auth, ClientSpec, SourceRecord
from modelscan.wire import protocol_named

__all__ = ["PROTOCOL_OF_PACKAGE", "Proposal", "propose"]

PROTOCOL_OF_PACKAGE = {
    "@ai-sdk/openai-compatible": "openai_chat",
    "@openrouter/ai-sdk-provider": "openai_chat",
    "@ai-sdk/amazon-bedrock": "bedrock_converse",
    "@ai-sdk/anthropic": "anthropic_messages",
    "@ai-sdk/azure": "azure_openai",
    "@ai-sdk/cohere": "cohere_v2",
    "@ai-sdk/gateway": "vercel_ai_gateway",
    "@ai-sdk/google": "gemini_generate_content",
    "@ai-sdk/google-vertex": "vertex_generate_content",
    "@ai-sdk/google-vertex/anthropic": "vertex_anthropic",
    "@ai-sdk/openai": "openai_responses",
}
"""What an AI SDK package speaks by default; one that is not here says nothing certain."""

_WEAK_AUTHS = (("Authorization", "Bearer"), ("x-api-key", ""), ("api-key", ""))


class Proposal(NamedTuple):
    """What to try next, in fields and in words."""

    spec: ClientSpec
    words: str


def propose(evidence: Evidence, attempts: Sequence[Attempt] = ()) -> Proposal | None:
    """The best hypothesis that was not tried yet; None when there is nothing new to try.

    Only what rests on weak evidence varies: the path and the key's header of a server that the operator named. What a
    trusted source states is taken or refused, never varied. Raises UnknownIdentifier, NotEnoughEvidence,
    UnsupportedProtocol, HostRefused.
    """
    protocol, protocol_record = _protocol(evidence)
    tried = {attempt.spec_digest for attempt in attempts}
    for (base_url, base_record), (auth, auth_record) in product(_bases(evidence), _auths(evidence)):
        models, test_model, models_record = models_for(evidence, base_url)
        spec = resolve(
            evidence,
            name=evidence.claim("models.dev", "name")
            or evidence.claim("builtin", "name")
            or evidence.identifier.provider,
            protocol=protocol,
            base_url=base_url,
            auth=auth,
            models=models,
            test_model=test_model,
            cited={
                "name": (evidence.record("models.dev") or base_record).id,
                "protocol": protocol_record.id,
                "endpoints": protocol_record.id,
                "base_url": base_record.id,
                "auth": auth_record.id,
                "models": models_record.id,
            },
        )
        if spec.digest not in tried:
            return Proposal(spec=spec, words=_words(spec, first=not attempts))
    return None


def _words(spec: ClientSpec, *, first: bool) -> str:
    key = f"key in {spec.auth.header}" if spec.auth.kind == "header" else "no key"
    what = f"{protocol_named(spec.protocol).title} at {spec.base_url}, {key}"
    return what if first else f"instead: {what}"


def _protocol(evidence: Evidence) -> tuple[str, SourceRecord]:
    """The protocol and the record that says so."""
    provider = evidence.identifier.provider
    builtin = evidence.record("builtin")
    if operator := evidence.record("operator"):
        return _protocol_of_own_server(evidence, operator)
    if builtin and (protocol := evidence.claim("builtin", "protocol")):
        return protocol, builtin
    record = evidence.record("models.dev")
    if record is None:
        raise _unknown(evidence)
    package = evidence.claim("models.dev", "npm") or "no package"
    protocol = PROTOCOL_OF_PACKAGE.get(package, "")
    if not protocol:
        raise NotEnoughEvidence(
            f"Not enough evidence for {provider}: models.dev names its package {package}, which tells no protocol.",
            hint=f"If it has an OpenAI-compatible address: modelscan add {evidence.identifier} --base-url URL",
            package=package,
        )
    if protocol != "openai_chat":
        raise UnsupportedProtocol(
            f"{provider} speaks {protocol} (models.dev: {package}), for which there is no template yet.",
            hint=f"If it also has an OpenAI-compatible address: modelscan add {evidence.identifier} --base-url URL",
            protocol=protocol,
        )
    return protocol, record


def _protocol_of_own_server(evidence: Evidence, operator: SourceRecord) -> tuple[str, SourceRecord]:
    record = evidence.record("provider")
    if record is None:
        why = next((gap.reason for gap in evidence.gaps if gap.source == "provider"), "it was not asked")
        raise NotEnoughEvidence(
            f"Not enough evidence for {evidence.identifier}: {why}",
            hint="Start the server, check --base-url, and add it again.",
            base_url=operator.url,
        )
    return "openai_chat", record


def _unknown(evidence: Evidence) -> UnknownIdentifier:
    nearest = [name for gap in evidence.gaps for name in gap.nearest]
    like = f" Did you mean {', '.join(nearest[:3])}?" if nearest else ""
    return UnknownIdentifier(
        f"No source knows the provider {evidence.identifier.provider!r}.{like}",
        hint=f"A server of your own: modelscan add {evidence.identifier} --base-url URL",
        nearest=nearest,
        gaps=[gap.reason for gap in evidence.gaps],
    )


def _bases(evidence: Evidence) -> list[tuple[str, SourceRecord]]:
    """Base URLs, the likeliest first."""
    if operator := evidence.record("operator"):
        given, other = candidates(operator.url)
        ranked = sorted((given, other), key=lambda base: (-_likelihood(evidence.observations, base), base != given))
        provider = evidence.record("provider") or operator
        return [(base, operator if base == operator.url else provider) for base in ranked]
    for source, field in (("builtin", "base_url"), ("models.dev", "api")):
        record, named = evidence.record(source), evidence.claim(source, field)
        if record and named:
            return [(named.rstrip("/"), record)]
    raise NotEnoughEvidence(
        f"Not enough evidence for {evidence.identifier.provider}: no source names a base URL.",
        hint=f"If you know it: modelscan add {evidence.identifier} --base-url URL",
    )


def _likelihood(observations: Sequence[Observation], base: str) -> int:
    """How much below `base` looked like the API: the models list counts most, then errors in JSON that are no 404."""
    score = 0
    for seen in observations:
        if seen.base_url != base:
            continue
        if seen.shape == "models":
            score += 4
        elif seen.status in (401, 403):
            score += 2
        elif seen.shape == "error" and seen.status != 404:
            score += 1
    return score


def _auths(evidence: Evidence) -> list[tuple[Auth, SourceRecord]]:
    """Ways to carry the key, the likeliest first."""
    env = _variables(evidence)
    builtin, listed = evidence.record("builtin"), evidence.record("models.dev")
    if builtin and evidence.claim("builtin", "auth") == "none":
        return [(Auth(kind="none"), builtin)]
    if operator := evidence.record("operator"):
        itself = evidence.record("provider") or operator
        return [(auth, itself) for auth in _auths_of_own_server(evidence.observations, env)]
    record = listed or builtin
    if record is None:
        raise _unknown(evidence)
    return [(Auth(env=env), record)]


def _auths_of_own_server(observations: Sequence[Observation], env: tuple[str, ...]) -> list[Auth]:
    proven = next((seen.key_header for seen in observations if seen.with_key and seen.shape == "models"), None)
    headers = [Auth(header=header, scheme=scheme, env=env) for header, scheme in _WEAK_AUTHS]
    if proven:
        return sorted(headers, key=lambda auth: auth.header != proven)
    chats = [seen.status for seen in observations if seen.method == "POST" and seen.status != 404]
    if 401 in chats or 403 in chats:
        return headers
    return [Auth(kind="none")]


def _variables(evidence: Evidence) -> tuple[str, ...]:
    """The environment variables for the key: models.dev's, but for those that stand in the URL, else the usual one."""
    usual = re.sub(r"[^A-Z0-9]+", "_", evidence.identifier.provider.upper()) + "_API_KEY"
    if evidence.listed is None or evidence.record("operator"):
        return (usual,)
    named = [name for name in evidence.listed[0].env if re.fullmatch(r"[A-Za-z0-9_]{1,128}", name)]
    keys = [name for name in named if f"${{{name}}}" not in (evidence.claim("models.dev", "api") or "")]
    return tuple(keys) or (usual,)
