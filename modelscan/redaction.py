"""Takes secrets out of texts: every one that this process was told of, and whatever looks like one."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

__all__ = ["REDACTED", "Redact", "Redactor", "is_secret_name", "redact", "secrets_of"]

REDACTED = "[redacted]"
Redact = Callable[[str], str]
_LEAST = 6
"""Characters; a shorter secret, such as the `none` of a local server, would take ordinary words out of every text."""
_SHAPES = re.compile(
    r"""
      \b(?:m?sk|pk|rk|gsk|xai|tgp|nvapi|fw|pplx|csk|r8|ms)[-_](?:[A-Za-z0-9]{1,12}[-_]){0,4}[A-Za-z0-9_]{20,}
    | \bmsk-[A-Za-z0-9_-]{20,}
    | \b(?:AIza|hf_|ghp_|gho_|github_pat_|glpat-|xox[abprs]-)[A-Za-z0-9_-]{20,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bey[A-Za-z0-9_-]{8,}\.ey[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?
    | -----BEGIN[ A-Z]*PRIVATE[ ]KEY-----.*?(?:-----END[ A-Z]*PRIVATE[ ]KEY-----|\Z)
    | (?<=[Bb]earer[ ])[A-Za-z0-9._~+/=-]{16,}
    | (?<=://)[^\s/@:]*:[^\s/@]+(?=@)
    """,
    re.VERBOSE | re.DOTALL,
)
_MAYBE = re.compile(r"[A-Za-z0-9._~+/=-]{16}|://|-----BEGIN")
"""In whatever has one of the shapes; looked for first, in a tenth of the time."""
_SECRET_NAMES = re.compile(
    r"(_|^)(KEYS?|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)|^MODELSCAN_API_KEYS_"
    r"|(_|^)(REDIS|CONNECTION|DOCKET)(_[A-Z]+)*_URL$"  # With the password in it, as is usual there.
)


class Secret(Protocol):
    """Pydantic's SecretStr, which is not imported here: errors are made with this module, and help shows them."""

    def get_secret_value(self) -> str:
        """The text."""
        ...


class Redactor:
    """A function from a text to the text without secrets. It may be told of secrets at any time, by any thread."""

    def __init__(self, *secrets: Secret | str) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.learn(*secrets)

    def learn(self, *secrets: Secret | str) -> None:
        """Take these out from now on, also as JSON and URLs write them."""
        given = {one if isinstance(one, str) else one.get_secret_value() for one in secrets}
        spelt = {form for one in given for form in (one, json.dumps(one)[1:-1], quote(one, safe=""))}
        if fresh := {one for one in spelt if len(one) >= _LEAST} - self._known:
            self._known |= fresh
            self._pattern = None

    def __call__(self, text: str) -> str:
        """`text` with `[redacted]` in their places."""
        if self._known:
            text = (self._pattern or self._compiled()).sub(REDACTED, text)
        return _SHAPES.sub(REDACTED, text) if _MAYBE.search(text) else text

    def within(self, value: Any) -> Any:
        """A JSON value with the texts in it redacted, names of members too."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self.within(name): self.within(member) for name, member in value.items()}
        return type(value)(map(self.within, value)) if type(value) in (list, tuple) else value

    def _compiled(self) -> re.Pattern[str]:
        # The longest first: a secret may begin like another one.
        known = sorted(self._known, key=lambda one: (-len(one), one))
        self._pattern = pattern = re.compile("|".join(map(re.escape, known)))
        return pattern


redact = Redactor()
"""This process's own: what opens, takes in or makes a secret tells it, and logs, errors and prompts pass through it."""


def is_secret_name(variable: str) -> bool:
    """Whether an environment variable's name says that it holds a secret."""
    return _SECRET_NAMES.search(variable.upper()) is not None


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables whose names say that they hold a secret; a list of keys gives each."""
    values = (value for name, value in environ.items() if is_secret_name(name))
    return tuple(one.strip() for value in values for one in (value, *value.split(",")) if one.strip())
