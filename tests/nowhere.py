"""Addresses for each setting that names one of the outside: on the loopback, and nobody listens there."""

from modelscan.settings import DiscoverySettings

__all__ = ["NOWHERE"]

NOWHERE = {
    name: f"http://127.0.0.1:9/{name}"
    for name, field in DiscoverySettings.model_fields.items()
    if name.endswith("_url") and field.default
}
