"""A caller's token: what people see of it, and what it may be used for."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from modelscan.types.base import Frozen

__all__ = ["ClientToken", "TokenName", "TokenRole", "TokenTerms"]

TokenName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
TokenRole = Literal["client", "read-only", "admin"]
"""`client` opens the models and nothing else; the others open the admin API and no model."""

_Glob = Annotated[str, Field(max_length=256, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
_Globs = Annotated[tuple[_Glob, ...], Field(max_length=64)]
_Count = Annotated[int, Field(gt=0, le=10**12)]
_Dollars = Annotated[Decimal, Field(gt=0, le=10**9, max_digits=18, decimal_places=9, allow_inf_nan=False)]


class TokenTerms(Frozen):
    """What a client token may use, and how much of it; None is no limit, and no glob is all."""

    models: _Globs = ()
    """Globs of `provider/model`, of a model's own id, or of a name that a routing rule gives."""
    providers: _Globs = ()
    """Globs of providers' ids; each of a request's candidates must fit, whatever name led to it."""
    rpm: _Count | None = None
    """Requests a minute."""
    tpm: _Count | None = None
    """Tokens a minute, of prompts and answers together."""
    concurrency: _Count | None = None
    """Requests at once."""
    daily_tokens: _Count | None = None
    monthly_tokens: _Count | None = None
    daily_usd: _Dollars | None = None
    """US dollars a day, UTC."""
    monthly_usd: _Dollars | None = None
    """US dollars a month, UTC."""
    allow_unknown_price: bool = False
    """Whether models without a known price may be used all the same where a budget in dollars is set."""

    @property
    def has_budget_in_dollars(self) -> bool:
        """Whether what a request costs matters."""
        return self.daily_usd is not None or self.monthly_usd is not None


class ClientToken(Frozen):
    """A token as people see it: never the token itself."""

    id: str
    name: TokenName
    role: TokenRole = "client"
    prefix: str
    """The first characters, for recognition."""
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    terms: TokenTerms = TokenTerms()
