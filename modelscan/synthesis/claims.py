"""What the records claim of one field each, the likeliest claim first, with the record that makes it."""

import re
from collections.abc import Collection, Sequence

from modelscan.errors import NotEnoughEvidence, UnknownIdentifier, UnsupportedProtocol
from modelscan.sources.provider_itself import Observation
from modelscan.synthesis.evidence import Evidence
from modelscan.types import Auth, Endpoint, Model, SourceRecord
from modelscan.visible import visible
from modelscan.wire import WIRE_PROTOCOLS, WireProtocol, protocol_named
from modelscan.wire.packages import PROTOCOL_OF_PACKAGE

__all__ = ["auths", "base_urls", "endpoints", "name_of", "protocols"]

_NOT_HERE = (404, 405)
_LONGEST_NAME = 120
_REFUSED = (401, 403)
_WEAK_AUTHS = (("Authorization", "Bearer"), ("x-api-key", ""), ("api-key", ""))


def name_of(evidence: Evidence, fallback: SourceRecord) -> tuple[str, SourceRecord]:
    """The name that a list gives it, else its id, which rests on `fallback`."""
    for source in ("models.dev", "builtin"):
        record, name = evidence.record(source), evidence.claim(source, "name")
        if record and name:
            return visible(name, _LONGEST_NAME), record
    return evidence.identifier.provider, fallback


def protocols(evidence: Evidence) -> list[tuple[WireProtocol, SourceRecord]]:
    """The protocol and the record that says so; of a server of the operator's own those it answers.

    Raises UnknownIdentifier, NotEnoughEvidence, UnsupportedProtocol.
    """
    provider = evidence.identifier.provider
    builtin = evidence.record("builtin")
    if operator := evidence.record("operator"):
        return _protocols_of_own_server(evidence, operator)
    if builtin and (protocol := evidence.claim("builtin", "protocol")):
        return [(protocol_named(protocol), builtin)]
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
    if protocol not in {row.dialect for row in WIRE_PROTOCOLS}:
        raise UnsupportedProtocol(
            f"{provider} speaks {protocol} (models.dev: {package}), for which there is no template yet.",
            hint=f"If it also has an OpenAI-compatible address: modelscan add {evidence.identifier} --base-url URL",
            protocol=protocol,
        )
    return [(protocol_named(protocol), record)]


def _protocols_of_own_server(evidence: Evidence, operator: SourceRecord) -> list[tuple[WireProtocol, SourceRecord]]:
    record = evidence.record("provider")
    if record is None:
        why = next((gap.reason for gap in evidence.gaps if gap.source == "provider"), "it was not asked")
        raise NotEnoughEvidence(
            f"Not enough evidence for {evidence.identifier}: {why.rstrip('.')}.",
            hint="Start the server, check --base-url, and add it again.",
            base_url=operator.url,
        )
    # Who gives the place of a chat, such as `…/v1/messages`, says which of several protocols is meant.
    rows = sorted(WIRE_PROTOCOLS, key=lambda row: not _is_place_of_chat(row, operator.url))
    spoken = [row for row in rows if _chats(evidence.observations, row, operator.url)]
    likely = [row for row in spoken or rows if _is_sure(evidence.observations, row, operator.url)]
    return [(row, record) for row in likely or spoken]


def _is_sure(observations: Sequence[Observation], row: WireProtocol, url: str) -> bool:
    """Whether a mapping is more than one of many: some servers refuse all without a key, whatever the path."""
    return not row.rest or _is_place_of_chat(row, url) or _chats(observations, row, url, refusals=frozenset())


def _is_place_of_chat(row: WireProtocol, url: str) -> bool:
    chat = row.endpoint("chat")
    return chat is not None and url.rstrip("/").endswith(chat.path)


def _chats(
    observations: Sequence[Observation], row: WireProtocol, url: str, refusals: Collection[int] = _REFUSED
) -> bool:
    """Whether a chat of that protocol was answered by more than 'there is no such thing'; `refusals` count as well."""
    chat = row.endpoint("chat")
    places = {base + chat.path for base in row.bases(url)} if chat else set()
    return any(
        seen.base_url + seen.path in places
        and seen.status not in _NOT_HERE
        and (seen.status in refusals or (seen.shape == "error" and seen.status not in _REFUSED))
        for seen in observations
        if seen.method == "POST"
    )


def endpoints(
    evidence: Evidence, row: WireProtocol, base_url: str, models: Sequence[Model] = ()
) -> tuple[Endpoint, ...]:
    """Those of the protocol; of the ones that its providers often lack, what our own row or an answer vouches for.

    Vectors are made where a model is there for that.
    """
    embeds = any("embeddings" in model.capabilities for model in models)
    if evidence.claim("builtin", "protocol"):
        return tuple(one for one in row.endpoints if embeds or one.operation != "embeddings")
    seen = {
        (one.method, one.base_url + one.path)
        for one in evidence.observations
        if one.shape == "models" or one.status in _REFUSED or (one.method == "POST" and one.shape == "error")
        if one.status not in _NOT_HERE
    }
    return tuple(
        endpoint
        for endpoint in row.endpoints
        if endpoint.operation not in row.optional
        or (embeds if endpoint.operation == "embeddings" else (endpoint.method, base_url + endpoint.path) in seen)
    )


