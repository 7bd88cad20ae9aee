// What each script does: asks every model in every way of its client, and prints what came out, as JSON.
import { text } from "node:stream/consumers";

export const PROMPT = "one two three";
export const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

async function tried(ask, model, limit) {
  try {
    return await ask(model, limit);
  } catch (error) {
    const status = error.status ?? error.statusCode ?? error.lastError?.statusCode ?? null;
    return { error: error.name === "Error" ? error.constructor.name : error.name, status, message: error.message };
  }
}

// `ways(url, key)` gives {name: {plain, streamed, tools}}; standard input holds {url, key, models, tools, errors}.
export async function tell(ways) {
  const asked = JSON.parse(await text(process.stdin));
  const told = {};
  for (const [name, way] of Object.entries(ways(asked.url, asked.key))) {
    for (const [model, limit] of Object.entries(asked.models)) {
      told[`${name} ${model} plain`] = await tried(way.plain, model, limit);
      told[`${name} ${model} streamed`] = await tried(way.streamed, model, limit);
    }
    for (const model of asked.tools) told[`${name} ${model} tools`] = await tried(way.tools, model, 64);
    for (const model of asked.errors) told[`${name} ${model} error`] = await tried(way.plain, model, 8);
  }
  process.stdout.write(JSON.stringify(told));
}
