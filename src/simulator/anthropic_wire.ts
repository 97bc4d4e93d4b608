/**
 * A plan on Anthropic's wire, as Bedrock sends it.
 *
 * Source: Anthropic, Messages and Streaming messages; recorded ids and metrics of bedrock-runtime.
 * @module
 */
import { type Conversation, type Json } from "./conversation.ts";
import { converseUsage } from "./converse_wire.ts";
import { type Plan, serialText, type Step } from "./plan.ts";

function modelName(modelId: string): string {
  return modelId.split("/").at(-1)?.replace(/^.*anthropic\./, "").replace(/-v\d(:\d)?$/, "") ??
    modelId;
}

function usage(plan: Plan, conversation: Conversation): Json {
  const told = converseUsage(plan, conversation) as Record<string, number>;
  const write = told.cacheWriteInputTokens ?? 0;
  return {
    input_tokens: told.inputTokens,
    cache_creation_input_tokens: write,
    cache_read_input_tokens: told.cacheReadInputTokens,
    cache_creation: { ephemeral_5m_input_tokens: write, ephemeral_1h_input_tokens: 0 },
    output_tokens: told.outputTokens,
    service_tier: "standard",
  };
}

const STOP_REASONS: Readonly<Record<string, string>> = {
  guardrail_intervened: "refusal",
  malformed_tool_use: "end_turn",
};

function stopReason({ stopReason: reason }: Plan): string {
  return STOP_REASONS[reason] ?? reason;
}

function toolId(plan: Plan, index: number): string {
  return `toolu_bdrk_sim${serialText(plan)}${String(index).padStart(12, "0")}`;
}

function block(plan: Plan, step: Step, index: number): Json {
  switch (step.kind) {
    case "text":
      return { type: "text", text: step.parts.join("") };
    case "thinking":
      return { type: "thinking", thinking: step.text, signature: step.signature ?? "" };
    case "tool":
      return { type: "tool_use", id: toolId(plan, index), name: step.name, input: step.input };
  }
}

/** A whole message. */
export function anthropicAnswer(modelId: string, plan: Plan, conversation: Conversation): Json {
  return {
    id: `msg_bdrk_sim${serialText(plan)}`,
    type: "message",
    role: "assistant",
    model: modelName(modelId),
    content: plan.steps.map((step, index) => block(plan, step, index)),
    stop_reason: stopReason(plan),
    stop_sequence: plan.stopSequence ?? null,
    usage: usage(plan, conversation),
  };
}

function stepEvents(plan: Plan, step: Step, index: number): Json[] {
  const delta = (value: Json): Json => ({ type: "content_block_delta", index, delta: value });
  const start = (content_block: Json): Json => ({
    type: "content_block_start",
    index,
    content_block,
  });
  const stop: Json = { type: "content_block_stop", index };
  switch (step.kind) {
    case "text":
      return [
        start({ type: "text", text: "" }),
        ...step.parts.map((text) => delta({ type: "text_delta", text })),
        stop,
      ];
    case "thinking":
      return [
        start({ type: "thinking", thinking: "", signature: "" }),
        delta({ type: "thinking_delta", thinking: step.text }),
        delta({ type: "signature_delta", signature: step.signature ?? "" }),
        stop,
      ];
    case "tool": {
      const json = JSON.stringify(step.input);
      const parts = step.deltas ? ["", json.slice(0, 7), json.slice(7)] : [""];
      return [
        start({ type: "tool_use", id: toolId(plan, index), name: step.name, input: {} }),
        ...parts.map((partial_json) => delta({ type: "input_json_delta", partial_json })),
        stop,
      ];
    }
  }
}

/**
 * The events of a stream.
 *
 * @param metrics Whether `message_stop` carries Bedrock's metrics, as InvokeModelWithResponseStream's does
 */
export function anthropicEvents(
  modelId: string,
  plan: Plan,
  { conversation, metrics }: { conversation: Conversation; metrics: boolean },
): Json[] {
  const message = anthropicAnswer(modelId, plan, conversation);
  const counts = usage(plan, conversation);
  const invocationMetrics = {
    inputTokenCount: counts.input_tokens,
    outputTokenCount: counts.output_tokens,
    invocationLatency: 12,
    firstByteLatency: 3,
  };
  return [
    {
      type: "message_start",
      message: {
        ...message,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...counts, output_tokens: 1 },
      },
    },
    ...plan.steps.flatMap((step, index) => stepEvents(plan, step, index)),
    {
      type: "message_delta",
      delta: { stop_reason: stopReason(plan), stop_sequence: plan.stopSequence ?? null },
      usage: { output_tokens: counts.output_tokens },
    },
    {
      type: "message_stop",
      ...(metrics ? { "amazon-bedrock-invocationMetrics": invocationMetrics } : {}),
    },
  ];
}
