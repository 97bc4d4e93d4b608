/**
 * What a plugin can do wrong, in each hook: a row for each.
 * @module
 */

/** Hooks that a request meets. */
export type RequestHook = "onRequest" | "onCall" | "onEvent" | "onComplete";

/** One thing that a plugin does wrong. */
export interface FaultRow {
  /** Where. */
  readonly hook: RequestHook;
  /** What, in words. */
  readonly fault: string;
  /** The hook's source. */
  readonly source: string;
  /** What the log tells of the cause. */
  readonly cause: RegExp;
  /** Whether time must pass for it to come to light. */
  readonly hangs?: boolean;
}

const FROZEN = /Cannot (assign to read only|add|delete|define) property|not extensible/;

/** A hook that does it in the middle of a text: `3` of what counts, `time` of "One word at a time, …". */
export function midway(statement: string): string {
  return `onEvent(event, ctx) { if (/3|time/.test(event.delta?.text)) { ${statement} } }`;
}

function inHook(hook: RequestHook, statement: string): string {
  return hook === "onEvent" ? midway(statement) : `${hook}(ctx) { ${statement} }`;
}

const HOOKS: readonly RequestHook[] = ["onRequest", "onCall", "onEvent", "onComplete"];
const ASYNC: readonly RequestHook[] = ["onRequest", "onCall", "onComplete"];

/** Faults that are the same in every hook: a statement of its body. */
const EVERYWHERE: readonly (readonly [fault: string, statement: string, cause: RegExp])[] = [
  ["throws", 'throw new Error("Secret inside");', /Secret inside/],
  ["throws no error", 'throw "Secret inside";', /Secret inside/],
  ["throws nothing", "throw undefined;", /undefined/],
  ["returns a number", "return 5;", /Cannot use what on\w+ returned/],
  ["returns false", "return false;", /Cannot use what on\w+ returned/],
  ["returns null", "return null;", /Cannot use what on\w+ returned/],
  ["calls what is not there", "ctx.refuse();", /ctx\.refuse is not a function/],
  ["changes the principal", 'ctx.principal.id = "master";', FROZEN],
  ["changes the key's record", 'ctx.principal.key.models = ["*"];', FROZEN],
  ["widens the key's models", 'ctx.principal.key.models.push("*");', FROZEN],
];

/** Faults of hooks that may be async: statements of an async body. */
const LATER: readonly (readonly [fault: string, statement: string, cause: RegExp])[] = [
  ["rejects", 'await null; throw new Error("Secret inside");', /Secret inside/],
  [
    "returns nonsense later",
    "await null; return { massage: 1 };",
    /Cannot use what on\w+ returned/,
  ],
];

const OWN: readonly FaultRow[] = [
  {
    hook: "onCall",
    fault: "returns half a message",
    source: 'onCall() { return { message: { type: "message" } }; }',
    cause: /Cannot use what onCall returned/,
  },
  {
    hook: "onCall",
    fault: "leaves an invalid body",
    source: 'onCall(ctx) { ctx.body = { ...ctx.body, max_tokens: "many" }; }',
    cause: /max_tokens/,
  },
  {
    hook: "onCall",
    fault: "leaves no model",
    source: "onCall(ctx) { ctx.model = 5; }",
    cause: /model that is no string/,
  },
  {
    hook: "onCall",
    fault: "changes the body in place",
    source: "onCall(ctx) { ctx.body.max_tokens = 1; }",
    cause: FROZEN,
  },
  {
    hook: "onCall",
    fault: "changes a message in place",
    source: 'onCall(ctx) { ctx.body.messages[0].content = "another"; }',
    cause: FROZEN,
  },
  {
    hook: "onCall",
    fault: "changes body, model and tier, and then throws",
    source: `onCall(ctx) {
      ctx.body = { ...ctx.body, max_tokens: 1 };
      ctx.model = "qwen.qwen3-32b-v1:0";
      ctx.tier = "flex";
      throw new Error("Secret inside");
    }`,
    cause: /Secret inside/,
  },
  {
    hook: "onRequest",
    fault: "says who it is, and then throws",
    source: `onRequest(ctx) {
      ctx.principal = { id: "master", name: "master" };
      throw new Error("Secret inside");
    }`,
    cause: /Secret inside/,
  },
  {
    hook: "onEvent",
    fault: "changes the event in place",
    source: midway('event.delta.text = "changed";'),
    cause: FROZEN,
  },
  {
    hook: "onEvent",
    fault: "changes the body in place",
    source: midway("ctx.body.max_tokens = 1;"),
    cause: FROZEN,
  },
  {
    hook: "onEvent",
    fault: "returns a promise",
    source: midway("return Promise.resolve(event);"),
    cause: /Cannot use what onEvent returned/,
  },
  {
    hook: "onEvent",
    fault: "returns a promise that rejects",
    source: midway('return Promise.reject(new Error("Secret inside"));'),
    cause: /Cannot use what onEvent returned/,
  },
  {
    hook: "onEvent",
    fault: "returns a list with no event in it",
    source: midway("return [event, 5];"),
    cause: /Cannot use what onEvent returned/,
  },
  {
    hook: "onComplete",
    fault: "changes the usage",
    source: "onComplete(ctx) { ctx.usage.output_tokens = 0; }",
    cause: FROZEN,
  },
  {
    hook: "onComplete",
    fault: "changes what is billed",
    source: "onComplete(ctx) { ctx.billed.nano_usd = 0; }",
    cause: FROZEN,
  },
  {
    hook: "onComplete",
    fault: "refuses what is over",
    source: 'onComplete(ctx) { ctx.reject("permission_error", "Too late"); }',
    cause: /ctx\.reject is not a function/,
  },
];

/**
 * All of them. `onEvent` cannot hang: it is sync, and what does not return stops the process, not a request.
 */
export const FAULTS: readonly FaultRow[] = [
  ...HOOKS.flatMap((hook) =>
    EVERYWHERE.map(([fault, statement, cause]) => ({
      hook,
      fault,
      source: inHook(hook, statement),
      cause,
    }))
  ),
  ...ASYNC.flatMap((hook) =>
    LATER.map(([fault, statement, cause]) => ({
      hook,
      fault,
      source: `async ${hook}(ctx) { ${statement} }`,
      cause,
    }))
  ),
  ...ASYNC.map((hook) => ({
    hook,
    fault: "hangs",
    source: `async ${hook}() { globalThis.seen.push("hangs"); await new Promise(() => {}); }`,
    cause: new RegExp(`${hook} must end within 500 ms: it still runs`),
    hangs: true,
  })),
  ...OWN,
];
