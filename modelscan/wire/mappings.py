"""The custom REST services that are known by name, each as its documentation and recorded exchanges have it."""

from modelscan.types import RestAnswer, RestMapping, RestModels, RestRequest, RestStream

__all__ = ["COHERE_V2", "GEMINI_GENERATE_CONTENT", "OLLAMA_CHAT"]

# https://docs.cohere.com/v2/reference/chat; the tokens are those that are billed, as genai-prices counts them.
COHERE_V2 = RestMapping(
    name="cohere_v2",
    request=RestRequest(
        model="model",
        messages="messages",
        roles={"system": "system", "user": "user", "assistant": "assistant"},
        max_tokens="max_tokens",
        temperature="temperature",
        top_p="p",
        stop="stop_sequences",
        stream="stream",
    ),
    answer=RestAnswer(
        text="message.content.*.text",
        finish=("finish_reason",),
        prompt_tokens=("usage.billed_units.input_tokens",),
        completion_tokens=("usage.billed_units.output_tokens",),
    ),
    stream=RestStream(
        framing="sse",
        piece=RestAnswer(
            text="delta.message.content.text",
            finish=("delta.finish_reason",),
            prompt_tokens=("delta.usage.billed_units.input_tokens",),
            completion_tokens=("delta.usage.billed_units.output_tokens",),
        ),
        end="field",
        end_at="type",
        end_value="message-end",
    ),
    finish_reasons={
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "TOOL_CALL": "tool_calls",
        "ERROR_TOXIC": "content_filter",
    },
    error=("message", "delta.error"),
    models=RestModels(rows="models", id="name"),
)

# https://ai.google.dev/api/generate-content; thoughts are billed as output, and a refused prompt has no candidates.
_GEMINI_ANSWER = RestAnswer(
    text="candidates.0.content.parts.*.text",
    finish=("candidates.0.finishReason", "promptFeedback.blockReason"),
    prompt_tokens=("usageMetadata.promptTokenCount", "usageMetadata.toolUsePromptTokenCount"),
    completion_tokens=("usageMetadata.candidatesTokenCount", "usageMetadata.thoughtsTokenCount"),
    cached_tokens=("usageMetadata.cachedContentTokenCount",),
    reasoning_tokens=("usageMetadata.thoughtsTokenCount",),
)
GEMINI_GENERATE_CONTENT = RestMapping(
    name="gemini_generate_content",
    request=RestRequest(
        messages="contents",
        roles={"user": "user", "assistant": "model"},
        content="parts",
        content_form="parts",
        system="systemInstruction.parts",
        max_tokens="generationConfig.maxOutputTokens",
        temperature="generationConfig.temperature",
        top_p="generationConfig.topP",
        stop="generationConfig.stopSequences",
    ),
    answer=_GEMINI_ANSWER,
    stream=RestStream(framing="sse", query={"alt": "sse"}, piece=_GEMINI_ANSWER, end="connection"),
    finish_reasons={
        "STOP": "stop",
        "MAX_TOKENS": "length",
        "BLOCKLIST": "content_filter",
        "IMAGE_SAFETY": "content_filter",
        "LANGUAGE": "content_filter",
        "OTHER": "content_filter",
        "PROHIBITED_CONTENT": "content_filter",
        "RECITATION": "content_filter",
        "SAFETY": "content_filter",
        "SPII": "content_filter",
    },
    error=("error.message",),
    models=RestModels(rows="models", id="name", prefix="models/"),
)

# https://docs.ollama.com/api/chat; it streams unless it is told not to.
_OLLAMA_ANSWER = RestAnswer(
    text="message.content",
    finish=("done_reason",),
    prompt_tokens=("prompt_eval_count",),
    completion_tokens=("eval_count",),
)
OLLAMA_CHAT = RestMapping(
    name="ollama_chat",
    request=RestRequest(
        model="model",
        messages="messages",
        roles={"system": "system", "user": "user", "assistant": "assistant"},
        max_tokens="options.num_predict",
        temperature="options.temperature",
        top_p="options.top_p",
        stop="options.stop",
        stream="stream",
    ),
    answer=_OLLAMA_ANSWER,
    stream=RestStream(framing="ndjson", piece=_OLLAMA_ANSWER, end="field", end_at="done"),
    finish_reasons={"stop": "stop", "length": "length"},
    error=("error",),
    models=RestModels(rows="models", id="name"),
)
