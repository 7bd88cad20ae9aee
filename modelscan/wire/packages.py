"""Which protocol the packages of the AI SDK speak, by which models.dev names a provider's."""

__all__ = ["PROTOCOL_OF_PACKAGE"]

PROTOCOL_OF_PACKAGE = {
    "@ai-sdk/openai-compatible": "openai_chat",
    "@openrouter/ai-sdk-provider": "openai_chat",
    "@ai-sdk/anthropic": "anthropic_messages",
    "@ai-sdk/amazon-bedrock": "bedrock_converse",
    "@ai-sdk/azure": "azure_openai",
    "@ai-sdk/cohere": "cohere_v2",
    "@ai-sdk/gateway": "vercel_ai_gateway",
    "@ai-sdk/google": "gemini_generate_content",
    "@ai-sdk/google-vertex": "vertex_generate_content",
    "@ai-sdk/google-vertex/anthropic": "vertex_anthropic",
    "@ai-sdk/openai": "openai_responses",
}
"""What a package speaks by default; one that is not here says nothing certain."""
