"""Callers' tokens: who may use which models, and how much of them."""
