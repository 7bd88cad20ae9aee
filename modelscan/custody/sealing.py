"""Seals secrets with an authenticated cipher under the master key; each ciphertext names the key that opens it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from modelscan.custody.master import Masters
from modelscan.errors import InvalidConfiguration
from modelscan.redaction import redact

__all__ = ["Custody"]

_FORM = b"\x01"
"""Before the id of the master key; the first form had neither, and began with its nonce."""
_ID_BYTES, _NONCE_BYTES = 8, 12


@dataclass(frozen=True, slots=True)
class _Sealer:
    """One master key; nothing is encrypted with it itself."""

    id: bytes
    cipher: AESGCM

    @classmethod
    def of(cls, master: SecretStr) -> Self:
        cipher = AESGCM(_derived(master, b"modelscan api keys", 32))
        return cls(_derived(master, b"modelscan master key id", _ID_BYTES), cipher)


class Custody:
    """AES-256-GCM; a ciphertext is bound to what it is about, so that a row moved to another provider does not open.

    The first master key seals, all of them open. Where they come from a file that changes meanwhile, it is read again.
    `learn` is told each secret that it seals, opens, or seals with.
    """

    def __init__(
        self,
        master: SecretStr,
        *more: SecretStr,
        source: Masters | None = None,
        stamp: tuple[int, int] | None = None,
        learn: Callable[[SecretStr], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._stamp = stamp
        self._learn = learn
        self.take(master, *more)

    @classmethod
    def load(cls, data_dir: Path, environ: Mapping[str, str]) -> Self:
        """With MODELSCAN_MASTER_KEY, else with the keys of `data_dir`/master.key, which is made at the first start."""
        source = Masters(data_dir, environ)
        stamp = source.stamp()  # Before it is read: what changes in between is read again.
        return cls(*source.read(), source=source, stamp=stamp, learn=redact.learn)

    @property
    def id(self) -> str:
        """Of the master key that seals: 16 hexadecimal digits that say nothing of it."""
        return self._sealers[0].id.hex()

    def take(self, master: SecretStr, *more: SecretStr) -> None:
        """Use these master keys from now on."""
        for one in (master, *more):
            self._learn(one)
        self._sealers = tuple(map(_Sealer.of, (master, *more)))

    def seal(self, secret: SecretStr, about: str) -> bytes:
        """The master key's id, nonce and ciphertext. `about` is the provider, or what else must be named to open it."""
        self._learn(secret)
        self._look_again()
        sealer = self._sealers[0]
        head, nonce = _FORM + sealer.id, os.urandom(_NONCE_BYTES)
        return head + nonce + sealer.cipher.encrypt(nonce, secret.get_secret_value().encode(), head + about.encode())

    def open(self, ciphertext: bytes, about: str) -> SecretStr:
        """The secret again; raises InvalidConfiguration when the master key is another one."""
        opened = self._opened(ciphertext, about)
        if opened is None and self._look_again():
            opened = self._opened(ciphertext, about)
        if opened is None:
            raise InvalidConfiguration(
                f"A stored key of {about} does not open with this master key.",
                hint="Restore MODELSCAN_MASTER_KEY or master.key of the data directory, or add the key again.",
                provider=about,
            )
        secret = SecretStr(opened.decode())
        self._learn(secret)
        return secret

    def _opened(self, ciphertext: bytes, about: str) -> bytes | None:
        for sealer in self._sealers:
            head = _FORM + sealer.id if ciphertext.startswith(_FORM + sealer.id) else b""
            nonce, sealed = ciphertext[len(head) :][:_NONCE_BYTES], ciphertext[len(head) + _NONCE_BYTES :]
            try:
                return sealer.cipher.decrypt(nonce, sealed, head + about.encode())
            except (InvalidTag, ValueError):  # ValueError: too short to be one.
                continue
        return None

    def _look_again(self) -> bool:
        """Whether the master keys are others than before: another process has changed them."""
        if self._source is None or (stamp := self._source.stamp()) == self._stamp:
            return False
        self._stamp = stamp
        self.take(*self._source.read())
        return True


def _derived(master: SecretStr, purpose: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=purpose).derive(master.get_secret_value().encode())
