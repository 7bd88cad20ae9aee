"""Secrets that ModelScan keeps for itself, such as the key of a hash: sealed in the catalogue, made at first use."""

import base64
import os

from pydantic import SecretStr

from modelscan.catalog import sealed
from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody

__all__ = ["kept_secret"]


def kept_secret(database: Database, custody: Custody, name: str) -> bytes:
    """The 32 bytes that are kept as `name`. They outlive a change of the master key, which only seals them anew.

    Raises InvalidConfiguration where they do not open with this master key.
    """
    about = sealed.about(name)
    kept = sealed.get(database, name)
    if kept is None:
        fresh = SecretStr(base64.b64encode(os.urandom(32)).decode())
        kept = sealed.keep(database, name, custody.seal(fresh, about))
    return base64.b64decode(custody.open(kept, about).get_secret_value())
