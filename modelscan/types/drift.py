"""Drift: what a provider is like, as sources say it, and the changes that were found between two looks."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import AwareDatetime, Field

from modelscan.redaction import redact
from modelscan.types.base import Frozen, digest_of
from modelscan.types.evidence import SourceRecord
from modelscan.types.identifier import ModelId, ProviderId

__all__ = [
    "DriftEvent",
    "DriftEvidence",
    "DriftKind",
    "DriftState",
    "FeedEntry",
    "Letter",
    "ModelState",
    "Observed",
    "ProviderState",
    "as_kept",
]


_LONGEST = 8000


class DriftKind(StrEnum):
    """What changed."""

    PRICE = "price"
    LIMIT = "limit"
    BASE_URL = "base_url"
    AUTH = "auth"
    PROTOCOL = "protocol"
    MODELS = "models"
    """A model that was added or removed; without a model the provider itself."""
    BEHAVIOUR = "behaviour"
    """A case that used to pass, and fails."""
    SOURCE = "source"
    """A source's answer that looks broken: empty, shrunk, or of another shape."""


class DriftState(StrEnum):
    """What becomes of a change."""

    HELD = "held"
    """It waits for the operator's word; what counted before still counts."""
    APPLIED = "applied"
    """It counts, as the policy of its kind says."""
    IGNORED = "ignored"
    """Kept, and nothing follows from it."""
    APPROVED = "approved"
    REJECTED = "rejected"


class DriftEvidence(Frozen):
    """A record that says so: its id, and where and when it was fetched."""

    record: str
    source: str
    url: str
    fetched_at: AwareDatetime

    @classmethod
    def of(cls, record: SourceRecord) -> Self:
        """Of a stored answer."""
        return cls(record=record.id, source=record.source, url=record.url, fetched_at=record.fetched_at)


class DriftEvent(Frozen):
    """One change of one field, with who says so."""

    id: str
    """16 hexadecimal digits, derived from kind, provider, model, field, before, after, and the new value's record."""
    kind: DriftKind
    provider: str
    """Of kind `source` the source's name."""
    model: ModelId | None = None
    field: str
    """`price.input_mtok`, `context_tokens`, `base_url`, `models`, …; of kind `behaviour` the case."""
    before: str | None
    """None: it was not there, or unknown. Prices are Decimals as text, US dollars per million tokens."""
    after: str | None
    evidence: tuple[DriftEvidence, ...]
    """The new value's record first, then the old one's."""
    found_at: AwareDatetime
    run_id: str | None = None
    """The Prefect run that found it."""
    state: DriftState = DriftState.HELD
    reason: str = ""
    """Why it is in this state, where the operator or a rule said so."""
    judged_at: AwareDatetime | None = None
    """When the operator approved or rejected it."""
    judged_by: str | None = None
    """Who that was: `admin token`, or `token` and the name of one that was issued."""

    @classmethod
    def of(
        cls,
        kind: DriftKind,
        provider: str,
        field: str,
        before: str | None,
        after: str | None,
        *,
        evidence: tuple[DriftEvidence, ...],
        found_at: AwareDatetime,
        model: str | None = None,
        run_id: str | None = None,
        reason: str = "",
    ) -> Self:
        """Make one that is held; its id is derived, so that the same change found twice is one event.

        What was scraped is hostile: it is kept without secrets and half characters, and a very long text is cut.
        """
        return cls(
            id="",
            kind=kind,
            provider=provider,
            model=model,
            field=field,
            before=as_kept(before),
            after=as_kept(after),
            evidence=evidence,
            found_at=found_at,
            run_id=run_id,
            reason=reason,
        ).derived()

    def derived(self, times: int = 0) -> Self:
        """With the id that it has when the same change happened so many times before, and was undone since."""
        record = self.evidence[0].record if self.evidence else None
        identity = [self.kind, self.provider, self.model, self.field, self.before, self.after, record]
        return self.model_copy(update={"id": digest_of([*identity, times] if times else identity)[:16]})

    @property
    def source(self) -> str:
        """Who says the new value; empty where no record does."""
        return self.evidence[0].source if self.evidence else ""

    @property
    def counts(self) -> bool:
        """Whether the new value is to take effect."""
        return self.state in (DriftState.APPLIED, DriftState.APPROVED)

    @property
    def subject(self) -> str:
        """`provider`, or `provider/model`."""
        return f"{self.provider}/{self.model}" if self.model else self.provider


class FeedEntry(Frozen):
    """One line of the feed of changes: an event as it was found, or as it was judged."""

    seq: int
    """From 1, without gaps: who has seen one has seen all below it."""
    at: AwareDatetime
    event: DriftEvent


class Letter(Frozen):
    """One message to the operator's webhook, kept until it was taken."""

    id: str
    """The same at each attempt: by it a receiver knows what it has had already."""
    body: str = Field(repr=False)
    """JSON, the very bytes that are signed."""
    created_at: AwareDatetime
    state: Literal["waiting", "sent", "given_up"] = "waiting"
    attempts: int = 0
    next_at: AwareDatetime
    """It is not sent before."""
    said: str = ""
    """What was answered last."""


class Observed(Frozen):
    """One value as plain text, and the id of the record that it came from."""

    value: str
    record: str


class ModelState(Frozen):
    """One model of a provider as sources list it."""

    record: str
    """The record that lists it."""
    prices: dict[str, Observed] = Field(default_factory=dict)
    """A Tariff's field -> US dollars as a Decimal's text; `tiers` is their JSON. Unknown ones are left out."""
    limits: dict[str, Observed] = Field(default_factory=dict)
    """`context_tokens` and `output_tokens`, as text. Unknown ones are left out."""


class ProviderState(Frozen):
    """A provider as one look at the sources found it: all that is compared with the next look."""

    provider: ProviderId
    record: str
    """The record that says that the provider is there, and which models it has."""
    protocol: Observed | None = None
    base_url: Observed | None = None
    auth: Observed | None = None
    """Such as `key in Authorization Bearer`, or the variables that a list names for it."""
    models: dict[str, ModelState] = Field(default_factory=dict)
    evidence: dict[str, DriftEvidence] = Field(default_factory=dict)
    """Each record that is named above, by its id."""


def as_kept(text: str | None) -> str | None:
    """A value as an event keeps it: without secrets, half characters and NUL, and cut where it is very long."""
    if text is None:
        return None
    whole = redact(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd"))
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]}… ({digest_of(whole)[:16]})"
