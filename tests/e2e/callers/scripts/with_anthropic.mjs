// Anthropic's own SDK for Node.
import { createRequire } from "node:module";
import { PROMPT, SCHEMA, tell } from "./telling.mjs";

const require = createRequire(`${process.cwd()}/`);
const Anthropic = require("@anthropic-ai/sdk").default;

await tell((url, key) => {
  const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
  const user = { role: "user", content: PROMPT };
  const tools = [{ name: "weather", description: "The weather of a city.", input_schema: SCHEMA }];
  const textOf = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
  const used = ({ usage }) => [usage.input_tokens, usage.output_tokens];
  return {
    messages: {
      async plain(model, max_tokens) {
        const done = await client.messages.create({ model, max_tokens, messages: [user] });
        return { text: textOf(done), usage: used(done) };
      },
      async streamed(model, max_tokens) {
        const pieces = [];
        const stream = client.messages.stream({ model, max_tokens, messages: [user] }).on("text", (piece) => pieces.push(piece));
        return { usage: used(await stream.finalMessage()), pieces };
      },
      async tools(model, max_tokens) {
        const said = await client.messages.create({ model, max_tokens, messages: [user], tools });
        const called = said.content.filter((block) => block.type === "tool_use");
        const content = called.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "sunny" }));
        const messages = [user, { role: "assistant", content: said.content }, { role: "user", content }];
        const done = await client.messages.create({ model, max_tokens, messages, tools });
        return { calls: called.map((block) => [block.name, block.input]), text: textOf(done) };
      },
    },
  };
});
