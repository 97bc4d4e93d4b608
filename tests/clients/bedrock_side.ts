/**
 * What Bedrock was sent, read the same on Anthropic's wire and on Converse's.
 * @module
 */
import type { Harness } from "../harness.ts";

/** Any JSON object of a body. */
export type Json = Readonly<Record<string, unknown>>;

/** One message. */
export interface Turn {
  /** `user`, `assistant` or `system`. */
  readonly role: string;
  /** Its blocks. */
  readonly blocks: readonly Json[];
}

/** A result of a tool. */
export interface ToolResult {
  /** Its text. */
  readonly text: string;
  /** Its images, in base64. */
  readonly images: readonly string[];
}

/** One request to a model. */
export interface BedrockRequest {
  /** Percent-encoded path. */
  readonly path: string;
  /** Body as text. */
  readonly text: string;
  /** Messages. */
  readonly turns: readonly Turn[];
  /** Names of the tools it brings. */
  readonly tools: readonly string[];
  /** Results of tools, in all messages. */
  readonly results: readonly ToolResult[];
  /** Images that stand in messages by themselves. */
  readonly images: readonly string[];
  /** Reasoning with its signature. */
  readonly reasoning: readonly { readonly text: unknown; readonly signature: unknown }[];
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

function blocksOf(content: unknown): readonly Json[] {
  return typeof content === "string"
    ? [{ type: "text", text: content }]
    : (content ?? []) as Json[];
}

/** Text of blocks, on either wire. */
export function textOf(blocks: readonly Json[]): string {
  return blocks.map(({ text }) => text).filter((text) => typeof text === "string").join("\n");
}

function imagesOf(blocks: readonly Json[]): string[] {
  return blocks.flatMap((block) => {
    const { data, bytes } = object(
      (block.type === "image" ? block : object(block.image)).source as Json,
    );
    return [data, bytes].filter((one) => typeof one === "string");
  });
}

function resultsOf(blocks: readonly Json[]): ToolResult[] {
  return blocks.map((block) => block.type === "tool_result" ? block : block.toolResult)
    .filter((result) => result !== undefined)
    .map((result) => {
      const inner = blocksOf(object(result).content);
      return { text: textOf(inner), images: imagesOf(inner) };
    });
}

function reasoningOf(block: Json): { text: unknown; signature: unknown }[] {
  if (block.type === "thinking") return [{ text: block.thinking, signature: block.signature }];
  if (block.reasoningContent === undefined) return [];
  const { text, signature } = object(object(block.reasoningContent).reasoningText);
  return [{ text, signature }];
}

/** Every request to a model so far. */
export function bedrockRequests({ simulator }: Harness): BedrockRequest[] {
  return simulator.requests.filter(({ path }) =>
    /\/(invoke|converse)(-|$)|^\/anthropic\/v1\/messages$/.test(path)
  ).map(
    ({ path, text }) => {
      const body = JSON.parse(text);
      const turns: Turn[] = body.messages.map(({ role, content }: Json) => ({
        role,
        blocks: blocksOf(content),
      }));
      const blocks = turns.flatMap((turn) => turn.blocks);
      const tools: readonly Json[] = body.tools ?? body.toolConfig?.tools ?? [];
      return {
        path,
        text,
        turns,
        tools: tools.map((tool) => object(tool.toolSpec).name ?? tool.name)
          .filter((name) => typeof name === "string"),
        results: resultsOf(blocks),
        images: imagesOf(blocks),
        reasoning: blocks.flatMap(reasoningOf),
      };
    },
  );
}
