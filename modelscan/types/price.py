"""What a model costs: rates, tiers by the length of the prompt, and versions that a request's cost is reckoned with."""

from collections.abc import Collection
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue, field_validator

from modelscan.types.base import Frozen, digest_of
from modelscan.types.identifier import ModelId, ProviderId
from modelscan.types.usage import Media, Usage

__all__ = ["Amount", "PriceSource", "PriceVersion", "Rates", "Tariff", "Tier"]

_MOST = 10**9
_STEP = Decimal("0.000001")
"""Six decimals of a price a million tokens: so the cost of a token is a whole number of pico-dollars."""
_PICO = 12
_MOST_PICO = 10**18
"""A request for a million dollars is no request: its tokens or its price are not to be believed."""
_MANY = 20
_TEXT = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "reasoning_mtok")
_INPUT, _OUTPUT = ("input_audio_mtok", "input_image_mtok"), ("output_audio_mtok", "output_image_mtok")


def _exact(amount: Decimal) -> Decimal:
    """Rounded as far as it counts: lists hold 0.09999999999999999 for 0.1. Raises ValueError for what is no price."""
    if not amount.is_finite() or not 0 <= amount < _MOST:
        raise ValueError("a price is at least 0 US dollars, and less than a thousand million")
    rounded = amount.quantize(_STEP, ROUND_HALF_EVEN)
    if amount and not rounded:
        raise ValueError("a price that is not 0 is at least a millionth of a dollar")
    return Decimal(f"{rounded.normalize():f}")


Amount = Annotated[Decimal, AfterValidator(_exact)]
"""US dollars, with six decimals."""


class Rates(Frozen):
    """US dollars per million tokens, where the name does not say otherwise. None is unknown, never 0."""

    input_mtok: Amount | None = None
    output_mtok: Amount | None = None
    cache_read_mtok: Amount | None = None
    """Of the prompt's tokens those that were read from a cache."""
    cache_write_mtok: Amount | None = None
    """Of the prompt's tokens those that were written to a cache."""
    reasoning_mtok: Amount | None = None
    """Of the answer's tokens those that are thoughts; None: they cost what the answer's others cost."""
    input_audio_mtok: Amount | None = None
    """Of the prompt's tokens those of sound; None, as for the next three: they cost what the others do."""
    output_audio_mtok: Amount | None = None
    input_image_mtok: Amount | None = None
    output_image_mtok: Amount | None = None
    request_usd: Amount | None = None
    """US dollars for a request, whatever its tokens; None: nothing is said of such a price, and there is none."""


class Tier(Rates):
    """All rates of a request whose prompt is longer than that; what it does not say is unknown in it."""

    over: int = Field(gt=0, lt=10**12)
    """Tokens of the prompt, what was cached included."""


