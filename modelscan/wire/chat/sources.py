"""Pictures and files as data URLs, and back."""

import re

__all__ = ["data_url", "from_data_url"]

_DATA_URL = re.compile(r"data:([A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64});base64,")


def data_url(media_type: str, data: str) -> str:
    """Bytes, in base64, as an address."""
    return f"data:{media_type};base64,{data}"


def from_data_url(url: str) -> tuple[str, str] | None:
    """(media type, base64) of a data URL; None for any other address."""
    found = _DATA_URL.match(url)
    return (found[1], url[found.end() :]) if found else None