def _unknown(evidence: Evidence) -> UnknownIdentifier | NotEnoughEvidence:
    unread = next((gap.reason for gap in evidence.gaps if gap.source == "models.dev" and gap.kind != "unknown"), None)
    if unread:
        return NotEnoughEvidence(
            f"Not enough evidence for {evidence.identifier.provider}: {unread}.",
            hint=f"If it has an OpenAI-compatible address: modelscan add {evidence.identifier} --base-url URL",
        )
    nearest = [name for gap in evidence.gaps for name in gap.nearest]
    like = f" Did you mean {', '.join(nearest[:3])}?" if nearest else ""
    return UnknownIdentifier(
        f"No source knows the provider {evidence.identifier.provider!r}.{like}",
        hint=f"A server of your own: modelscan add {evidence.identifier} --base-url URL",
        nearest=nearest,
        gaps=[gap.reason for gap in evidence.gaps],
    )


def base_urls(evidence: Evidence, row: WireProtocol) -> list[tuple[str, SourceRecord]]:
    """Base URLs of that protocol, the likeliest first."""
    if operator := evidence.record("operator"):
        ranked = sorted(row.bases(operator.url), key=lambda base: -_likelihood(evidence.observations, row, base))
        return [(base, operator) for base in ranked]
    for source, field in (("pin", "base_url"), ("builtin", "base_url"), ("models.dev", "api")):
        record, named = evidence.record(source), evidence.claim(source, field)
        if record and named:
            return [(row.base_of(named), record)]
    raise NotEnoughEvidence(
        f"Not enough evidence for {evidence.identifier.provider}: no source names a base URL.",
        hint=f"If you know it: modelscan add {evidence.identifier} --base-url URL",
    )


def _likelihood(observations: Sequence[Observation], row: WireProtocol, base: str) -> int:
    """How much below `base` looked like the API: the models list counts most, then errors in JSON that are no 404.

    Only at the places that the protocol has there: a server of several protocols answers at the others' places too.
    """
    places = {(endpoint.method, base + endpoint.path) for endpoint in row.endpoints}
    score = 0
    for seen in observations:
        if (seen.method, seen.base_url + seen.path) not in places:
            continue
        if seen.shape == "models":
            score += 4
        elif seen.status in _REFUSED:
            score += 2
        elif seen.shape == "error" and seen.status not in _NOT_HERE:
            score += 1
    return score


def auths(evidence: Evidence, row: WireProtocol) -> list[tuple[Auth, SourceRecord]]:
    """Ways to carry the key, the likeliest first."""
    env = _variables(evidence)
    builtin, listed = evidence.record("builtin"), evidence.record("models.dev")
    if operator := evidence.record("operator"):
        itself = evidence.record("provider") or operator
        return [(auth, itself) for auth in _auths_of_own_server(evidence.observations, row, env)]
    if builtin and evidence.claim("builtin", "auth") == "none":
        return [(Auth(kind="none"), builtin)]
    if builtin and evidence.claim("builtin", "auth") == "bearer":
        return [(Auth(env=env), builtin)]
    return [(row.auth.model_copy(update={"env": env}), record) for record in (listed, builtin) if record][:1]


def _auths_of_own_server(observations: Sequence[Observation], row: WireProtocol, env: tuple[str, ...]) -> list[Auth]:
    proven = next((seen.key_header for seen in observations if seen.with_key and seen.shape == "models"), None)
    ways = dict.fromkeys([*_WEAK_AUTHS, (row.auth.header, row.auth.scheme)])
    headers = [Auth(header=header, scheme=scheme, env=env) for header, scheme in ways]
    headers.sort(key=lambda auth: (auth.header != proven, auth.header != row.auth.header))
    if proven:
        return headers
    open_ways = [seen for seen in observations if not seen.with_key and seen.status not in _NOT_HERE]
    chats = [seen.status for seen in open_ways if seen.method == "POST"] or [seen.status for seen in open_ways]
    if 401 in chats or 403 in chats:
        return headers
    # Some servers read the body before they ask who sent it: a refusal of the real chat brings the headers up.
    return [Auth(kind="none"), *headers]


def _variables(evidence: Evidence) -> tuple[str, ...]:
    """The environment variables for the key: models.dev's, but for those that stand in the URL, else the usual one."""
    usual = re.sub(r"[^A-Z0-9]+", "_", evidence.identifier.provider.upper()) + "_API_KEY"
    if evidence.listed is None or evidence.record("operator"):
        return (usual,)
    named = [name for name in evidence.listed[0].env if re.fullmatch(r"[A-Za-z0-9_]{1,128}", name)]
    keys = [name for name in named if f"${{{name}}}" not in (evidence.claim("models.dev", "api") or "")]
    return tuple(keys) or (usual,)
