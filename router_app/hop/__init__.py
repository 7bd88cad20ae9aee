"""The hot hop: our own pooled HTTP/1.1 client, for the one way that every request goes."""

from router_app.hop.pool import PooledUpstream

__all__ = ["PooledUpstream"]
