"""What was asked of a language model, and what one loop changed against the one before."""

from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime

from modelscan.types.base import Frozen

__all__ = ["AgentCall", "CallOutcome", "Change"]

CallOutcome = Literal[
    "accepted",
    "rejected",
    "declined",
    "unreadable",
    "truncated",
    "too_large",
    "timeout",
    "unauthorized",
    "rate_limited",
    "failed",
]
"""`rejected`: read, but it cited wrongly or named what no record does. `declined`: the model would not answer.
`unreadable`: no proposal in the answer. `truncated`: it ended at the limit of its tokens. `failed`: anything else."""


class AgentCall(Frozen):
    """One question to a language model. Neither the prompt nor the answer is kept, nor a key."""

    number: int
    """From 1, within the discovery."""
    provider: str
    """Who serves the model: `anthropic`, `openai`, or the host of `discovery.agent_base_url`."""
    model: str
    prompt_version: str
    outcome: CallOutcome
    detail: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: Decimal | None = None
    """US dollars. None: unknown, as the price or the tokens are; never 0 for want of knowing."""
    seconds: float
    at: AwareDatetime


class Change(Frozen):
    """A field of the specification that a loop changed, in short texts."""

    field: str
    before: str
    after: str
