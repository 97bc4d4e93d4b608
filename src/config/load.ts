/**
 * Reads config.yaml: text, variables, schema; every fault with its place; frozen afterwards.
 * @module
 */
import { dirname, isAbsolute, resolve } from "node:path";
import { type Document, isScalar, LineCounter, parse, parseDocument } from "yaml";
import type { z } from "zod";
import { nearest } from "../text/nearest.ts";
import { type Env, substitute, type Substitution } from "./environment.ts";
import { ConfigError, type ConfigIssue } from "./error.ts";
import { type ConfigPath, locate, type Place, placeOf } from "./locate.ts";
import { knownKeys } from "./known_keys.ts";
import { type Config, configSchema } from "./schema.ts";

export { ConfigError, type ConfigIssue };

/** A configuration, and the text it came from. */
export interface LoadedConfig {
  /** The configuration; frozen through and through. Paths in it are absolute. */
  readonly config: Config;
  /** The file, as it was named. */
  readonly file: string;
  /** Absolute path of the file's folder. */
  readonly base: string;
  /** The place of a key in the file. */
  locate(path: ConfigPath): Place;
}

/** Where a text comes from. */
export interface ParseOptions {
  /** Name for messages, and the base of relative paths. */
  file: string;
  /** Reads an environment variable. */
  env: Env;
}

class Source {
  readonly lines = new LineCounter();
  readonly document: Document;
  readonly #file: string;
  readonly #text: string;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#text = text;
    this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false });
  }

  at(place: Place, path: ConfigPath, message: string): ConfigIssue {
    return { file: this.#file, ...place, path: path.join("."), message };
  }

  issue(path: ConfigPath, message: string): ConfigIssue {
    return this.at(locate(this.document, this.lines, path), path, message);
  }

  syntaxIssues(): ConfigIssue[] {
    return this.document.errors.map((error) => {
      const message = error.code === "DUPLICATE_KEY"
        ? "this key stands twice: keep one"
        : `not valid YAML: ${error.message.replace(/\.$/, "")}${this.#hint(error.pos[0])}`;
      return this.at(placeOf(this.lines, error.pos[0]), [], message);
    });
  }

  /** In `{ … }` and `[ … ]` YAML takes the brace of a variable for its own. */
  #hint(offset: number): string {
    const start = this.#text.lastIndexOf("\n", offset) + 1;
    const line = this.#text.slice(start, offset + 80).split("\n", 1)[0] ?? "";
    return /[{[].*\$\{/.test(line) ? ": put quotes around a ${…} inside { } or [ ]" : "";
  }

  missingIssues({ missing }: Substitution): ConfigIssue[] {
    return missing.map(({ name, offset }) =>
      this.at(
        placeOf(this.lines, offset),
        [],
        `environment variable ${name} is not set: set it, or give a default as \${${name}:-default}`,
      )
    );
  }
}

function pathOf(issue: { path: readonly PropertyKey[] }): ConfigPath {
  return issue.path.map((key) => typeof key === "symbol" ? String(key) : key);
}

/** A variable is text; where the schema wants a number or a truth value, it is read as YAML would read it. */
function retype(
  source: Source,
  issues: readonly z.core.$ZodIssue[],
  whole: Substitution["whole"],
): boolean {
  let changed = false;
  for (const issue of issues) {
    const node = source.document.getIn(pathOf(issue), true);
    if (!isScalar(node) || !whole.has(node) || typeof node.value !== "string") continue;
    const typed: unknown = parse(node.value);
    if (typeof typed !== "number" && typeof typed !== "boolean") continue;
    node.value = typed;
    changed = true;
  }
  return changed;
}

function validate(source: Source, whole: Substitution["whole"]): z.ZodSafeParseResult<Config> {
  const values = () => source.document.toJS() ?? {};
  const first = configSchema.safeParse(values());
  if (first.success || !retype(source, first.error.issues, whole)) return first;
  return configSchema.safeParse(values());
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function issuesOf(issue: z.core.$ZodIssue, source: Source): ConfigIssue[] {
  const path = pathOf(issue);
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(path);
    return issue.keys.map((key) => {
      const [near] = nearest(key, known, 1);
      const meant = near === undefined
        ? `known here: ${known.join(", ")}`
        : `did you mean '${near}'?`;
      return source.issue([...path, key], `unknown key '${key}': ${meant}`);
    });
  }
  const value: unknown = source.document.getIn(path);
  const actual = value === undefined
    ? "nothing is there"
    : `it is ${shown(isScalar(value) ? value.value : value)}`;
  const message = issue.message.replace(/^Invalid (input|option): /, "");
  return [
    source.issue(
      path,
      value !== undefined && typeof value === "object" ? message : `${message}: ${actual}`,
    ),
  ];
}

function freezeDeep<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freezeDeep);
  }
  return value;
}

/** Relative paths in a file are relative to it, wherever the command runs. */
function resolvePaths(config: Config, base: string): Config {
  const absolute = (path: string) =>
    isAbsolute(path) || path === ":memory:" ? path : resolve(base, path);
  const { store } = config;
  return {
    ...config,
    store: store.use === "deno_kv" ? { ...store, path: absolute(store.path) } : store,
    plugins: config.plugins.map((entry) =>
      entry.use.startsWith(".") ? { ...entry, use: absolute(entry.use) } : entry
    ),
  };
}

/**
 * Reads a configuration from text.
 *
 * @throws {ConfigError} With every fault and its place
 *
 * @example
 * ```ts
 * import { parseConfig } from "./load.ts";
 * const { config } = parseConfig("listen:\n  port: ${PORT:-9000}", { file: "config.yaml", env: () => undefined });
 * if (config.listen.port !== 9000) throw new Error("a variable takes the type that the schema wants");
 * ```
 */
export function parseConfig(text: string, { file, env }: ParseOptions): LoadedConfig {
  const source = new Source(text, file);
  const syntax = source.syntaxIssues();
  if (syntax.length > 0) throw new ConfigError(syntax);
  const substitution = substitute(source.document, env);
  const missing = source.missingIssues(substitution);
  if (missing.length > 0) throw new ConfigError(missing);
  const parsed = validate(source, substitution.whole);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.flatMap((issue) => issuesOf(issue, source)));
  }
  const base = dirname(resolve(file));
  return {
    config: freezeDeep(resolvePaths(parsed.data, base)),
    file,
    base,
    locate: (path) => locate(source.document, source.lines, path),
  };
}

/**
 * Reads a configuration file.
 *
 * @throws {ConfigError} With every fault and its place; also when the file cannot be read
 */
export function loadConfig(file: string, { env }: { env: Env }): LoadedConfig {
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (error) {
    const message = error instanceof Deno.errors.NotFound
      ? "the file is not there: 'outcrop init' writes one, --config names another"
      : `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConfigError([{ file, line: 1, column: 1, path: "", message }], { cause: error });
  }
  return parseConfig(text, { file, env });
}
