"""Changes the master key: everything is sealed anew in one transaction, and a kill at any moment loses nothing."""

from pydantic import SecretStr

from modelscan.catalog import sealed
from modelscan.catalog.database import Database
from modelscan.custody.master import LEAST_CHARACTERS, Masters, made_master
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration, InvalidInput
from modelscan.redaction import redact
from modelscan.types import Frozen

__all__ = ["Rotated", "resume", "rotate_master"]


class Rotated(Frozen):
    """What became of a rotation."""

    id: str
    """Of the master key that seals from now on: 16 hexadecimal digits that say nothing of it."""
    resealed: int
    """Secrets that it seals now: the providers' keys, and those that ModelScan keeps for itself."""
    unopened: int
    """Those that no master key here opened; they stay as they were."""
    in_environment: bool
    """Whether the operator has to set MODELSCAN_MASTER_KEY to the new key now; else it stands in master.key."""


def rotate_master(database: Database, masters: Masters, fresh: SecretStr | None = None) -> Rotated:
    """Seal everything under `fresh`, else under one that is made; the catalogue must be migrated.

    Where the key stands in a file, both stand in it until the transaction is committed. Where the environment gives it,
    the operator holds both: before the commit the old one opens everything, and after it the new one.
    Raises InvalidInput for a key that cannot be one, and where the environment's was to be replaced by none.
    """
    if fresh is None and masters.given:
        raise InvalidInput(
            "The master key is that of MODELSCAN_MASTER_KEY: a new one has to be given.",
            hint="Set MODELSCAN_NEW_MASTER_KEY, or write it to standard input with --new-key-stdin.",
        )
    new = made_master() if fresh is None else _fit(fresh)
    with masters.locked():
        old = masters.read()
        if not masters.given:
            masters.write((*(one for one in old if one != new), new))
        custody = Custody(new, *old, learn=redact.learn)
        resealed, unopened = sealed.reseal(database, lambda before, about: _anew(custody, before, about))
        if not masters.given:
            masters.write((new,))
    return Rotated(id=custody.id, resealed=resealed, unopened=unopened, in_environment=masters.given is not None)


def resume(database: Database, masters: Masters) -> Rotated | None:
    """Finish a rotation that was killed; None where there is none to finish."""
    *_, newest = kept = masters.read()
    return rotate_master(database, masters, newest) if len(kept) > 1 else None


def _anew(custody: Custody, before: bytes, about: str) -> bytes | None:
    try:
        return custody.seal(custody.open(before, about), about)
    except InvalidConfiguration:
        return None


def _fit(given: SecretStr) -> SecretStr:
    text = given.get_secret_value().strip()
    if len(text) < LEAST_CHARACTERS or not text.isprintable() or " " in text:
        raise InvalidInput(
            f"A master key has {LEAST_CHARACTERS} printable characters or more, and no spaces.",
            hint="Make one: openssl rand -base64 32",
        )
    return SecretStr(text)
