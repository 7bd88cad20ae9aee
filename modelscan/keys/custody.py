"""Seals keys with an authenticated cipher under one master key."""

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from modelscan.errors import InvalidConfiguration
from modelscan.types import ApiKey, utc_now

__all__ = ["Custody", "describe"]

_NONCE_BYTES = 12
_PREFIX = 8
_LEAST_SECRET = 32


class Custody:
    """AES-256-GCM; a ciphertext is bound to its provider, so a row moved to another provider does not open."""

    def __init__(self, master: SecretStr) -> None:
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"modelscan api keys")
        self._cipher = AESGCM(derive.derive(master.get_secret_value().encode()))

    @classmethod
    def load(cls, data_dir: Path, environ: Mapping[str, str]) -> Self:
        """The master key of MODELSCAN_MASTER_KEY, else of `data_dir`/master.key, made (0600) at the first start."""
        given = environ.get("MODELSCAN_MASTER_KEY")
        return cls(SecretStr(given or _file_secret(data_dir / "master.key")))

    def seal(self, secret: SecretStr, provider: str) -> bytes:
        """Nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.get_secret_value().encode(), provider.encode())

    def open(self, ciphertext: bytes, provider: str) -> SecretStr:
        """The key again; raises InvalidConfiguration when the master key is another one."""
        nonce, sealed = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        try:
            return SecretStr(self._cipher.decrypt(nonce, sealed, provider.encode()).decode())
        except InvalidTag:
            raise InvalidConfiguration(
                f"A stored key of {provider} does not open with this master key.",
                hint="Restore MODELSCAN_MASTER_KEY or master.key of the data directory, or add the key again.",
                provider=provider,
            ) from None


def describe(secret: SecretStr, provider: str, origin: Literal["config", "environment", "api"]) -> ApiKey:
    """What people may see of a key."""
    text = secret.get_secret_value()
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    prefix = text[: min(_PREFIX, len(text) // 4)]
    return ApiKey(id=sha256[:16], provider=provider, prefix=prefix, sha256=sha256, origin=origin, created_at=utc_now())


def _file_secret(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make_secret(path)
    secret = path.read_text(errors="replace").strip()
    if len(secret) < _LEAST_SECRET:
        raise InvalidConfiguration(
            f"{path.name} in the data directory is not whole: {len(secret)} characters.",
            hint="Restore it. Without it the stored keys are lost: delete it, and add them again.",
        )
    return secret


def _make_secret(path: Path) -> None:
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # readable for its owner alone
    try:
        with open(descriptor, "wb") as file:
            file.write(base64.urlsafe_b64encode(os.urandom(32)))
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(fresh, path)  # The first of several processes wins, and no one ever sees half a file.
    finally:
        os.unlink(fresh)
