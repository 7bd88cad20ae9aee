"""Points in time as people write them: 90m, 24h, 7d, 2w, today, yesterday, month, 2026-11-27, or with a time."""

import re
from datetime import UTC, datetime, timedelta

from modelscan.errors import InvalidInput

__all__ = ["moment"]

_BEFORE = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """The time in UTC that `text` says: so long before `now`, a midnight, or an ISO date; raises InvalidInput."""
    said = text.strip()
    if before := _BEFORE.fullmatch(said.lower()):
        return now - timedelta(**{_UNITS[before[2]]: int(before[1])})
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1), "month": midnight.replace(day=1)}
    if found := named.get(said.lower()):
        return found
    try:
        found = datetime.fromisoformat(said)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{said[:40]!r} is no point in time.",
            hint="Write 90m, 24h, 7d or 2w (so long ago), today, yesterday, month, 2026-11-27, or 2026-11-27T08:00.",
        ) from None
