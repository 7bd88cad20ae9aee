"""Upstream keys: sealed at rest, chosen least used first."""
