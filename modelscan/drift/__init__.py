"""Drift: finding what changed, deciding what becomes of it, and telling those who want to know."""
