/**
 * config.yaml: its one schema. Types, defaults, error messages and the editors' JSON Schema come from here.
 * @module
 */
import { z } from "zod";

/** The pipeline when config.yaml lists no plugins. */
export const DEFAULT_PLUGINS: readonly string[] = [
  "auth",
  "rate_limit", // what is refused here holds no part of a budget
  "budget",
  "tier",
  "prompt_cache",
  "usage",
];

const serviceTier = z.enum(["default", "priority", "flex", "reserved"]);
const route = z.enum(["invoke", "messages", "mantle", "converse"]);
const region = z.string().regex(
  /^[a-z]{2}(-[a-z]+)+-\d$/,
  "expected an AWS region such as us-east-1",
);
const url = z.url({ protocol: /^https?$/, error: "expected an http(s) URL" });

/** More threads than any machine has cores are a slip of the pen. */
const MOST_WORKERS = 256;
const WORKERS = `expected a whole number from 1 to ${MOST_WORKERS}, or auto: one for each core`;

const listen = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").describe("Address to listen on."),
  port: z.int().min(0).max(65_535).default(8000).describe("Port; 0 takes any free one."),
  workers: z.union([z.int().min(1, WORKERS).max(MOST_WORKERS, WORKERS), z.literal("auto")], {
    error: WORKERS,
  })
    .default(1).describe("How many workers serve the port; auto: one for each core."),
}).prefault({});

const aws = z.strictObject({
  region: region.default("us-east-1").describe("Region of the Bedrock endpoints."),
  endpoint: z.union([
    url,
    z.strictObject({
      runtime: url.optional().describe("Base URL of bedrock-runtime."),
      mantle: url.optional().describe("Base URL of bedrock-mantle."),
      control: url.optional().describe("Base URL of the control plane."),
    }),
  ], { error: "expected one base URL, or { runtime, mantle, control }" }).nullable().default(null)
    .describe("Base URL instead of AWS's: a VPC endpoint, or the simulator."),
  profile: z.string().min(1).nullable().default(null).describe("Profile of the AWS config files."),
  role_arn: z.string().regex(
    /^arn:aws[a-z-]*:iam::\d{12}:role\//,
    "expected the ARN of an IAM role",
  )
    .nullable().default(null).describe("Role to assume with the credentials found."),
}).prefault({});

const seconds = (most: number) => z.number().min(0.01).max(most);
const deadlineFields = {
  connect_s: seconds(60).describe("Seconds to a connection, TLS included."),
  first_byte_s: seconds(3_600).describe("Seconds to a stream's first event."),
  idle_s: seconds(3_600).describe("Seconds of silence within an answer."),
  whole_s: seconds(3_600).describe("Seconds to an answer that does not stream."),
  total_s: seconds(86_400).describe("Seconds for all of it: tries, fallbacks, and the answer."),
};
const deadlines = z.strictObject({
  connect_s: deadlineFields.connect_s.default(4),
  first_byte_s: deadlineFields.first_byte_s.default(300),
  idle_s: deadlineFields.idle_s.default(300),
  whole_s: deadlineFields.whole_s.default(600),
  total_s: deadlineFields.total_s.default(3_600),
}).prefault({});

const alias = z.union([
  z.string().min(1),
  z.strictObject({
    model: z.string().min(1).describe("Bedrock model id, profile id, ARN or built-in name."),
    route: route.optional().describe("Route, instead of the family's own."),
    tier: serviceTier.optional().describe("Service tier; not for the fallbacks."),
    fallback: z.array(z.string().min(1)).optional().describe(
      "Models to ask when this one cannot answer.",
    ),
    base_model: z.string().min(1).optional().describe(
      "Foundation model of an ARN that does not tell it.",
    ),
    region: z.string().min(1).optional().describe("Region, instead of aws.region."),
    deadlines: z.strictObject(deadlineFields).partial().optional().describe(
      "Deadlines over limits.deadlines; for the fallbacks too.",
    ),
  }),
], {
  error: "expected a model, or { model, route, tier, fallback, base_model, region, deadlines }",
});

const BETA_RULES =
  "expected forward, drop or another name, or a list of { models, routes, action }";
const betaAction = z.string().regex(/^[\w.:-]{1,128}$/, BETA_RULES).describe(
  "forward, drop, or the name to send instead.",
);
const betaRules = z.array(z.strictObject({
  models: z.string().min(1).optional().describe("Glob over the foundation model's id."),
  routes: z.array(route).min(1).optional().describe("Routes it holds on; all where absent."),
  action: betaAction,
})).min(1).describe("First match wins.");

const models = z.strictObject({
  claude_route: route.default("invoke").describe("How Claude models are called."),
  profile: z.string().regex(
    /^[a-z]{2,8}(-[a-z]+)?$/,
    "expected auto, global or a geography such as us",
  )
    .default("auto").describe("Inference-profile prefix that a bare Claude name gets."),
  betas: z.record(z.string().min(1), z.union([betaAction, betaRules], { error: BETA_RULES }))
    .default({}).describe("What becomes of betas, over the built-in table; * matches any text."),
  aliases: z.record(z.string().min(1), alias).default({}).describe(
    "Names of your own; * matches any text.",
  ),
}).prefault({});

const tiers = z.strictObject({
  default: serviceTier.default("default").describe("Service tier where no rule matches."),
  rules: z.array(z.strictObject({
    models: z.string().min(1).describe("Glob over the resolved Bedrock id."),
    tier: serviceTier.describe("Service tier for them."),
  })).default([]).describe("First match wins."),
}).prefault({});

