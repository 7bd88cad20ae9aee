"""What the admin API's requests hold."""

from typing import Annotated, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from starlette.requests import Request

from modelscan.errors import InvalidInput
from modelscan.types import DecisionKind, ProviderId, RepriceScope, TokenName, TokenRole, TokenTerms
from router_app.problems import TooLarge, invalid_body

__all__ = [
    "Activate",
    "AddKey",
    "AddProvider",
    "Decide",
    "Discover",
    "Generate",
    "IssueToken",
    "Judge",
    "LimitKey",
    "NamedKey",
    "PriceAnew",
    "Refresh",
    "RollBack",
    "RotateKey",
    "RotateMaster",
    "TryKey",
    "TryOut",
    "has_body",
    "read_body",
    "wait_seconds",
]

_MAX_BODY = 64 * 1024
_MAX_WAIT = 600.0

Body = TypeVar("Body", bound=BaseModel)


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or parts.username or not text.isprintable() or " " in text:
        raise ValueError("a base URL is http://host[:port]/path or https://…, without user, query and fragment")
    return text.rstrip("/")


Label = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


Limit = Annotated[int, Field(ge=1, le=10**12)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PriceAnew(RepriceScope):
    """Which usage is priced anew, and whether it is done or only shown."""

    apply: bool = False


class Discover(_Body):
    """`/api/discover`"""

    identifier: str
    base_url: Annotated[str, AfterValidator(_http_url)] | None = None
    refresh: bool = False
    deep: bool = False


class AddProvider(Discover):
    """`/api/providers/add`"""

    api_key: SecretStr | None = None


class OfProvider(_Body):
    """What is about one provider."""

    provider: ProviderId = Field(validation_alias=AliasChoices("provider", "provider_id"))


class AddKey(OfProvider):
    """`/api/keys/add`"""

    api_key: SecretStr
    label: Label = ""


class NamedKey(OfProvider):
    """`/api/keys/enable` and `/disable`: `key` is an id, the beginning of one, or a label."""

    key: str = Field(min_length=1, max_length=64)


class RotateKey(NamedKey):
    """`/api/keys/rotate`"""

    api_key: SecretStr


class TryKey(NamedKey):
    """`/api/keys/test`"""

    chat: bool = False


class LimitKey(NamedKey):
    """`/api/keys/limit`: a limit that is not named stays; null takes it away."""

    rpm: Limit | None = None
    tpm: Limit | None = None
    daily: Limit | None = None

    @property
    def named(self) -> dict[str, int | None]:
        """The limits that were named."""
        return {name: getattr(self, name) for name in ("rpm", "tpm", "daily") if name in self.model_fields_set}


class RotateMaster(_Body):
    """`/api/keys/rotate-master`"""

    new_key: SecretStr | None = None


class IssueToken(_Body):
    """`POST /api/tokens`"""

    name: TokenName
    role: TokenRole = "client"
    expires_at: AwareDatetime | None = None
    terms: TokenTerms = TokenTerms()


class Decide(_Body):
    """`/api/decisions`: `value` to pin, or the `source` to reject."""

    kind: DecisionKind
    subject: str
    field: str
    value: str | int | float | None = None
    source: str | None = None

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        wanted = {"pin": {"value"}, "reject": {"source"}}.get(self.kind, set())
        if {name for name in ("value", "source") if getattr(self, name) is not None} != wanted:
            raise ValueError(f"{self.kind} takes {' and '.join(wanted) or 'neither value nor source'}")
        return self

    @property
    def given(self) -> str:
        return self.source or ("" if self.value is None else str(self.value))


class Judge(_Body):
    """`/api/discoveries/{id}/approve` and `/refuse`"""

    reason: str = Field(default="", max_length=1000)


class Reasoned(_Body):
    """What may say why."""

    reason: str = Field(default="", max_length=1000)


class Activate(Reasoned):
    """`/api/versions/{provider}/activate`"""

    version: int = Field(ge=1)


class Refresh(_Body):
    """POST /api/refresh."""

    prices: bool = False
    """Whether prices alone are taken up."""
    all: bool = False
    """Whether the lists are to send all they have, also what did not change."""


class RollBack(Reasoned):
    """`/api/versions/{provider}/rollback`: to the version before, where none is named."""

    to: int | None = Field(default=None, ge=1)


class TryOut(Reasoned):
    """`/api/versions/{provider}/canary`: what is not named is as the settings have it."""

    version: int = Field(ge=1)
    share: float = Field(gt=0, le=1)
    margin: float | None = Field(default=None, ge=0, le=1)
    requests: int | None = Field(default=None, ge=1, le=1_000_000)
    minutes: float | None = Field(default=None, ge=0, le=525_600)


class Generate(OfProvider):
    """`/api/sdks/generate`"""


async def read_body(request: Request, kind: type[Body]) -> Body:
    """The request's body as `kind`; raises InvalidInput, TooLarge."""
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > _MAX_BODY:
            raise TooLarge(f"The body has more than {_MAX_BODY} bytes.", hint="Send less.", limit=_MAX_BODY)
    try:
        return kind.model_validate_json(bytes(text))
    except ValidationError as error:
        # `from None`: the cause's text shows the values, which may be a key.
        raise invalid_body(error) from None


def wait_seconds(request: Request) -> float | None:
    """`?wait=SECONDS`, 600 at most; None where it is not given."""
    given = request.query_params.get("wait")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InvalidInput(f"?wait={given[:20]} is no number of seconds.", hint="Write, for example, ?wait=60.")
    return min(seconds, _MAX_WAIT)


def has_body(request: Request) -> bool:
    """Whether anything was sent with it."""
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
