"""Keys between the catalogue, the custody and those who use them."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Literal

from pydantic import SecretStr

from modelscan.catalog import keys as table
from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration, InvalidIdentifier, InvalidInput, KeyLimitReached
from modelscan.keys.describing import describe
from modelscan.types import ApiKey, Frozen, Identifier

__all__ = ["UsableKey", "add_key", "delete_key", "import_operator_keys", "load", "opened", "rotate_key", "sendable"]

Origin = Literal["config", "environment", "api"]

_log = logging.getLogger(__name__)


class UsableKey(Frozen):
    """A key that requests may be sent with."""

    key: ApiKey
    secret: SecretStr

    @cached_property
    def secret_bytes(self) -> bytes:
        """As it is sent, and looked for in answers: with each request, so it is made once."""
        return self.secret.get_secret_value().encode()


def add_key(
    database: Database,
    custody: Custody,
    provider: str,
    secret: SecretStr,
    *,
    host: str | None = None,
    label: str = "",
) -> ApiKey:
    """Seal and store a key; one that is there already is returned, and active again.

    `host` is the `host:port` that it is for; None: wherever the provider is. Raises InvalidIdentifier (the provider),
    InvalidInput (the key), KeyLimitReached.
    """
    key, whole = _described(provider, secret, "api")
    return table.insert(
        database, key.model_copy(update={"host": host, "label": label}), custody.seal(whole, key.provider)
    )


def rotate_key(database: Database, custody: Custody, before: ApiKey, secret: SecretStr) -> ApiKey:
    """Store a new key in the place of `before`, with its limits, label and server.

    Raises InvalidInput where it cannot be one, is there already, or `before` would come back from where it came.
    """
    _refuse_what_comes_back(before, "replaced")
    key, whole = _described(before.provider, secret, "api")
    return table.replace(database, before, key, custody.seal(whole, key.provider))


def delete_key(database: Database, key: ApiKey) -> None:
    """Forget a key; its usage stays. Raises InvalidInput where it would come back from where it came."""
    _refuse_what_comes_back(key, "deleted")
    table.delete(database, key)


def _refuse_what_comes_back(key: ApiKey, what: str) -> None:
    if key.origin != "api" and key.disabled_for != "absent":
        raise InvalidInput(
            f"This key of {key.provider} comes from the {key.origin}: {what} here, it would come back at a start.",
            hint=f"Change it there, or switch it off: modelscan keys disable {key.provider} {key.id}",
        )


def sendable(keys: Iterable[UsableKey], host: str | None) -> tuple[UsableKey, ...]:
    """Those that may be sent to the server at `host:port`: none that was given for another one."""
    return tuple(usable for usable in keys if usable.key.host in (None, host))


def import_operator_keys(
    database: Database,
    custody: Custody,
    *,
    config: Mapping[str, Sequence[SecretStr]],
    variables: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
) -> tuple[ApiKey, ...]:
    """Take in the keys of the config file and of the providers' environment variables (`variables`: provider -> names).

    A key that came from there before and is there no longer is disabled. Returns the keys that are there now. Raises
    InvalidConfiguration for keys that cannot be taken, after all others were.
    """
    found: list[tuple[str, SecretStr, Origin]] = [
        (provider, secret, "config") for provider, secrets in config.items() for secret in secrets
    ]
    for provider, names in variables.items():
        found += [(provider, SecretStr(environ[name]), "environment") for name in names if environ.get(name)]
    wanted, faults = _wanted(found)
    here = {(key.provider, key.id) for key, _ in wanted}
    for key in table.list_keys(database):  # First, so that a full set may be replaced by another.
        if key.origin != "api" and key.state == "active" and (key.provider, key.id) not in here:
            table.change(database, key, state="disabled", disabled_for="absent")
    present: list[ApiKey] = []
    for key, secret in wanted:
        try:
            present.append(table.insert(database, key, custody.seal(secret, key.provider)))
        except KeyLimitReached as error:
            faults[key.provider] = error.message
    if faults:
        raise InvalidConfiguration(" ".join(faults.values()), hint="The other keys are in use.")
    return tuple(present)


def _wanted(found: Sequence[tuple[str, SecretStr, Origin]]) -> tuple[list[tuple[ApiKey, SecretStr]], dict[str, str]]:
    """What can be taken, and by provider why something cannot."""
    wanted: list[tuple[ApiKey, SecretStr]] = []
    faults: dict[str, str] = {}
    for provider, secret, origin in found:
        try:
            wanted.append(_described(provider, secret, origin))
        except InvalidInput as error:
            faults[provider] = f"A key of {provider} from the {origin} was passed over: {error.message}"
    return wanted, faults


def _described(provider: str, secret: SecretStr, origin: Origin) -> tuple[ApiKey, SecretStr]:
    asked = Identifier.parse(provider)
    if asked.model is not None:
        raise InvalidIdentifier(f"{provider!r} is not a provider.", hint="Give the part before the slash.")
    text = secret.get_secret_value().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInput("An API key is printable ASCII without spaces.", hint="Check what was pasted.")
    return describe(SecretStr(text), asked.provider, origin), SecretStr(text)


def load(database: Database, custody: Custody) -> dict[str, tuple[UsableKey, ...]]:
    """The active keys by provider, opened. One that was sealed under another master key is logged, and left out."""
    by_provider: dict[str, tuple[UsableKey, ...]] = {}
    for key, ciphertext in table.sealed(database):
        try:
            secret = custody.open(ciphertext, key.provider)
        except InvalidConfiguration as error:
            _log.error("key %s... of %s is not used: %s", key.prefix, key.provider, error)
            continue
        by_provider[key.provider] = (*by_provider.get(key.provider, ()), UsableKey(key=key, secret=secret))
    return by_provider


def opened(database: Database, custody: Custody, key: ApiKey) -> SecretStr:
    """The secret of one key, active or not, to try it. Raises InvalidConfiguration, KeyNotFound."""
    return custody.open(table.ciphertext_of(database, key), key.provider)
