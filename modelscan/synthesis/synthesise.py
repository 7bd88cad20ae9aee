"""Rules where the evidence is plain; a language model where it is thin or contradictory, or rules know no more."""

from collections.abc import Sequence

from modelscan.errors import NotEnoughEvidence, UnsupportedProtocol
from modelscan.sources.hosts import fixed_url
from modelscan.synthesis.agent import Agent
from modelscan.synthesis.dossier import PIN
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import Proposal, propose, words_of
from modelscan.synthesis.resolve import addresses
from modelscan.types import AgentCall, Attempt, SourceRecord, ValidationReport

__all__ = ["how", "spent", "synthesise"]

_NOT_OF_MEANING = frozenset({402, 429, *range(500, 600)})
"""Answers that say nothing of how a provider is spoken to."""


async def synthesise(evidence: Evidence, attempts: Sequence[Attempt], agent: Agent) -> Proposal | None:
    """What to try next; None where there is nothing new. Raises as `propose` does where no model helps either."""
    try:
        by_rules = propose(evidence, attempts)
    except (NotEnoughEvidence, UnsupportedProtocol) as error:
        if not _usable(evidence):
            raise
        proposed = await _by_model(evidence, attempts, agent, f"rules do not suffice: {error.message}")
        if proposed or attempts:
            return proposed
        error.message += f" By rules alone: {agent.why_silent}."
        raise
    if by_rules is None and attempts and _is_of_meaning(attempts[-1].report):
        return await _by_model(evidence, attempts, agent, "what rules propose was tried, and failed")
    if by_rules and not attempts and (why := _contradiction(evidence)):
        return await _by_model(evidence, attempts, agent, why) or by_rules
    return by_rules


def how(agent: Agent) -> str:
    """How the specification came about, in words, with what it cost."""
    if not agent.calls:
        return f"by rules alone: {agent.why_silent}" if agent.why_silent else "by rules"
    last = agent.calls[-1]
    by = f"by {last.model}" if last.outcome == "accepted" else f"by rules alone: {agent.why_silent}"
    return f"{by} ({spent(agent.calls)})"


def spent(calls: Sequence[AgentCall]) -> str:
    """The calls, their tokens and their cost, each as far as it is known."""
    tokens = sum((call.prompt_tokens or 0) + (call.completion_tokens or 0) for call in calls)
    known = [call.cost_usd for call in calls if call.cost_usd is not None]
    cost = f"${sum(known):.4f}" if known else "cost unknown"
    unknown = len(calls) - len(known)
    more = f" and {unknown} of unknown cost" if known and unknown else ""
    return f"{len(calls)} call{'' if len(calls) == 1 else 's'}, {tokens} tokens, {cost}{more}"


async def _by_model(evidence: Evidence, attempts: Sequence[Attempt], agent: Agent, why: str) -> Proposal | None:
    found = await agent.propose(evidence, attempts, why)
    if found is None:
        return None
    words = words_of(evidence, found.spec, first=not attempts)
    return Proposal(found.spec, f"{words}; proposed by {found.model}, as {why.rstrip('.')}")


def _usable(evidence: Evidence) -> bool:
    """Whether a model could find something: a trusted record gives an address, and an own server answered."""
    if evidence.record("operator") and not evidence.record("provider"):
        return False
    return any(_addresses(record) for record in evidence.records)


def _addresses(record: SourceRecord) -> list[str]:
    """What a trusted record gives as addresses to speak to."""
    return [one for one in addresses(record.payload) if fixed_url(one)] if record.trusted else []


def _contradiction(evidence: Evidence) -> str:
    """What trusted lists disagree on, where neither the operator nor our own row settles it; empty where they agree."""
    if any(evidence.record(source) for source in (PIN, "operator", "builtin")):
        return ""
    trusted = [record for record in evidence.records if not evidence.rejects(record.source, "base_url")]
    first = [(record.source, given[0]) for record in trusted if (given := _addresses(record))]
    named = {source: url.host for source, address in first if (url := fixed_url(address))}
    if len(set(named.values())) < 2:
        return ""
    return "trusted lists name different addresses: " + ", ".join(f"{one} {at}" for one, at in named.items())


def _is_of_meaning(report: ValidationReport) -> bool:
    """Whether another specification could turn it green: not where the key, the money or the server is at fault."""
    statuses = {result.status for result in report.failed}
    return not report.only_key_refused and not statuses <= _NOT_OF_MEANING
