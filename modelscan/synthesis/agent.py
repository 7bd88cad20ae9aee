"""Asks language models for a proposal: in order, within a cap and a time, and with each call written down."""

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from modelscan.redaction import Redact
from modelscan.synthesis.admission import admit
from modelscan.synthesis.cost import cost_of, counted, worst
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.llm import LanguageModel, Reply
from modelscan.synthesis.plain import visible
from modelscan.synthesis.prompt import PROMPT_VERSION, Prompt, Refused, prompt_for
from modelscan.synthesis.proposal import Refusal, SpecProposal, read_proposal
from modelscan.types import AgentCall, Attempt, CallOutcome, ClientSpec, Price, utc_now

__all__ = ["MAX_ASKS", "Agent", "Found"]

MAX_ASKS = 3
"""Proposals that are asked for in one loop: the first, and two that know what was wrong before them."""
_UNREAD = ("unreadable", "truncated", "too_large")
"""The model answered, but with no proposal: it is told so, and asked again."""
_DETAIL_CHARS = 500


class Found(NamedTuple):
    """A specification that a model proposed and the records bear out."""

    spec: ClientSpec
    model: str


class _Answer(NamedTuple):
    model: LanguageModel
    reply: Reply
    price: Price | None
    seconds: float
    at: datetime


class Agent:
    """The language models of one discovery, in the order in which they are asked.

    `price_of` gives a model's price, None where nobody knows it. `seconds_left`: of the run; no question begins that
    could outlast it.
    """

    def __init__(
        self,
        models: Sequence[LanguageModel],
        *,
        redact: Redact,
        max_chars: int,
        max_cost_usd: Decimal,
        price_of: Callable[[LanguageModel], Awaitable[Price | None]],
        seconds_left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self.calls: list[AgentCall] = []
        self.why_silent = "" if models else "no key for a language model"
        """Why none answers, or none any more, in words."""
        self._models = list(models)
        self._redact = redact
        self._max_chars = max_chars
        self._cap = max_cost_usd
        self._spent = Decimal(0)
        self._price_of = price_of
        self._seconds_left = seconds_left

    async def propose(self, evidence: Evidence, attempts: Sequence[Attempt], why: str) -> Found | None:
        """A specification that stands up to the records, or None; `why_silent` then says why."""
        refused: list[Refused] = []
        while len(refused) < MAX_ASKS:
            prompt = prompt_for(
                evidence, why=why, attempts=attempts, refusals=refused, redact=self._redact, max_chars=self._max_chars
            )
            if (answer := await self._answer_to(prompt)) is None:
                return None
            proposal, verdict = _judged(answer.reply, evidence, attempts)
            if isinstance(verdict, ClientSpec):
                self._record(answer, "accepted", proposal.notes if proposal else "")
                return Found(verdict, answer.model.model)
            reasons = "; ".join(f"{one.field}: {one.reason}" for one in verdict)
            if answer.reply.outcome == "answered":
                self._record(answer, "rejected", reasons)
            else:
                self._record(answer, answer.reply.outcome, answer.reply.detail)
            refused.append((proposal, verdict))
            self.why_silent = f"no usable proposal in {len(refused)} answers of {answer.model.model}"
        return None

    async def _answer_to(self, prompt: Prompt) -> _Answer | None:
        """Of the first model that gives one. A model that fails is not asked again in this discovery."""
        while self._models:
            model = self._models[0]
            price = await self._price_of(model)
            at_worst = worst(prompt, model.access.max_tokens, price)
            if stopped := self._stopped(model, at_worst):
                self.why_silent = stopped
                return None
            began, at = time.monotonic(), utc_now()
            reply = await model.ask(prompt)
            self._spent += counted(reply, price, at_worst)
            answer = _Answer(model, reply, price, time.monotonic() - began, at)
            if reply.outcome == "answered" or reply.outcome in _UNREAD:
                return answer
            self._record(answer, reply.outcome, reply.detail)
            self._models.pop(0)
            self.why_silent = f"{model.model} cannot be asked: {reply.detail}"
        return None

    def _stopped(self, model: LanguageModel, at_worst: Decimal) -> str:
        """Why the next question is not asked; empty where it may be."""
        if self._spent + at_worst > self._cap:
            return (
                f"the next question may cost ${at_worst:.4f}, and of the cap of ${self._cap} "
                f"(discovery.max_cost_usd) ${self._spent:.4f} are counted already"
            )
        if self._seconds_left() < model.access.seconds:
            return "the run has too little time left for a language model (discovery.run_seconds)"
        return ""

    def _record(self, answer: _Answer, outcome: CallOutcome, detail: str) -> None:
        self.calls.append(
            AgentCall(
                number=len(self.calls) + 1,
                provider=answer.model.provider,
                model=answer.model.model,
                prompt_version=PROMPT_VERSION,
                outcome=outcome,
                detail=" ".join(self._redact(visible(detail)).split())[:_DETAIL_CHARS],
                prompt_tokens=answer.reply.prompt_tokens,
                completion_tokens=answer.reply.completion_tokens,
                cost_usd=cost_of(answer.reply, answer.price),
                seconds=round(answer.seconds, 3),
                at=answer.at,
            )
        )


def _judged(
    reply: Reply, evidence: Evidence, attempts: Sequence[Attempt]
) -> tuple[SpecProposal | None, ClientSpec | tuple[Refusal, ...]]:
    """(the proposal where one can be read, the specification or what is wrong with it)."""
    if reply.outcome != "answered":
        return None, (Refusal(field="proposal", reason=f"{reply.detail}: answer shortly, with the proposal alone"),)
    read = read_proposal(reply.data)
    if not isinstance(read, SpecProposal):
        return None, read
    return read, admit(evidence, read, attempts)