class Tariff(Rates):
    """The rates of one model: those of a short prompt, and the tiers."""

    tiers: tuple[Tier, ...] = Field(default=(), max_length=_MANY)
    """By `over`, each of which stands once."""

    @field_validator("tiers")
    @classmethod
    def _in_order(cls, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
        if len({tier.over for tier in tiers}) < len(tiers):
            raise ValueError("two tiers begin at the same length")
        return tuple(sorted(tiers, key=lambda tier: tier.over))

    def stated(self) -> dict[str, JsonValue]:
        """What is known, as plain data."""
        said: dict[str, JsonValue] = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return said


class PriceSource(Frozen):
    """Who said one part of a price."""

    source: str
    """The source's name, or `pin`: the operator."""
    record: str
    """Its record's id; of a pin the decision's."""
    url: str
    fetched_at: AwareDatetime
    stale: bool = False


class _Factors(NamedTuple):
    """Pico-dollars a token, and a request; None is unknown."""

    fresh: int | None
    completion: int | None
    cached: int | None
    written: int | None
    reasoning: int | None
    request: int
    input_audio: int | None
    input_image: int | None
    output_audio: int | None
    output_image: int | None

    @classmethod
    def of(cls, rates: Rates, apart: Collection[str]) -> Self:
        """`apart`: media that some tier prices; where this one does not, that price is unknown in it."""
        fresh, completion, cached, written, reasoning = (_factor(rates, name) for name in _TEXT)
        thoughts = completion if reasoning is None else reasoning
        read = [_factor(rates, name) if name in apart else fresh for name in _INPUT]
        said = [_factor(rates, name) if name in apart else completion for name in _OUTPUT]
        request = int((rates.request_usd or Decimal(0)).scaleb(_PICO))
        return cls(fresh, completion, cached, written, thoughts, request, *read, *said)

    def total(self, prompt: int, completion: int | None, cached: int, written: int, reasoning: int) -> int | None:
        """Pico-dollars. A part without a price is unknown unless there is nothing of it, and so the other way round."""
        fresh = prompt - cached - written if cached or written else prompt
        said = None if completion is None else completion - reasoning
        total = self.request
        # In a row, not in a loop: this is done for each request.
        if fresh > 0 and self.fresh != 0:
            if self.fresh is None:
                return None
            total += fresh * self.fresh
        if said != 0 and self.completion != 0:
            if self.completion is None or said is None:
                return None
            total += max(said, 0) * self.completion
        for count, factor in ((cached, self.cached), (written, self.written), (reasoning, self.reasoning)):
            if count and factor != 0:
                if factor is None:
                    return None
                total += count * factor
        return total

    def with_media(
        self, prompt: int, completion: int | None, cached: int, written: int, reasoning: int, media: Media
    ) -> int | None:
        """Likewise, where there are sound or pictures, of which only what costs something else counts apart.

        Unknown where that is more than its whole, or where some of the prompt came from a cache or went to one: nobody
        tells of what kind that was.
        """
        heard, said_aloud, seen, drawn = media
        read = [
            (count, one) for count, one in ((heard, self.input_audio), (seen, self.input_image)) if one != self.fresh
        ]
        told = ((said_aloud, self.output_audio), (drawn, self.output_image))
        said = [(count, one) for count, one in told if one != self.completion]
        of_prompt, of_answer = sum(count for count, _ in read), sum(count for count, _ in said)
        if of_prompt and (cached or written or of_prompt > prompt):
            return None
        if of_answer and completion is not None and of_answer > completion - reasoning:
            return None
        total = self.total(
            prompt - of_prompt, None if completion is None else completion - of_answer, cached, written, reasoning
        )
        for count, factor in (*read, *said):
            if total is None or (count and factor is None):
                return None
            total += count * (factor or 0)
        return total

    def most(self, prompt: int, completion: int) -> int | None:
        """Pico-dollars of the dearest way to use so many tokens; None where the plain rates are unknown."""
        read = self.cached, self.written, self.input_audio, self.input_image
        said = self.reasoning, self.output_audio, self.output_image
        dearest = self._replace(
            fresh=None if self.fresh is None else max(self.fresh, *(one or 0 for one in read)),
            completion=None if self.completion is None else max(self.completion, *(one or 0 for one in said)),
        )
        return dearest.total(prompt, completion, 0, 0, 0)


class PriceVersion(Frozen):
    """What one model costs from one moment on, and who said so."""

    id: str
    provider: ProviderId
    model: ModelId
    valid_from: AwareDatetime
    """When ModelScan took it up."""
    tariff: Tariff
    """Without any rate where the price is no longer known."""
    evidence: dict[str, PriceSource] = Field(default_factory=dict)
    """Who said it, by the field of `tariff`."""

    @classmethod
    def of(
        cls, provider: str, model: str, valid_from: AwareDatetime, tariff: Tariff, evidence: dict[str, PriceSource]
    ) -> Self:
        """Make one; its id is derived from all but the evidence."""
        identity = digest_of([provider, model, valid_from.isoformat(), tariff.stated()])[:16]
        return cls(id=identity, provider=provider, model=model, valid_from=valid_from, tariff=tariff, evidence=evidence)

    def cost(self, usage: Usage) -> Decimal | None:
        """US dollars of one request, exactly; None where a part of it has no known price, or no known number of tokens.

        What a provider does not tell of caches, thoughts, sound and pictures was not used. Takes 2 µs.
        """
        prompt, completion, cached, written, reasoning, media = usage
        if prompt is None:
            return None
        for least, rung in self._ladder:
            if prompt >= least:
                factors = rung
        if media is not None:
            return _dollars(factors.with_media(prompt, completion, cached or 0, written or 0, reasoning or 0, media))
        return _dollars(factors.total(prompt, completion, cached or 0, written or 0, reasoning or 0))

    def most(self, prompt: int, completion: int) -> Decimal | None:
        """US dollars that a request of at most so many tokens may cost, in the dearest of its tiers; None: unknown."""
        worst = [factors.most(prompt, completion) for least, factors in self._ladder if prompt >= least]
        known = [one for one in worst if one is not None]
        return _dollars(max(known)) if len(known) == len(worst) else None

    def rungs(self) -> tuple[dict[str, int | None], ...]:
        """What it is reckoned with, as plain numbers: `least` and `below`, the length of a prompt in tokens; the others
        pico-dollars a token, and `request` a request."""
        below = [least for least, _ in self._ladder[1:]] + [None]
        return tuple(
            {"least": least, "below": end, **factors._asdict()}
            for (least, factors), end in zip(self._ladder, below, strict=True)
        )

    @cached_property
    def _ladder(self) -> tuple[tuple[int, _Factors], ...]:
        """(of how many tokens a prompt is at least, its factors), the short one first."""
        every = (self.tariff, *self.tariff.tiers)
        apart = {name for name in (*_INPUT, *_OUTPUT) if any(getattr(rates, name) is not None for rates in every)}
        tiers = ((tier.over + 1, _Factors.of(tier, apart)) for tier in self.tariff.tiers)
        return ((0, _Factors.of(self.tariff, apart)), *tiers)


def _factor(rates: Rates, name: str) -> int | None:
    return None if (rate := getattr(rates, name)) is None else int(rate.scaleb(6))


def _dollars(pico: int | None) -> Decimal | None:
    return None if pico is None or pico >= _MOST_PICO else Decimal(pico).scaleb(-_PICO)
