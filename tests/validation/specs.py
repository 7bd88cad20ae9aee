"""Specifications that the validation tests talk of."""

from typing import Any

from modelscan.types import Auth, ClientSpec, Endpoint, Model

__all__ = ["ENDPOINTS", "a_spec"]

ENDPOINTS = (
    Endpoint(operation="chat", method="POST", path="/chat/completions"),
    Endpoint(operation="models", method="GET", path="/models"),
)


def a_spec(**changes: Any) -> ClientSpec:
    """A specification of an imaginary provider that takes a bearer key, with `changes`."""
    fields: dict[str, Any] = {
        "provider": "acme",
        "name": "Acme",
        "protocol": "openai_chat",
        "base_url": "https://api.acme.example/v1",
        "auth": Auth(env=("ACME_API_KEY",)),
        "endpoints": ENDPOINTS,
        "models": (Model(id="anvil"), Model(id="rocket/skates:v2")),
        "test_model": "anvil",
        "evidence": dict.fromkeys(ClientSpec.CITED_FIELDS, "0123456789abcdef"),
    }
    return ClientSpec(**fields | changes)
