/**
 * Answers with a citation.
 *
 * Source: Anthropic, Citations; Bedrock API reference, CitationsContentBlock and CitationsDelta.
 * @module
 */
import { parseScript, type Script } from "../../src/simulator/script.ts";

/** The passage that is cited: the first of its document. */
export const CITED = "The grass is green.";

const TEXT = "It is green.";
const USAGE = { input_tokens: 1_234, output_tokens: 56 };
const CITATION = {
  type: "char_location",
  document_index: 0,
  document_title: "Nature",
  file_id: null,
  start_char_index: 0,
  end_char_index: CITED.length,
  cited_text: CITED,
};
const MESSAGE = {
  id: "msg_bdrk_cites",
  type: "message",
  role: "assistant",
  model: "claude-opus-5-5",
  content: [{ type: "text", text: TEXT, citations: [CITATION] }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: USAGE,
};

function delta(value: unknown): unknown {
  return { type: "content_block_delta", index: 0, delta: value };
}

const MESSAGE_EVENTS = [
  {
    type: "message_start",
    message: { ...MESSAGE, content: [], stop_reason: null, usage: { ...USAGE, output_tokens: 1 } },
  },
  {
    type: "content_block_start",
    index: 0,
    content_block: { type: "text", text: "", citations: [] },
  },
  delta({ type: "text_delta", text: TEXT }),
  delta({ type: "citations_delta", citation: CITATION }),
  { type: "content_block_stop", index: 0 },
  {
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: USAGE.output_tokens },
  },
  { type: "message_stop" },
];

const CONVERSE_USAGE = { inputTokens: 1_234, outputTokens: 56, totalTokens: 1_290 };
const CONVERSE_CITATION = {
  title: "Nature",
  sourceContent: [{ text: CITED }],
  location: { documentChar: { documentIndex: 0, start: 0, end: CITED.length } },
};
const CONVERSE = {
  output: {
    message: {
      role: "assistant",
      content: [{
        citationsContent: { content: [{ text: TEXT }], citations: [CONVERSE_CITATION] },
      }],
    },
  },
  stopReason: "end_turn",
  usage: CONVERSE_USAGE,
  metrics: { latencyMs: 1 },
};

function converseDelta(value: unknown): unknown {
  return { event: "contentBlockDelta", json: { contentBlockIndex: 0, delta: value } };
}

const CONVERSE_FRAMES = [
  { event: "messageStart", json: { role: "assistant" } },
  converseDelta({ text: TEXT }),
  converseDelta({ citation: CONVERSE_CITATION }),
  { event: "contentBlockStop", json: { contentBlockIndex: 0 } },
  { event: "messageStop", json: { stopReason: "end_turn" } },
  { event: "metadata", json: { usage: CONVERSE_USAGE, metrics: { latencyMs: 1 } } },
];

/** Bedrock's answer on a route; 1234 tokens went in, and 56 came out. */
export function citing(route: "invoke" | "converse", streamed: boolean): Script {
  if (route === "invoke") {
    return parseScript(streamed ? { anthropic: MESSAGE_EVENTS } : { json: MESSAGE });
  }
  return parseScript(streamed ? { frames: CONVERSE_FRAMES } : { json: CONVERSE });
}