/** What goes with every store that outlives the process. */
const kept = {
  journal: z.string().min(1).nullable().default("auto").describe(
    "Folder that keeps what requests leave until the store has it; auto = beside the store; null = none.",
  ),
  journal_mb: z.int().min(8).max(1_000_000).default(1_024).describe(
    "Most that the journal may hold; beyond it sums are kept and records dropped.",
  ),
  keys_valid_while_down: z.string().regex(
    /^[1-9]\d{0,5}[smhdw]$/,
    "expected a duration such as 30s, 15m or 12h",
  ).default("15m").describe(
    "How long keys that are known are taken while the store does not answer.",
  ),
};

const store = z.discriminatedUnion("use", [
  z.strictObject({ use: z.literal("memory") }),
  z.strictObject({
    use: z.literal("deno_kv"),
    path: z.string().min(1).default("./outcrop.db").describe("The database's file."),
    ...kept,
  }),
  z.strictObject({
    use: z.literal("dynamodb"),
    table: z.string().regex(
      /^[\w.-]{3,255}$/,
      "expected 3 to 255 letters, digits, '_', '-' or '.': DynamoDB's rule",
    ).default("outcrop").describe("The table; `outcrop store init` makes it."),
    prefix: z.string().max(200).default("").describe(
      "What every partition key begins with: gateways with different ones can share a table.",
    ),
    endpoint: url.nullable().default(null).describe(
      "Base URL instead of AWS's: a VPC endpoint, DynamoDB Local.",
    ),
    region: region.nullable().default(null).describe("Region of the table; null = aws.region."),
    ...kept,
  }),
], { error: "expected use: memory, use: deno_kv or use: dynamodb" }).prefault({ use: "deno_kv" });

const plugin = z.strictObject({
  use: z.string().min(1).describe("Name of a built-in plugin, or path of a file."),
  with: z.unknown().optional().describe("Its settings."),
  on_error: z.enum(["reject", "continue"]).optional().describe(
    "What a failing hook does to its request; the plugin's own choice when absent, which is reject unless it says so.",
  ),
  timeout_ms: z.int().min(1).max(600_000).optional().describe(
    "Deadline of each hook; the plugin's own when absent, which is 2000 unless it says other.",
  ),
});

const limits = z.strictObject({
  body_mb: z.number().positive().max(256).default(32).describe("Largest request body."),
  body_within_s: z.number().min(1).max(3_600).default(120).describe(
    "Seconds in which a request body must arrive.",
  ),
  commit_after_s: z.number().min(1).max(45).default(20).describe(
    "Seconds a streamed answer's status waits for Bedrock's first frame.",
  ),
  ping_after_s: z.number().min(1).max(45).default(10).describe(
    "Seconds of silence after which a stream pings.",
  ),
  retries: z.int().min(0).max(10).default(2).describe("Further tries before the first byte."),
  retry_for_s: z.number().min(0).max(300).default(8).describe(
    "Seconds within which another try may begin.",
  ),
  deadlines: deadlines.describe("How long Bedrock may take; an alias may say other."),
  in_flight: z.int().min(1).max(1_000_000).default(4_000).describe("Requests served at a time."),
  buffered_mb: z.number().min(1).max(1_048_576).default(256).describe(
    "Bytes of request bodies held at a time.",
  ),
  drain_s: z.number().min(0).max(3_600).default(25).describe(
    "Seconds that open answers get when the server stops.",
  ),
}).prefault({});

const log = z.strictObject({
  level: z.enum(["debug", "info", "warning", "error"]).default("info").describe(
    "Lines below it are left out.",
  ),
  format: z.enum(["text", "json"]).default("text").describe(
    "text for people, json for collectors.",
  ),
}).prefault({});

/** The schema of config.yaml. */
export const configSchema = z.strictObject({
  listen: listen.describe("Where the server listens."),
  aws: aws.describe("Which AWS account and endpoints."),
  models: models.describe("What model names mean."),
  tiers: tiers.describe("Bedrock service tiers."),
  store: store.describe("Where keys and usage are kept."),
  pricing: z.string().min(1).nullable().default(null).describe(
    "A file of prices in the place of the built-in one.",
  ),
  plugins: z.array(plugin).default(() => DEFAULT_PLUGINS.map((use) => plugin.parse({ use })))
    .describe("The pipeline, in order."),
  limits: limits.describe("Sizes and times."),
  log: log.describe("What is logged, and how."),
}).superRefine((config, { addIssue }) => {
  if (config.store.use !== "memory" || config.listen.workers === 1) return;
  const message = "expected a store that workers share, such as deno_kv, or listen.workers: 1: " +
    "each worker would have keys and limits of its own";
  addIssue({ code: "custom", path: ["store", "use"], input: "memory", message });
});

/** A checked configuration. */
export type Config = z.output<typeof configSchema>;
/** One entry of the pipeline. */
export type PluginEntry = z.output<typeof plugin>;
/** Where keys and usage are kept. */
export type StoreConfig = z.output<typeof store>;
/** Bedrock's service tiers (Bedrock User Guide, Service tiers; [D]). */
export type ServiceTier = z.output<typeof serviceTier>;
/** Ways to a model. */
export type Route = z.output<typeof route>;
/** How long Bedrock may take, in seconds. */
export type DeadlineSeconds = z.output<typeof deadlines>;
/** What an alias says. */
export type Alias = z.output<typeof alias>;

/** JSON Schema of config.yaml, for editors. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(configSchema, { io: "input" });
}
