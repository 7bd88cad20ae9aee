"""Claims as the dossier's tests tell them."""

from datetime import UTC, datetime
from typing import Any

from modelscan.types import Claim

__all__ = ["WHEN", "claim"]

WHEN = datetime(2026, 7, 2, tzinfo=UTC)


def claim(source: str, value: Any, field: str = "price.input_mtok", subject: str = "acme/anvil", **more: Any) -> Claim:
    """`source` says that the field of the subject is `value`."""
    fields: dict[str, Any] = {
        "subject": subject,
        "field": field,
        "value": value,
        "source": source,
        "url": f"https://{source}/list",
        "fetched_at": WHEN,
        "sha256": "0" * 64,
        "stale": False,
        "confidence": 0.9,
        "record": f"record-of-{source}",
    }
    return Claim.model_validate(fields | more)
