"""What a foreign number must be to count: a price or a length that a person could believe."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

__all__ = ["Dollars", "Tokens"]

Dollars = Annotated[Decimal, Field(ge=0, lt=1_000_000)]
"""US dollars per million tokens. Some lists say -1 for `it depends`, which is no price."""
Tokens = Annotated[int, Field(ge=0, lt=10**12)]
"""A number of tokens; models.dev writes 0 where it does not know."""
