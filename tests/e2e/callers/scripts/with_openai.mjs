// OpenAI's own SDK for Node: chat completions and responses.
import { createRequire } from "node:module";
import { PROMPT, SCHEMA, tell } from "./telling.mjs";

const require = createRequire(`${process.cwd()}/`);
const OpenAI = require("openai").default;

await tell((url, key) => {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  const user = { role: "user", content: PROMPT };
  const tool = { name: "weather", description: "The weather of a city.", parameters: SCHEMA };
  const used = (usage) => [usage.prompt_tokens ?? usage.input_tokens, usage.completion_tokens ?? usage.output_tokens];
  return {
    chat: {
      async plain(model, max_tokens) {
        const done = await client.chat.completions.create({ model, messages: [user], max_tokens });
        return { text: done.choices[0].message.content, usage: used(done.usage) };
      },
      async streamed(model, max_tokens) {
        const stream = client.chat.completions.stream({
          model, messages: [user], max_tokens, stream_options: { include_usage: true },
        });
        const pieces = [];
        for await (const chunk of stream) if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
        return { pieces, usage: used((await stream.finalChatCompletion()).usage) };
      },
      async tools(model, max_tokens) {
        const tools = [{ type: "function", function: tool }];
        const said = (await client.chat.completions.create({ model, messages: [user], tools, max_tokens })).choices[0].message;
        const results = said.tool_calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: "sunny" }));
        const messages = [user, said, ...results];
        const done = await client.chat.completions.create({ model, messages, tools, max_tokens });
        const calls = said.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
        return { calls, text: done.choices[0].message.content };
      },
    },
    responses: {
      async plain(model, limit) {
        const done = await client.responses.create({ model, input: PROMPT, max_output_tokens: limit });
        return { text: done.output_text, usage: used(done.usage) };
      },
      async streamed(model, limit) {
        const stream = client.responses.stream({ model, input: PROMPT, max_output_tokens: limit });
        const pieces = [];
        for await (const event of stream) if (event.type === "response.output_text.delta") pieces.push(event.delta);
        return { pieces, usage: used((await stream.finalResponse()).usage) };
      },
      async tools(model, max_output_tokens) {
        const tools = [{ type: "function", ...tool, strict: false }];
        const said = await client.responses.create({ model, input: PROMPT, tools, max_output_tokens });
        const called = said.output.filter((item) => item.type === "function_call");
        const results = called.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "sunny" }));
        const input = [{ role: "user", content: PROMPT }, ...called, ...results];
        const done = await client.responses.create({ model, input, tools, max_output_tokens });
        return { calls: called.map((call) => [call.name, JSON.parse(call.arguments)]), text: done.output_text };
      },
    },
  };
});
