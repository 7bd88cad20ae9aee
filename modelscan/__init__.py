"""ModelScan: name a model or a provider; it finds out how to talk to it, proves it, and serves it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
