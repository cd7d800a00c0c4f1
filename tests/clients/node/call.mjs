// One call by @openai/agents-realtime over its WebSocket transport, and what it saw of it, as one line of JSON.
//
// node call.mjs FEATURE URL KEY SPOKEN CUT: FEATURE is detected, manual, tool, barge-in; SPOKEN and CUT are files of
// PCM16 at 24 kHz that the caller says, the second one into the reply of a barge-in.

import { readFileSync } from "node:fs";
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";

const [feature, url, key, spoken, cut] = process.argv.slice(2);
const PIECE = 24 * 2 * 40;
const TIMEOUT_MS = 20_000;
const seen = { errors: [], events: {}, responses: [], heard_s: 0, before_cut_s: null, interrupted: 0, asked: [] };

const lookup = tool({
  name: "lookup_order",
  description: "Looks an order up.",
  parameters: z.object({ order_id: z.string() }),
  execute: async ({ order_id }) => {
    seen.asked.push(order_id);
    return "It ships today.";
  },
});
const agent = new RealtimeAgent({
  name: "Teller",
  instructions: "You are a bank's telephone agent.",
  tools: feature === "tool" ? [lookup] : [],
});
const turnDetection =
  feature === "manual" ? null : { type: "server_vad", silenceDurationMs: 300, createResponse: true, interruptResponse: true };
const session = new RealtimeSession(agent, {
  transport: new OpenAIRealtimeWebSocket(),
  model: "gpt-realtime",
  config: { audio: { input: { turnDetection, transcription: { model: "gpt-4o-mini-transcribe" } } } },
});

const waiting = [];
function until(happened) {
  return new Promise((resolve) => waiting.push({ happened, resolve }));
}
function look() {
  for (const each of waiting.splice(0)) {
    if (each.happened()) each.resolve();
    else waiting.push(each);
  }
}
function say(file, options = {}) {
  const pcm = readFileSync(file);
  for (let at = 0; at < pcm.length; at += PIECE) {
    const piece = pcm.subarray(at, at + PIECE);
    const last = at + PIECE >= pcm.length;
    session.sendAudio(piece.buffer.slice(piece.byteOffset, piece.byteOffset + piece.length), last ? options : {});
  }
}

session.on("error", (problem) => seen.errors.push(String(problem?.error?.message ?? JSON.stringify(problem?.error ?? problem))));
session.on("audio", (event) => (seen.heard_s += event.data.byteLength / 48_000));
session.on("audio_interrupted", () => (seen.interrupted += 1));
session.on("transport_event", (event) => {
  seen.events[event.type] = (seen.events[event.type] ?? 0) + 1;
  if (event.type === "response.done") {
    seen.responses.push([event.response.status, event.response.status_details?.reason ?? null]);
    seen.before_cut_s ??= seen.heard_s;
  }
  queueMicrotask(look);
});

function finish(code) {
  console.log(JSON.stringify(seen));
  process.exit(code);
}
setTimeout(() => {
  seen.errors.push(`not over after ${TIMEOUT_MS} ms`);
  finish(1);
}, TIMEOUT_MS);

try {
  await session.connect({ apiKey: key, url });
  say(spoken, feature === "manual" ? { commit: true } : {});
  if (feature === "manual") session.transport.requestResponse();
  if (feature === "barge-in") {
    await until(() => seen.heard_s > 0);
    say(cut);
    await until(() => seen.responses.length === 2 && seen.events["conversation.item.truncated"] > 0);
  } else {
    await until(() => seen.responses.length === (feature === "tool" ? 2 : 1));
  }
  session.close();
  finish(0);
} catch (problem) {
  seen.errors.push(String(problem));
  finish(1);
}
