"""Where requests for a name go: the operator's rules, of the configuration or of the catalogue."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["BALANCES", "Balance", "RoutingRule", "RoutingTarget"]

Balance = Literal["in_order", "least_used", "weighted", "lowest_latency", "lowest_price"]
"""How the first of several targets is chosen; the others follow it, should it fail."""
BALANCES: tuple[Balance, ...] = get_args(Balance)

_NAME = r"^[^\s\x00-\x1f\x7f]+$"
_MOST_TARGETS = 32


class RoutingTarget(BaseModel):
    """A model that answers: `provider/model`, or `*/model` for every provider that serves it.

    A `*` in the model's part stands for what the `*` of the rule matched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(max_length=256, pattern=_NAME)
    weight: float = Field(default=1.0, gt=0, le=1_000_000, allow_inf_nan=False)
    """Its share of requests beside the others', where the balance is `weighted`."""


class RoutingRule(BaseModel):
    """Requests for `match` go to `targets`, and to `fallbacks`, in their order, should all of those fail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = Field(max_length=256, pattern=_NAME)
    """The name that callers ask for, or a glob of it (`*` and `?`)."""
    targets: tuple[RoutingTarget, ...] = Field(min_length=1, max_length=_MOST_TARGETS)
    fallbacks: tuple[RoutingTarget, ...] = Field(default=(), max_length=_MOST_TARGETS)
    balance: Balance = "in_order"
    priority: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    """Of several rules that match, the one with the highest counts; then the one that says most."""
    client: str = Field(default="*", max_length=256, pattern=_NAME)
    """A glob of the names that clients give themselves in `x-modelscan-client`; `*` is for all, also those without."""

    @field_validator("targets", "fallbacks", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        """A target may be written as its model's name alone, and one target without a list."""
        values = [value] if isinstance(value, str | dict) else value
        if not isinstance(values, list | tuple):
            return values
        return tuple({"model": one} if isinstance(one, str) else one for one in values)

    @property
    def is_glob(self) -> bool:
        """Whether it is for many names."""
        return "*" in self.match or "?" in self.match
