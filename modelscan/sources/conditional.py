"""Asks for a whole list only where it changed since it was last sent (RFC 9110, section 13)."""

import hashlib
import re

import httpx2

from modelscan.errors import SourceUnavailable
from modelscan.sources.http import Answer, ask
from modelscan.types import Listing, utc_now

__all__ = ["ask_for_list"]

_ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]{0,200}"')
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{1,60}")
_NOT_MODIFIED = 304


async def ask_for_list(
    http: httpx2.AsyncClient, url: str, *, source: str, kept: Listing | None, limit: int = 16 * 2**20
) -> Listing:
    """The list at `url`: `kept` again where the server says that it did not change, else what it answers.

    `limit` in bytes. Raises SourceUnavailable for a transport fault and for any answer but 200 with JSON; HostRefused.
    """
    usable = kept if kept and kept.url == url else None
    answer = await ask(http, "GET", url, limit=limit, headers=_conditions(usable))
    if usable and answer.status == _NOT_MODIFIED:
        return usable.model_copy(update={"checked_at": utc_now(), **_validators(answer, usable)})
    if answer.status != 200 or answer.json_body is None:
        raise SourceUnavailable(f"{url} answered {answer.status} and no list.", url=url)
    now = utc_now()
    sha256 = hashlib.sha256(answer.body).hexdigest()
    made = Listing(source=source, url=url, sha256=sha256, answered_at=now, checked_at=now, body=answer.body)
    return made.model_copy(update=_validators(answer))


def _conditions(kept: Listing | None) -> dict[str, str]:
    """A server that knows both goes by the first alone."""
    told = {"if-none-match": kept.etag, "if-modified-since": kept.last_modified} if kept else {}
    return {name: value for name, value in told.items() if value}


def _validators(answer: Answer, before: Listing | None = None) -> dict[str, str]:
    """What the answer says of them; of a 304 without them, those that it was asked with."""
    etag, date = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    return {
        "etag": etag if _ETAG.fullmatch(etag) else before.etag if before else "",
        "last_modified": date if _DATE.fullmatch(date) else before.last_modified if before else "",
    }
