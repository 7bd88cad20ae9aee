"""What the operator decided about a field: the last word on it, until it is undone."""

from typing import Literal, Self

from pydantic import AwareDatetime, JsonValue

from modelscan.types.base import Frozen, digest_of, utc_now

__all__ = ["Decision", "DecisionKind"]

DecisionKind = Literal["accept", "pin", "reject"]


class Decision(Frozen):
    """One decision about one field of one subject. Made again it takes the place of the one before."""

    id: str
    """Derived from kind, subject, field and source."""
    kind: DecisionKind
    """accept: what counts is right. pin: the operator's own value counts. reject: one source's claim does not."""
    subject: str
    """`provider` or `provider/model`."""
    field: str
    value: JsonValue = None
    """Of a pin: what counts instead of all claims. Of an acceptance: what counted when it was accepted."""
    source: str | None = None
    """Of a rejection: whose claim is not used."""
    seen: str = ""
    """Of an acceptance: the digest of what the sources claimed then; it ends when they claim something else."""
    at: AwareDatetime

    @classmethod
    def of(
        cls,
        kind: DecisionKind,
        subject: str,
        field: str,
        *,
        value: JsonValue = None,
        source: str | None = None,
        seen: str = "",
    ) -> Self:
        """Make one, now."""
        identity = digest_of([kind, subject, field, source])[:12]
        return cls(
            id=identity, kind=kind, subject=subject, field=field, value=value, source=source, seen=seen, at=utc_now()
        )
