"""Takes keys out of a text before a language model may see it: every key that is known, and all that look like one."""

import json
import re
from collections.abc import Callable, Iterable, Mapping

from pydantic import SecretStr

__all__ = ["REDACTED", "Redact", "redaction_of", "secrets_of"]

REDACTED = "[redacted]"
Redact = Callable[[str], str]

_LEAST = 6
"""Shorter than this a secret would take ordinary words out of every text."""
_SHAPES = re.compile(
    r"""
      \b(?:sk|pk|rk|gsk|xai|tgp|nvapi|fw|pplx|csk|r8|ms)[-_](?:[A-Za-z0-9]{1,12}[-_]){0,4}[A-Za-z0-9_]{20,}
    | \b(?:AIza|hf_|ghp_|gho_|github_pat_|glpat-|xox[abprs]-)[A-Za-z0-9_-]{20,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bey[A-Za-z0-9_-]{8,}\.ey[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?
    | -----BEGIN[ A-Z]*PRIVATE[ ]KEY-----.*?(?:-----END[ A-Z]*PRIVATE[ ]KEY-----|\Z)
    | (?<=[Bb]earer[ ])[A-Za-z0-9._~+/=-]{16,}
    | (?<=://)[^\s/@:]*:[^\s/@]+(?=@)
    """,
    re.VERBOSE | re.DOTALL,
)
_SECRET_NAMES = re.compile(r"(_|^)(KEYS?|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)|^MODELSCAN_API_KEYS_")


def redaction_of(secrets: Iterable[SecretStr | str]) -> Redact:
    """A function that takes these secrets, and whatever has the shape of a key, out of a text."""
    given = {one.get_secret_value() if isinstance(one, SecretStr) else one for one in secrets}
    plain = given | {json.dumps(one)[1:-1] for one in given}  # as it stands within JSON
    # The longest first: a secret may begin like another one.
    known = sorted({one for one in plain if len(one) >= _LEAST}, key=lambda one: (-len(one), one))
    pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def redact(text: str) -> str:
        without = pattern.sub(REDACTED, text) if pattern else text
        return _SHAPES.sub(REDACTED, without)

    return redact


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables whose names say that they hold a secret; a list of keys gives each."""
    values = (value for name, value in environ.items() if _SECRET_NAMES.search(name.upper()))
    return tuple(one.strip() for value in values for one in (value, *value.split(",")) if one.strip())
