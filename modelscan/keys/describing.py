"""What people may see of a key."""

import hashlib
from typing import Literal

from pydantic import SecretStr

from modelscan.types import ApiKey, utc_now

__all__ = ["describe"]

_PREFIX = 8


def describe(secret: SecretStr, provider: str, origin: Literal["config", "environment", "api"]) -> ApiKey:
    """The key without the secret: at most a quarter of it, and its hash."""
    text = secret.get_secret_value()
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    prefix = text[: min(_PREFIX, len(text) // 4)]
    return ApiKey(id=sha256[:16], provider=provider, prefix=prefix, sha256=sha256, origin=origin, created_at=utc_now())
