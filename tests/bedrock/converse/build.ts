/**
 * Builds Converse bodies for tests, and says what is wrong with one.
 * @module
 */
import type { MessagesRequest } from "../../../src/anthropic/types.ts";
import type { BetaDecisions } from "../../../src/bedrock/betas.ts";
import { quirksOf } from "../../../src/bedrock/converse/quirks.ts";
import { buildConverseRequest, type ConverseBuilt } from "../../../src/bedrock/converse/request.ts";

/** A Claude that takes nearly everything. */
export const CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0";
/** A Claude of the generation that takes no sampling. */
export const CLAUDE_5 = "anthropic.claude-sonnet-5";
/** A model that takes what most open models take. */
export const OPEN = "qwen.qwen3-coder-30b-a3b-v1:0";
/** Amazon's own. */
export const NOVA = "amazon.nova-2-lite-v1:0";
/** A model without tools. */
export const TOOLLESS = "deepseek.r1-v1:0";

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** The same value, in which nothing can be changed. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

/** Builds for a model, from a body that is frozen and says "hi" unless it says otherwise. */
export function build(
  model: string,
  partly: Json,
  betas: readonly string[] = [],
  decisions: BetaDecisions = {},
): ConverseBuilt {
  const plain = { model: "m", max_tokens: 100, messages: [{ role: "user", content: "hi" }] };
  const body = deepFreeze(structuredClone({ ...plain, ...partly })) as unknown as MessagesRequest;
  const target = { quirks: quirksOf(model), baseId: model, tier: undefined };
  return buildConverseRequest({ ...target, body, betas, decisions });
}

/** The messages of a built body. */
export function messagesOf(built: ConverseBuilt): readonly { role: string; content: Json[] }[] {
  return built.body.messages as { role: string; content: Json[] }[];
}

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const ID = /^[a-zA-Z0-9_.:-]{1,64}$/;
const DOCUMENT = /^[a-zA-Z0-9\-()[\]]+( [a-zA-Z0-9\-()[\]]+)*$/;
const IMAGES = ["png", "jpeg", "gif", "webp"];

function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value as Json[] : [];
}

function faultsOfBlock(block: Json, at: string): string[] {
  const faults: string[] = [];
  const members = Object.keys(block);
  if (members.length !== 1) faults.push(`${at} has members ${members.join(", ")}`);
  if ("text" in block && String(block.text).trim() === "") faults.push(`${at} is empty text`);
  const { toolUse, toolResult, document, image } = block;
  if (image !== undefined && !IMAGES.includes(String(objectOf(image).format))) {
    faults.push(`${at} has image format ${objectOf(image).format}`);
  }
  if (toolUse !== undefined) {
    const { name, toolUseId, input } = objectOf(toolUse);
    if (!NAME.test(String(name))) faults.push(`${at} has name ${name}`);
    if (!ID.test(String(toolUseId))) faults.push(`${at} has id ${toolUseId}`);
    if (typeof input !== "object" || input === null) faults.push(`${at} has no input`);
  }
  if (toolResult !== undefined) {
    const content = listOf(objectOf(toolResult).content);
    if (content.length === 0) faults.push(`${at} is an empty result`);
    content.forEach((one, index) => {
      if ("cachePoint" in one || "toolUse" in one) {
        faults.push(`${at}.${index} nests ${Object.keys(one)}`);
      }
      faults.push(...faultsOfBlock(one, `${at}.${index}`));
    });
  }
  if (document !== undefined && !DOCUMENT.test(String(objectOf(document).name))) {
    faults.push(`${at} has document name ${objectOf(document).name}`);
  }
  return faults;
}

function idsOf(content: readonly Json[], member: string): string[] {
  return content.filter((block) => member in block)
    .map((block) => String(objectOf(block[member]).toolUseId));
}

function faultsOfTurn(content: readonly Json[], next: Json | undefined, at: string): string[] {
  const faults: string[] = [];
  const texts = content.some((block) => "text" in block);
  if (content.some((block) => "document" in block) && !texts) faults.push(`${at} lacks text`);
  if ("cachePoint" in objectOf(content[0])) faults.push(`${at} begins with a cache point`);
  const solid = content.filter((block) => !("cachePoint" in block));
  const lastResult = solid.findLastIndex((block) => "toolResult" in block);
  if (solid.slice(0, lastResult + 1).some((block) => !("toolResult" in block))) {
    faults.push(`${at} has something in front of a tool result`);
  }
  const asked = idsOf(content, "toolUse");
  const answered = next === undefined ? asked : idsOf(listOf(next.content), "toolResult");
  if (asked.toSorted().join() !== answered.toSorted().join()) {
    faults.push(`${at} asks ${asked} and is answered ${answered}`);
  }
  return faults;
}

function faultsOfTools(body: Json, all: readonly Json[]): string[] {
  const faults: string[] = [];
  const tools = listOf(objectOf(body.toolConfig).tools);
  const beside = listOf(objectOf(body.additionalModelRequestFields).tools);
  const known = new Set([
    ...tools.map(({ toolSpec }) => objectOf(toolSpec).name),
    ...beside.map(({ name }) => name),
  ]);
  for (const { toolUse } of all) {
    const { name } = objectOf(toolUse);
    if (toolUse !== undefined && !known.has(name)) faults.push(`nobody knows tool ${name}`);
  }
  if (body.toolConfig !== undefined && tools.length === 0) faults.push("toolConfig has no tools");
  const mentioned = idsOf(all, "toolUse").length + idsOf(all, "toolResult").length;
  if (mentioned > 0 && tools.length === 0) faults.push("tool blocks without toolConfig");
  for (const { toolSpec } of tools) {
    if (toolSpec === undefined) continue;
    const { name, description } = objectOf(toolSpec);
    if (!NAME.test(String(name))) faults.push(`tool has name ${name}`);
    if (description === "") faults.push("tool has an empty description");
  }
  return faults;
}

const ROLES = ["user", "assistant", "system"];

function nextTurn(messages: readonly Json[], index: number): Json | undefined {
  return messages.slice(index + 1).find(({ role }) => role !== "system");
}

/** What Bedrock would refuse in a Converse body ([T], constraints of the API reference). */
export function faultsOf(body: Json): string[] {
  const faults: string[] = [];
  const messages = listOf(body.messages);
  messages.forEach(({ role, content }, index) => {
    const at = `messages.${index}`;
    const before = messages[index - 1]?.role;
    // An instruction stands between turns, and never in front of them.
    const wrong = index === 0 ? role !== "user" : role === before;
    if (wrong || !ROLES.includes(String(role))) faults.push(`${at} has role ${role}`);
    const blocks = listOf(content);
    if (blocks.length === 0) faults.push(`${at} is empty`);
    blocks.forEach((block, place) => faults.push(...faultsOfBlock(block, `${at}.${place}`)));
    if (role !== "system") faults.push(...faultsOfTurn(blocks, nextTurn(messages, index), at));
  });
  const all = messages.flatMap(({ content }) => listOf(content));
  const names = all.filter((block) => "document" in block)
    .map((block) => objectOf(block.document).name);
  if (new Set(names).size !== names.length) faults.push("document names repeat");
  for (const block of listOf(body.system)) faults.push(...faultsOfBlock(block, "system"));
  return [...faults, ...faultsOfTools(body, all)];
}
