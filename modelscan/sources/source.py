"""What a source is: a row that says how it is asked, whom it concerns, and what its records claim."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import httpx2
from pydantic import JsonValue, SecretStr

from modelscan.errors import HostRefused, InvalidInput, SourceUnavailable
from modelscan.settings import DiscoverySettings
from modelscan.sources.http import Answer, ask
from modelscan.types import Identifier, SourceGap, SourceRecord

__all__ = ["Said", "Source", "SourceRequest", "answer_or_gap", "is_base_url"]


@dataclass(frozen=True)
class SourceRequest:
    """What a source is asked."""

    identifier: Identifier
    http: httpx2.AsyncClient
    settings: DiscoverySettings
    base_url: str | None = None
    """The operator's own (`--base-url`), or the one that a trusted record named before."""
    operator_named: bool = False
    """Whether `base_url` is the operator's own word."""
    protocol: str | None = None
    """The protocol that a trusted record names for `base_url`; None where none does."""
    demo_base_url: str | None = None
    """Where this service's reference provider listens."""
    key: SecretStr | None = None
    """May be sent to `base_url` and nowhere else."""
    deep: bool = False
    """Whether every source is to be asked, and more of each (`--deep`); else only what is quick and likely."""

    def __post_init__(self) -> None:
        """Raises InvalidInput where the operator's base URL is none, or holds what may be a secret."""
        if self.operator_named and not is_base_url(self.base_url or ""):
            raise InvalidInput(
                "The base URL is not http(s)://HOST[:PORT][/PATH], without user, query or fragment.",
                hint="Such as http://127.0.0.1:9001/v1; a key goes with --api-key.",
            )


def is_base_url(text: str) -> bool:
    """Whether it is an http(s) address with nothing in it but host, port and path."""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        return False
    port = 1 if url.port is None else url.port
    named = url.scheme in ("http", "https") and bool(url.host) and "%" not in url.host and 0 < port < 65536
    return named and not (url.userinfo or url.query or url.fragment)


@dataclass(frozen=True)
class Said:
    """One value that a record claims."""

    subject: str
    """`provider` or `provider/model`."""
    field: str
    value: JsonValue
    confidence: float | None = None
    """Between 0 and 1, where it is another than its source's."""


def _everybody(_: SourceRequest) -> bool:
    return True


def _anywhere(_: SourceRequest) -> None:
    """Any record of this source and subject may be used again."""


@dataclass(frozen=True)
class Source:
    """One source."""

    name: str
    fetch: Callable[[SourceRequest], Awaitable[SourceRecord | SourceGap | None]]
    """None where the source has nothing to say of the request."""
    claims: Callable[[SourceRecord, Collection[str]], Iterable[Said]]
    """(record, the provider's models as far as other records name them) -> what it claims. Never raises."""
    concerns: Callable[[SourceRequest], bool] = _everybody
    """Whether it may know anything of what is asked; it is not asked where it says no."""
    needs_base_url: bool = False
    """It asks the provider itself, so some other source must say first where that is."""
    per_model: bool = False
    """Whether its records speak of the one model that is asked for: their subject is `provider/model`."""
    of_weights: bool = False
    """Whether what it says of a model is said of its weights, so of whatever a provider calls a deployment of them."""
    cached: bool = True
    """Whether an answer is used again for `discovery.cache_days`."""
    saved_url: Callable[[SourceRequest], str | None] = _anywhere
    """The URL of the record that may be used again; None for any."""
    confidence: float = 0.9
    """Of what it claims, between 0 and 1, where it answered today; a snapshot counts for two thirds of it."""

    def subject(self, request: SourceRequest) -> str:
        """What its record of this request speaks of."""
        return str(request.identifier) if self.per_model else request.identifier.provider


async def answer_or_gap(
    request: SourceRequest, source: str, url: str, *, limit: int, **more: Any
) -> Answer | SourceGap:
    """A GET that answered 200, or why there is none. `limit` in bytes."""
    try:
        answer = await ask(request.http, "GET", url, limit=limit, **more)
    except HostRefused as error:
        return SourceGap(source=source, kind="refused", reason=error.message)
    except SourceUnavailable as error:
        return SourceGap(source=source, kind="unreachable", reason=error.message)
    if answer.status == 200:
        return answer
    reason = f"{url} answered {answer.status}"
    if answer.status == 404:
        return SourceGap(source=source, kind="unknown", reason=reason)
    return SourceGap(source=source, kind="unreachable" if answer.status >= 500 else "refused", reason=reason)
