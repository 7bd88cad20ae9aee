"""The webhook's secret, and signatures as the Standard Webhooks specification has them."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from modelscan.errors import InvalidConfiguration
from modelscan.redaction import redact

__all__ = ["SECRET_FILE", "secret_of", "signed"]

SECRET_FILE = "webhook.secret"  # noqa: S105 - its name
_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_MADE = 32


def secret_of(data_dir: Path, given: SecretStr) -> SecretStr:
    """`given`, else that of the data directory, which is made (0600) if it is not there.

    Raises InvalidConfiguration where it is not `whsec_` and base64 of 24 to 64 bytes.
    """
    secret = given if given.get_secret_value() else _kept(data_dir / SECRET_FILE)
    redact.learn(secret)
    _bytes_of(secret)
    return secret


def signed(secret: SecretStr, letter_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers of a letter that is sent at that time, in seconds of Unix."""
    said = b".".join((letter_id.encode(), str(seconds).encode(), body))
    signature = base64.b64encode(hmac.digest(_bytes_of(secret), said, hashlib.sha256)).decode()
    return {"webhook-id": letter_id, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}


def _bytes_of(secret: SecretStr) -> bytes:
    text = secret.get_secret_value()
    try:
        found = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not text.startswith(_PREFIX) or not _SHORTEST <= len(found) <= _LONGEST:
        raise InvalidConfiguration(
            f"The webhook's secret is not {_PREFIX} and base64 of {_SHORTEST} to {_LONGEST} bytes.",
            hint=f"Set MODELSCAN_DRIFT_WEBHOOK_SECRET; without it {SECRET_FILE} in the data directory is used.",
        )
    return found


def _kept(path: Path) -> SecretStr:
    """Made whole under another name, and put in its place only if nobody else was first."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(_PREFIX + base64.b64encode(secrets.token_bytes(_MADE)).decode())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    try:
        return SecretStr(path.read_text().strip())
    except OSError as error:
        raise InvalidConfiguration(
            f"The webhook's secret {path} cannot be read: {error.strerror}.", hint="Check the file's owner and mode."
        ) from error
