"""What may stand in a request beside its body: names and values that can neither carry a key nor break out."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

__all__ = ["SECRET", "EndpointPath", "HeaderName", "QueryParameters", "StaticHeaders"]

_MOST = 16
SECRET = re.compile(r"auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE)
"""What the name of a header, a parameter or a variable has in it where a secret may stand behind it."""
_OF_THE_CONNECTION = (
    "accept-encoding connection content-encoding content-length content-type date expect forwarded host keep-alive "
    "origin referer te trailer transfer-encoding upgrade user-agent via"
)
_ITS_PREFIXES = ("cf-", "proxy-", "sec-", "x-forwarded-", "x-real-")

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]
HeaderValue = Annotated[str, Field(pattern=r"^[!-~]([ -~]{0,254}[!-~])?$")]
QueryName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
QueryValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:,-]{1,128}$")]


def _inert_headers(headers: dict[str, str]) -> dict[str, str]:
    names = [name.lower() for name in headers]
    for name in names:
        if name in _OF_THE_CONNECTION.split() or name.startswith(_ITS_PREFIXES):
            raise ValueError(f"the header {name} is the connection's own and cannot be a static one")
    if len(set(names)) != len(names):
        raise ValueError("a static header is given twice")
    return _no_secret(headers)


def _no_secret(named: dict[str, str]) -> dict[str, str]:
    for name in named:
        if SECRET.search(name):
            raise ValueError(f"{name} looks like a secret's name; keys are sent as `auth` says and in no other way")
    return named


def _plain_path(path: str) -> str:
    if ".." in path or "//" in path:
        raise ValueError("the path of an endpoint leads elsewhere")
    return path


StaticHeaders = Annotated[dict[HeaderName, HeaderValue], Field(max_length=_MOST), AfterValidator(_inert_headers)]
QueryParameters = Annotated[dict[QueryName, QueryValue], Field(max_length=_MOST), AfterValidator(_no_secret)]
EndpointPath = Annotated[str, Field(pattern=r"^/([A-Za-z0-9/_.:-]|\{model\}){1,128}$"), AfterValidator(_plain_path)]
