"""Keys between the catalogue, the custody and those who use them."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import SecretStr

from modelscan.catalog import keys as table
from modelscan.catalog.database import Database
from modelscan.errors import InvalidInput
from modelscan.keys.custody import Custody, describe
from modelscan.types import ApiKey, Frozen

__all__ = ["UsableKey", "add_key", "import_operator_keys", "load"]

Origin = Literal["config", "environment", "api"]


class UsableKey(Frozen):
    """A key that requests may be sent with."""

    key: ApiKey
    secret: SecretStr


def add_key(database: Database, custody: Custody, provider: str, secret: SecretStr, origin: Origin = "api") -> ApiKey:
    """Seal and store a key; one that is there already is returned. Raises KeyLimitReached, InvalidInput."""
    text = secret.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInput("An API key is printable ASCII without spaces.", hint="Check what was pasted.")
    return table.insert(database, describe(secret, provider, origin), custody.seal(secret, provider))


def import_operator_keys(
    database: Database,
    custody: Custody,
    *,
    config: Mapping[str, Sequence[SecretStr]],
    variables: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
) -> tuple[ApiKey, ...]:
    """Take in the keys of the config file and of the providers' environment variables (`variables`: provider -> names).

    A key that came from there before and is there no longer is disabled. Returns the keys that are there now.
    """
    found: list[tuple[str, SecretStr, Origin]] = [
        (provider, secret, "config") for provider, secrets in config.items() for secret in secrets
    ]
    for provider, names in variables.items():
        found += [(provider, SecretStr(environ[name]), "environment") for name in names if environ.get(name)]
    present = tuple(add_key(database, custody, *one) for one in found)
    here = {(key.provider, key.id) for key in present}
    for key in table.list_keys(database):
        if key.origin != "api" and key.state == "active" and (key.provider, key.id) not in here:
            table.set_state(database, key.provider, key.id, "disabled")
    return present


def load(database: Database, custody: Custody) -> dict[str, tuple[UsableKey, ...]]:
    """The active keys by provider, opened."""
    by_provider: dict[str, tuple[UsableKey, ...]] = {}
    for key, ciphertext in table.sealed(database):
        usable = UsableKey(key=key, secret=custody.open(ciphertext, key.provider))
        by_provider[key.provider] = (*by_provider.get(key.provider, ()), usable)
    return by_provider
