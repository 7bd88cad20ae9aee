"""What the sources said: records, gaps, facts."""

from typing import Any, Literal, Self

from pydantic import AwareDatetime, Field, JsonValue

from modelscan.types.base import Frozen, digest_of, utc_now

__all__ = ["Claim", "Dossier", "Fact", "Known", "ModelSummary", "SourceGap", "SourceRecord"]


class SourceRecord(Frozen):
    """What one source answered about one subject, as evidence that facts and specifications cite."""

    id: str
    """Derived from source, subject, url and payload (not from the time), so the same answer has the same id."""
    source: str
    """The source's name: `models.dev`, `provider`, `operator`, `builtin`."""
    subject: str
    """The provider that it speaks of, or `provider/model` where it was asked of one model."""
    url: str
    fetched_at: AwareDatetime
    sha256: str
    """Of the bytes that were answered, of which `payload` may be a part."""
    trusted: bool
    """Whether a URL in it may be contacted with a key."""
    stale: bool = False
    """Whether it is a bundled snapshot that stands in for an unreachable source."""
    note: str = ""
    payload: JsonValue = Field(repr=False)

    @classmethod
    def of(cls, *, source: str, subject: str, url: str, payload: JsonValue, trusted: bool, **more: Any) -> Self:
        """Make a record; `id`, and `sha256` and `fetched_at` where not given, are worked out."""
        more.setdefault("fetched_at", utc_now())
        more.setdefault("sha256", digest_of(payload))
        identity = digest_of([source, subject, url, payload])[:16]
        return cls(id=identity, source=source, subject=subject, url=url, payload=payload, trusted=trusted, **more)


class SourceGap(Frozen):
    """A source that could not say anything, and why: shown as a gap, never fatal."""

    source: str
    kind: Literal["unreachable", "unknown", "malformed", "refused"]
    reason: str
    nearest: tuple[str, ...] = ()
    """For `unknown`: the known names nearest to what was asked."""


class Fact(Frozen):
    """One value that one record claims of one subject."""

    subject: str
    """`provider` or `provider/model`."""
    field: str
    value: JsonValue
    record: str
    confidence: float = Field(ge=0, le=1)


class Claim(Frozen):
    """A fact with the record that it rests on: who says so, where, and when."""

    subject: str
    field: str
    value: JsonValue
    source: str
    url: str
    fetched_at: AwareDatetime
    sha256: str
    stale: bool
    confidence: float
    record: str


class Known(Frozen):
    """What is known of one field of one subject: the claim that counts, and those that say otherwise."""

    subject: str
    field: str
    chosen: Claim | None
    """None where every claim is rejected: then it is unknown."""
    why: str
    """Why this claim counts."""
    agree: tuple[str, ...] = ()
    """The other sources that say the same."""
    differ: tuple[Claim, ...] = ()
    """A conflict, where there is one: kept, and shown."""
    rejected: tuple[Claim, ...] = ()
    """What the operator does not want to be used."""
    settled: Literal["", "accepted", "pinned"] = ""
    """How the operator ended the conflict."""

    @property
    def open(self) -> bool:
        """Whether sources disagree and the operator has not decided."""
        return bool(self.differ) and not self.settled


class ModelSummary(Frozen):
    """How much is known of one model of a provider."""

    model: str
    known: int
    """How many fields some source speaks of."""
    conflicts: int
    unknown: tuple[str, ...]
    """The prices and limits that no source gives."""


class Dossier(Frozen):
    """What is known of one subject, and what is not."""

    subject: str
    """`provider` or `provider/model`."""
    fields: tuple[Known, ...]
    unknown: tuple[str, ...] = ()
    """Of a model: the prices and limits that no source gives. They are unknown, never 0."""
    models: tuple[ModelSummary, ...] = ()
    """Of a provider: its models, by id; their fields are in their own dossiers."""
