/**
 * Refuses on the native routes what Bedrock refuses, in its words.
 *
 * Source: Bedrock User Guide, Anthropic Claude Messages API; exact wording as recorded.
 * @module
 */
import { type Conversation, type Json, object, objects, words } from "./conversation.ts";
import { validation } from "./coral.ts";
import { checkMarks } from "./strict_cache.ts";
import { checkBetaFields, checkModel, takesFormats } from "./strict_models.ts";
import { checkSignatures } from "./strict.ts";

/** Which native route. */
export type NativeRoute = "invoke" | "messages" | "mantle";

const FIELDS = new Set([
  "anthropic_version",
  "anthropic_beta",
  "max_tokens",
  "messages",
  "system",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "thinking",
  "tools",
  "tool_choice",
  "metadata",
  "cache_control",
  "output_config",
  "context_management",
  "safeguards",
]);

/** Taken on the Messages endpoints beside those. */
const FIELDS_OF_MESSAGES = new Set(["model", "stream", "user_profile_id", "workspace_id"]);

const BETAS = new Set([
  "compact-2026-01-12",
  "computer-use-2025-01-24",
  "computer-use-2025-11-24",
  "context-1m-2025-08-07",
  "context-management-2025-06-27",
  "dangerous-tool-use-2026-09-03",
  "effort-2025-11-24",
  "fine-grained-tool-streaming-2025-05-14",
  "interleaved-thinking-2025-05-14",
  "mid-conversation-output-config-2026-07-01",
  "mid-conversation-tool-changes-2026-07-01",
  "thinking-binding-controls-2026-08-01",
  "thinking-display-updates-2026-08-18",
  "tool-examples-2025-10-29",
  "tool-search-tool-2025-10-19",
]);
const BETAS_MANTLE = new Set([
  "claude-code-20250219",
  "per-turn-control-2026-07-01",
  "web-search-2025-03-05",
]);

const TAKES_SYSTEM = /claude-(fable-5|opus-5|opus-4-8|mythos)/;
const SERVER_TOOL = /^(web_search|web_fetch|code_execution|advisor)_/;

function checkFields(body: Json, route: NativeRoute): void {
  for (const field of Object.keys(body)) {
    const own = route !== "invoke" && FIELDS_OF_MESSAGES.has(field);
    if (!own && !FIELDS.has(field)) throw validation(`${field}: Extra inputs are not permitted`);
  }
  if (route === "invoke" && body.anthropic_version !== "bedrock-2023-05-31") {
    throw validation("anthropic_version: Field required");
  }
  if (body.max_tokens === undefined) throw validation("max_tokens: Field required");
}

function checkBetas(betas: readonly string[], route: NativeRoute): void {
  const known = (beta: string) => BETAS.has(beta) || (route === "mantle" && BETAS_MANTLE.has(beta));
  if (!betas.every(known)) throw validation("invalid beta flag");
}

function checkMessages(body: Json, modelId: string): void {
  objects(body.messages).forEach((message, index) => {
    if (message.role === "system" && !TAKES_SYSTEM.test(modelId)) {
      throw validation(
        `messages: Unexpected role "system". The Messages API accepts a top-level \`system\` parameter, not "system" as an input message role.`,
      );
    }
    objects(message.content).forEach((block, at) =>
      checkBlock(block, `messages.${index}.content.${at}`)
    );
    const last = index === objects(body.messages).length - 1 && message.role === "assistant";
    const empty = typeof message.content === "string"
      ? message.content.trim() === ""
      : Array.isArray(message.content) && message.content.length === 0;
    // A system message may be nothing but settings.
    if (empty && !last && message.output_config === undefined) {
      throw validation(
        `messages.${index}: all messages must have non-empty content except for the optional final assistant message`,
      );
    }
  });
}

function checkBlock(block: Json, path: string): void {
  if (block.type === "text" && words(block.text).trim() === "") {
    throw validation(`${path}: text content blocks must contain non-whitespace text`);
  }
  if ("scope" in object(block.cache_control)) {
    throw validation(`${path}.cache_control.ephemeral.scope: Extra inputs are not permitted`);
  }
  const source = object(block.source);
  if (source.type === "url" || source.type === "file") {
    throw validation(`${path}.source: Input tag '${words(source.type)}' is not supported`);
  }
}

/**
 * Refuses an Anthropic body as Bedrock does.
 *
 * @throws {CoralError} In Bedrock's words
 */
export function checkNative(
  body: Json,
  options: {
    modelId: string;
    route: NativeRoute;
    betas: readonly string[];
    conversation: Conversation;
  },
): void {
  const { modelId, route, betas, conversation } = options;
  if (!/(^|[./])anthropic\./.test(modelId)) {
    throw validation("This action doesn't support the model that you provided.");
  }
  checkFields(body, route);
  checkBetas(betas, route);
  checkMessages(body, modelId);
  for (const [index, tool] of objects(body.tools).entries()) {
    if (SERVER_TOOL.test(words(tool.type))) {
      throw validation(`tools.${index}: tool type '${words(tool.type)}' is not supported`);
    }
    if (route === "invoke" && tool.eager_input_streaming !== undefined) {
      throw validation(
        `tools.${index}.custom.eager_input_streaming: Extra inputs are not permitted`,
      );
    }
  }
  const userId = object(body.metadata).user_id;
  if (
    route !== "invoke" && typeof userId === "string" &&
    !/^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/.test(userId)
  ) {
    throw validation("metadata.user_id: String should match pattern");
  }
  checkBetaFields(body, modelId, betas);
  checkModel({
    modelId,
    messages: objects(body.messages),
    thinking: body.thinking,
    forced: conversation.mustCall,
    temperature: body.temperature,
    topP: body.top_p,
    topK: body.top_k,
    maxTokens: body.max_tokens,
  });
  if (object(body.output_config).format !== undefined) {
    if (route === "mantle" || !takesFormats(modelId)) {
      throw validation("output_config.format: Extra inputs are not permitted");
    }
  }
  checkMarks(body, modelId.replace(/^.*?(?=anthropic\.)/, ""));
  checkSignatures(conversation);
}
