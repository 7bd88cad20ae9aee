"""A client that was proved and waits for the operator's word before it is published."""

from pydantic import AwareDatetime, Field

from modelscan.types.base import Frozen
from modelscan.types.evidence import SourceGap, SourceRecord
from modelscan.types.spec import ClientSpec
from modelscan.types.synthesis import Change
from modelscan.types.validation import Attempt, ValidationReport

__all__ = ["Candidate", "Verdict"]


class Candidate(Frozen):
    """Everything that its publication needs, as it was validated."""

    spec: ClientSpec
    digest: str
    """Of the specification, as it was validated."""
    client: str = Field(repr=False)
    """The source text of the client."""
    test: str = Field(repr=False)
    report: ValidationReport
    attempts: tuple[Attempt, ...]
    records: tuple[SourceRecord, ...] = Field(repr=False)
    """What the specification rests on."""
    gaps: tuple[SourceGap, ...]
    changes: tuple[Change, ...]
    """Against the version that is served."""


class Verdict(Frozen):
    """The operator's word on a candidate. The first one counts."""

    approved: bool
    reason: str = ""
    actor: str = ""
    """`admin token`, or `token` and its name; empty where it is not known, as for a word in the Prefect UI."""
    at: AwareDatetime
    told: bool = False
    """Whether the run that waits was told."""
