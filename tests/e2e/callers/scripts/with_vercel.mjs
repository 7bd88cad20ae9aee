// Vercel's AI SDK: OpenAI's chat and responses, an OpenAI-compatible provider, and Anthropic's Messages.
import { createRequire } from "node:module";
import { PROMPT, SCHEMA, tell } from "./telling.mjs";

const require = createRequire(`${process.cwd()}/`);
const { generateText, jsonSchema, stepCountIs, streamText, tool } = require("ai");
const { createAnthropic } = require("@ai-sdk/anthropic");
const { createOpenAI } = require("@ai-sdk/openai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");

globalThis.AI_SDK_LOG_WARNINGS = false;

function way(named) {
  const used = (usage) => [usage.inputTokens, usage.outputTokens];
  const asking = (model, limit) => ({
    model: named(model), prompt: PROMPT, maxOutputTokens: limit, maxRetries: 0,
  });
  return {
    async plain(model, limit) {
      const done = await generateText(asking(model, limit));
      return { text: done.text, usage: used(done.usage) };
    },
    async streamed(model, limit) {
      let failed;
      const stream = streamText({ ...asking(model, limit), onError: ({ error }) => { failed = error; } });
      const pieces = [];
      for await (const piece of stream.textStream) pieces.push(piece);
      if (failed) throw failed;
      return { pieces, usage: used(await stream.usage) };
    },
    async tools(model, limit) {
      const weather = tool({
        description: "The weather of a city.", inputSchema: jsonSchema(SCHEMA), execute: async () => "sunny",
      });
      const done = await generateText({ ...asking(model, limit), tools: { weather }, stopWhen: stepCountIs(3) });
      const calls = done.steps.flatMap((step) => step.toolCalls).map((call) => [call.toolName, call.input]);
      return { calls, text: done.text };
    },
  };
}

await tell((url, key) => {
  const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
  const compatible = createOpenAICompatible({ name: "modelscan", baseURL: `${url}/v1`, apiKey: key, includeUsage: true });
  const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: key });
  return {
    chat: way((model) => openai.chat(model)),
    responses: way((model) => openai.responses(model)),
    compatible: way((model) => compatible(model)),
    messages: way((model) => anthropic(model)),
  };
});
