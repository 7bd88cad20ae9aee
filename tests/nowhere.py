"""Addresses for each setting that names one of the outside: on the loopback, and nobody listens there."""

from modelscan.settings import DiscoverySettings

__all__ = ["NOWHERE"]

NOWHERE = {name: f"http://127.0.0.1:9/{name}" for name in DiscoverySettings.model_fields if name.endswith("_url")}
