"""A small provider that speaks the wire protocols faithfully and misbehaves on demand: contract tests and the demo."""

from modelscan.reference.app import create_reference
from modelscan.reference.server import serve, serve_in_thread

__all__ = ["create_reference", "serve", "serve_in_thread"]
