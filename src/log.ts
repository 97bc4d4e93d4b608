/**
 * The log: structured lines on stderr, with secrets replaced before a line is written.
 * @module
 */
import {
  configureSync,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type Logger,
  type LogRecord,
} from "@logtape/logtape";
import { redactByPattern, type RedactionPattern } from "@logtape/redaction";

/** Named facts of a log line, e.g. `{ plugin: "auth", request: "req_…" }`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** How grave a line is. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** Where lines are written to. Never give it keys, secrets or message contents. */
export interface Log {
  /** For whoever looks for a fault: off by default. */
  debug(message: string, fields?: LogFields): void;
  /** What happened. */
  info(message: string, fields?: LogFields): void;
  /** What somebody should look at. */
  warning(message: string, fields?: LogFields): void;
  /** What failed. */
  error(message: string, fields?: LogFields): void;
  /** The same log, with these fields on every line. */
  with(fields: LogFields): Log;
}

/** How the log is written. */
export interface LogOptions {
  /** Lines below it are not written. */
  level: LogLevel;
  /** `text` for people, `json` for collectors: one object a line. */
  format: "text" | "json";
  /** Takes one line, with its line end. @default writes to stderr */
  write?: (line: string) => void;
}

const REDACTED = "[redacted]";

/** Texts that are secrets by their look, wherever they turn up. */
const SECRET_PATTERNS: RedactionPattern[] = [
  { pattern: /sk-(?:oc|ant)-[A-Za-z0-9_-]{4,}/g, replacement: `sk-${REDACTED}` },
  { pattern: /\b(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=_-]{8,}/g, replacement: REDACTED },
  {
    pattern: /(\bBearer\s+|Signature=|X-Amz-Security-Token=)[^\s,"&]+/gi,
    replacement: `$1${REDACTED}`,
  },
];

const encoder = new TextEncoder();

function writeToStderr(line: string): void {
  const bytes = encoder.encode(line);
  let written = 0;
  while (written < bytes.length) written += Deno.stderr.writeSync(bytes.subarray(written));
}

class LogtapeLog implements Log {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  debug(message: string, fields?: LogFields): void {
    this.#logger.debug(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#logger.info(message, fields);
  }

  warning(message: string, fields?: LogFields): void {
    this.#logger.warn(message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#logger.error(message, fields);
  }

  with(fields: LogFields): Log {
    return new LogtapeLog(this.#logger.with(fields));
  }
}

/** An error as fields a log can print: name, message, stack, and its causes. */
export function errorFields(error: unknown, depth: number = 0): LogFields {
  if (!(error instanceof Error)) return { message: String(error) };
  const fields = { name: error.name, message: error.message, stack: error.stack };
  if (error.cause === undefined || depth > 4) return fields;
  return { ...fields, cause: errorFields(error.cause, depth + 1) };
}

type ErrorFields = Readonly<Record<"name" | "message" | "stack", string>> & { cause?: ErrorFields };

function isErrorFields(value: unknown): value is ErrorFields {
  return typeof value === "object" && value !== null && "message" in value && "stack" in value;
}

/** An error in one line, the first cause last; where it was thrown is for grave lines only. */
function errorText(error: ErrorFields, level: LogRecord["level"]): string {
  const causes = [error];
  for (let last = error; last.cause !== undefined; causes.push(last)) last = last.cause;
  const told = causes.map(({ name, message }) => textOf(`${name}: ${message}`)).join(" <- ");
  const grave = level === "error" || level === "fatal";
  return grave ? `${told}\n${framesOf(causes.at(-1)?.stack ?? "")}` : told;
}

/** The places in a stack, without the message that stands before them. */
function framesOf(stack: string): string {
  return stack.split("\n").filter((line) => line.startsWith("    at ")).map(textOf).join("\n");
}

/** A client's own words must not begin a line of their own, which would look like one of ours. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;

function textOf(value: string): string {
  return CONTROL.test(value) ? inJson(value) : value;
}

/** JSON without the line ends that it lets stand as they are. */
function inJson(value: unknown): string {
  return String(JSON.stringify(value)).replace(
    /[\x7f-\x9f\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function textValue(value: unknown, level: LogRecord["level"]): string {
  if (typeof value === "string") return textOf(value);
  return isErrorFields(value) ? errorText(value, level) : inJson(value);
}

/** The fields that the message does not hold already. */
function textLine({ properties, rawMessage, level }: LogRecord): string {
  return Object.entries(properties)
    .filter(([name]) => !String(rawMessage).includes(`{${name}}`))
    .map(([name, value]) => `${name}=${textValue(value, level)}`)
    .join(" ");
}

/**
 * Opens the program's log. The last one opened is the one in force: the process has a single log.
 *
 * @example
 * ```ts
 * import { openLog } from "./log.ts";
 * const lines: string[] = [];
 * const log = openLog({ level: "info", format: "json", write: (line) => lines.push(line) });
 * log.info("Refused a key", { key: "sk-oc-abcdefgh" });
 * if (lines.join("").includes("abcdefgh")) throw new Error("the key is in the log");
 * ```
 */
export function openLog(options: LogOptions): Log {
  const write = options.write ?? writeToStderr;
  const plain = options.format === "json"
    ? getJsonLinesFormatter({ message: "template" })
    : getTextFormatter({
      timestamp: "time",
      level: "abbr",
      value: (value, inspect) => typeof value === "string" ? textOf(value) : inspect(value),
      format: ({ timestamp, level, message, record }) =>
        `${timestamp} ${level} ${message} ${textLine(record)}`.trimEnd(),
    });
  const format = redactByPattern(plain, SECRET_PATTERNS);
  configureSync({
    reset: true,
    sinks: { lines: (record: LogRecord) => write(format(record)) },
    loggers: [
      { category: "outcrop", sinks: ["lines"], lowestLevel: options.level },
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "error" },
    ],
  });
  return new LogtapeLog(getLogger("outcrop"));
}

const MINUTE_MS = 60_000;

/** A log of what may go wrong at each request: each message at most once a minute. */
export class MinuteLog {
  readonly #log: Log;
  readonly #clock: { monotonic(): number };
  readonly #told = new Map<string, { at: number; since: number }>();

  /** Writes to `log`. */
  constructor(log: Log, clock: { monotonic(): number }) {
    this.#log = log;
    this.#clock = clock;
  }

  /** See {@link Log.warning}. */
  warning(message: string, fields: LogFields = {}): void {
    this.#tell("warning", message, fields);
  }

  /** See {@link Log.error}. */
  error(message: string, fields: LogFields = {}): void {
    this.#tell("error", message, fields);
  }

  /** `times` tells how often it was since the last line. */
  #tell(level: "warning" | "error", message: string, fields: LogFields): void {
    const now = this.#clock.monotonic();
    const last = this.#told.get(message);
    if (last !== undefined && now - last.at < MINUTE_MS) {
      last.since++;
      return;
    }
    this.#told.set(message, { at: now, since: 0 });
    const times = (last?.since ?? 0) + 1;
    this.#log[level](message, times === 1 ? fields : { ...fields, times });
  }
}
