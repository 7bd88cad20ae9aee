"""Prefect tasks: a decorator, a name, and one call into modelscan each."""
