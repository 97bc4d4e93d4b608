/**
 * What `outcrop doctor` checks of models: each is asked for a few tokens, as a client's request would be. Nothing
 * less shows that rights, quota, region, profile and route all fit.
 * @module
 */
import { BedrockError } from "../../bedrock/errors.ts";
import type { Alias, Config } from "../../config/schema.ts";
import type { Services } from "../../server/services.ts";
import { compileGlob } from "../../text/glob.ts";
import { type Finding, messageOf } from "./finding.ts";

/** What is asked for where a configuration names no model: what every Claude client asks for now and then. */
const USUAL_MODEL = "claude-haiku-4-5";
const ANSWER_WITHIN_MS = 30_000;
/** Asked for at a time. */
const AT_ONCE = 4;
/** No model takes fewer. */
const MOST_TOKENS = 16;

/** Aliases of config.yaml. */
export type Aliases = Config["models"]["aliases"];

/** Aliases by which each model can be asked alone: without fallbacks, each of which is a name of its own. */
export function aliasesOfOneModel(aliases: Aliases): Aliases {
  const alone: Record<string, Alias> = {};
  const globs = Object.keys(aliases).map(compileGlob);
  for (const [name, alias] of Object.entries(aliases)) {
    if (typeof alias === "string") {
      alone[name] = alias;
      continue;
    }
    const { fallback = [], ...own } = alias;
    alone[name] = own;
    for (const model of fallback) {
      if (!globs.some((glob) => glob.matches(model))) alone[model] = model;
    }
  }
  return alone;
}

/** Asks each model behind the aliases, or those that are named. */
export async function checkModels(
  services: Services,
  named: readonly string[] | undefined,
): Promise<Finding[]> {
  const names = named?.map((name) => ({ alias: name, name })) ?? namesOf(services);
  const findings: Finding[] = [];
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = names.slice(at, at + AT_ONCE);
    findings.push(...await Promise.all(some.map((name) => checkModel(services, name))));
  }
  return findings;
}

/** What is asked for, and what the report calls it. */
interface Asked {
  /** As config.yaml writes it. */
  readonly alias: string;
  /** A name that it matches. */
  readonly name: string;
}

/** A name for each model and way to it. */
function namesOf(services: Services): Asked[] {
  const { config, models } = services;
  const aliases = Object.keys(config.models.aliases);
  if (aliases.length === 0) return [{ alias: USUAL_MODEL, name: USUAL_MODEL }];
  const ways = new Map<string, Asked>();
  for (const alias of aliases) {
    const name = alias.replaceAll("*", "x");
    const [profile] = models.unknownProfiles(name);
    const way = profile ?? wayOf(services, name);
    if (!ways.has(way)) ways.set(way, { alias, name });
  }
  return [...ways.values()];
}

function wayOf({ models }: Services, name: string): string {
  const { modelId, route, region, tier } = models.resolve(name).target;
  return `${modelId} by ${route} in ${region}${tier === undefined ? "" : `, tier ${tier}`}`;
}

async function checkModel(services: Services, asked: Asked): Promise<Finding> {
  const { alias, name } = asked;
  const check = "model";
  try {
    await ask(services, name);
    return { check, status: "ok", message: `${alias}: ${wayOf(services, name)} answers` };
  } catch (error) {
    return { check, ...failureOf(services, asked, error) };
  }
}

async function ask({ bedrock, log }: Services, model: string): Promise<void> {
  const body = {
    model,
    max_tokens: MOST_TOKENS,
    stream: true,
    messages: [{ role: "user" as const, content: "Say OK" }],
  };
  const question = {
    raw: new TextEncoder().encode(JSON.stringify(body)),
    original: body,
    body,
    betas: [],
    refusedBetas: [],
    refusedFields: [],
    refused: [],
    messageId: "msg_doctor",
  };
  const gone = new AbortController();
  const cancel = setTimeout(
    () => gone.abort(new Error(`No answer within ${ANSWER_WITHIN_MS / 1_000} s`)),
    ANSWER_WITHIN_MS,
  );
  try {
    const { signal } = gone;
    const answer = await bedrock.ask(question, {
      model,
      tier: undefined,
      signal,
      log,
      patienceMs: 0,
    });
    if (answer.kind === "stream") answer.batches.cancel(); // that it begins is enough
  } finally {
    clearTimeout(cancel);
  }
}

function failureOf(
  services: Services,
  { alias, name }: Asked,
  error: unknown,
): Pick<Finding, "status" | "message"> {
  if (!(error instanceof BedrockError)) {
    return { status: "failed", message: `${alias}: ${messageOf(error)}` };
  }
  const told = `${alias}: ${wayOf(services, name)}: ${messageOf(error)}`;
  if (error.type === "rate_limit_error" || error.type === "overloaded_error") {
    return { status: "warning", message: `${told} (it is there, and busy)` };
  }
  return { status: "failed", message: `${told}: ${remedyOf(error)}` };
}

function remedyOf({ type, exception, elsewhere }: BedrockError): string {
  if (type === "permission_error") {
    return "allow bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream on it, and ask for access " +
      "to it in the Bedrock console";
  }
  if (exception === "ConnectionError" || type === "timeout_error") {
    return "see that the network leads there";
  }
  return elsewhere
    ? "see that the region has it, or name a profile, a region or a route that does"
    : "see in the model's documentation what it takes";
}
