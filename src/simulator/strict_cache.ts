/**
 * Refuses cache marks that Bedrock refuses, whichever wire they came by.
 *
 * Source: Bedrock User Guide, Prompt caching; exact wording as recorded.
 * @module
 */
import { type Json, object, objects } from "./conversation.ts";
import { CoralError, validation } from "./coral.ts";

const MOST = 4;
const CACHES = /^(anthropic|amazon\.nova)/;
/** The 4.5 generation and later. */
const AN_HOUR = /^anthropic\.claude-((opus|sonnet|haiku)-4-[5-9]|[a-z]+-[5-9])/;
const SIMULATED = /sim[.-]/;

function checkPoints(ttls: readonly unknown[], modelId: string): void {
  if (ttls.length > MOST) {
    throw validation(
      `A maximum of ${MOST} blocks with cache_control may be provided. Found ${ttls.length}.`,
    );
  }
  if (ttls.includes("1h") && !AN_HOUR.test(modelId) && !SIMULATED.test(modelId)) {
    throw validation("cache_control.ephemeral.ttl: Extra inputs are not permitted");
  }
  const firstShort = ttls.findIndex((ttl) => ttl !== "1h");
  if (firstShort >= 0 && ttls.slice(firstShort).includes("1h")) {
    throw validation(
      "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    );
  }
}

/**
 * Checks the marks of an Anthropic body.
 *
 * @throws {CoralError} In Bedrock's words
 */
export function checkMarks(body: Json, modelId: string): void {
  const inside = (block: Json): Json[] => [...objects(block.content).flatMap(inside), block];
  const marked = [
    ...objects(body.tools),
    ...objects(body.system),
    ...objects(body.messages),
    ...body.cache_control === undefined ? [] : [{ cache_control: body.cache_control }],
  ].flatMap(inside).map(({ cache_control }) => object(cache_control))
    .filter(({ type }) => type !== undefined);
  checkPoints(marked.map(({ ttl }) => ttl), modelId);
}

/**
 * Checks the points of a Converse body.
 *
 * @throws {CoralError} In Bedrock's words
 */
export function checkCachePoints(body: Json, modelId: string): void {
  const tools = objects(object(body.toolConfig).tools);
  const places = [
    tools,
    objects(body.system),
    ...objects(body.messages).map(({ content }) => objects(content)),
  ];
  const points = places.flat().filter(({ cachePoint }) => cachePoint !== undefined);
  if (points.length === 0) return;
  const ofTools = tools.some(({ cachePoint }) => cachePoint !== undefined);
  if (!CACHES.test(modelId) || (modelId.startsWith("amazon.") && ofTools)) {
    throw new CoralError(
      "AccessDeniedException",
      "You invoked an unsupported model or your request did not allow prompt caching.",
    );
  }
  if (places.some(([first]) => first?.cachePoint !== undefined)) {
    throw validation("There is nothing available to cache");
  }
  checkPoints(points.map(({ cachePoint }) => object(cachePoint).ttl), modelId);
}
