/**
 * Reads config.yaml: text, variables, schema; every fault with its place; frozen afterwards.
 * @module
 */
import { dirname, isAbsolute, resolve } from "node:path";
import { type Document, isScalar, LineCounter, parseDocument, visit } from "yaml";
import type { z } from "zod";
import { nearest } from "../text/nearest.ts";
import { type Env, substitute, type Substitution } from "./environment.ts";
import { ConfigError, type ConfigIssue } from "./error.ts";
import { type ConfigPath, locate, type Place, placeOf } from "./locate.ts";
import { knownKeys } from "./known_keys.ts";
import { type Config, configSchema, type StoreConfig } from "./schema.ts";

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
  /** The number or truth value that a variable at this place spells; undefined where none stands. */
  typed(path: ConfigPath): number | boolean | undefined;
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
    this.document = parseDocument(text, {
      lineCounter: this.lines,
      prettyErrors: false,
      logLevel: "error",
    });
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

  /** In `{ … }` and `[ … ]` YAML takes the brace of a variable for its own; `*` it takes for an alias's. */
  #hint(offset: number): string {
    const start = this.#text.lastIndexOf("\n", offset) + 1;
    const line = this.#text.slice(start, offset + 80).split("\n", 1)[0] ?? "";
    if (/[{[].*\$\{/.test(line)) return ": put quotes around a ${…} inside { } or [ ]";
    return /(^|[\s,{[])\*/.test(line) ? ": put quotes around a text that begins with *" : "";
  }

  aliasIssues(): ConfigIssue[] {
    const issues: ConfigIssue[] = [];
    visit(this.document, {
      Alias: (_, node) => {
        if (node.resolve(this.document) !== undefined) return;
        const place = placeOf(this.lines, node.range?.[0] ?? 0);
        const message =
          `no anchor &${node.source} stands before *${node.source}: put quotes around a text that begins with *`;
        issues.push(this.at(place, [], message));
      },
    });
    return issues;
  }

  variableIssues({ faults }: Substitution): ConfigIssue[] {
    return faults.map(({ node, path, message }) =>
      this.at(placeOf(this.lines, node.range?.[0] ?? 0), path, message)
    );
  }

  /** @throws {ConfigError} When anchors are used so often that the text stands for far more than it says */
  values(): unknown {
    try {
      return this.document.toJS() ?? {};
    } catch (cause) {
      const message = "anchors are used too often: write out what they stand for";
      throw new ConfigError([this.issue([], message)], { cause });
    }
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
    const typed = typedVariable(node, whole);
    if (typed === undefined || !isScalar(node)) continue;
    node.value = typed;
    changed = true;
  }
  return changed;
}

/** A value that was one variable, as YAML reads its text; undefined if that is no number and no truth value. */
function typedVariable(node: unknown, whole: Substitution["whole"]): number | boolean | undefined {
  if (!isScalar(node) || !whole.has(node) || typeof node.value !== "string") return undefined;
  const { contents, errors } = parseDocument(node.value);
  if (errors.length > 0 || !isScalar(contents)) return undefined;
  const { value } = contents;
  return typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

function validate(source: Source, whole: Substitution["whole"]): z.ZodSafeParseResult<Config> {
  const first = configSchema.safeParse(source.values());
  if (first.success || !retype(source, first.error.issues, whole)) return first;
  return configSchema.safeParse(source.values());
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Of the forms that a value may have, the faults of the one that its kind makes it; else the fault as it is. */
function narrow(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const meant = issue.errors.filter((faults) =>
    !faults.some(({ code, path }) => code === "invalid_type" && path.length === 0)
  );
  const [faults] = meant;
  if (faults === undefined || meant.length > 1) return [issue];
  return faults.flatMap((fault) => narrow({ ...fault, path: [...issue.path, ...fault.path] }));
}

function issuesOf(issue: z.core.$ZodIssue, source: Source): ConfigIssue[] {
  const path = pathOf(issue);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      // Another form of the same map may have the very key: it is no hint here.
      const use = source.document.getIn([...path, "use"]);
      const known = knownKeys(path, use).filter((name) => name !== key);
      const [near] = nearest(key, known, 1);
      const meant = near === undefined
        ? `known here: ${known.join(", ")}`
        : `did you mean '${near}'?`;
      return source.issue([...path, key], `unknown key '${key}': ${meant}`);
    });
  }
  const value: unknown = source.document.getIn(path);
  const message = issue.message.replace(/^Invalid (input|option): /, "");
  if (typeof value === "object") return [source.issue(path, message)];
  const actual = value === undefined ? "nothing is there" : `it is ${shown(value)}`;
  return [source.issue(path, `${message}: ${actual}`)];
}

/** Without those at a variable that is at fault already. */
function schemaIssues(
  { error }: z.ZodSafeParseResult<Config>,
  source: Source,
  { faults }: Substitution,
): ConfigIssue[] {
  const told = new Set<unknown>(faults.map(({ node }) => node));
  return (error?.issues ?? []).flatMap(narrow)
    .filter((issue) => !told.has(source.document.getIn(pathOf(issue), true)))
    .flatMap((issue) => issuesOf(issue, source));
}

function freezeDeep<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freezeDeep);
  }
  return value;
}

/** With the store's own path, and the journal's, which by default stands beside it. */
function resolveStore(store: StoreConfig, absolute: (path: string) => string): StoreConfig {
  if (store.use === "memory") return store;
  const { journal } = store;
  const own = journal === null || journal === "auto" ? null : absolute(journal);
  if (store.use === "dynamodb") {
    return { ...store, journal: journal === "auto" ? absolute("./outcrop.journal") : own };
  }
  const path = absolute(store.path);
  const beside = path === ":memory:" ? null : `${path.replace(/\.db$/, "")}.journal`;
  return { ...store, path, journal: journal === "auto" ? beside : own };
}

/** Relative paths in a file are relative to it, wherever the command runs. */
function resolvePaths(config: Config, base: string): Config {
  const absolute = (path: string) =>
    isAbsolute(path) || path === ":memory:" ? path : resolve(base, path);
  return {
    ...config,
    store: resolveStore(config.store, absolute),
    pricing: config.pricing === null ? null : absolute(config.pricing),
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
  for (const broken of [source.syntaxIssues(), source.aliasIssues()]) {
    if (broken.length > 0) throw new ConfigError(broken);
  }
  const substitution = substitute(source.document, env);
  const parsed = validate(source, substitution.whole);
  const issues = [
    ...source.variableIssues(substitution),
    ...schemaIssues(parsed, source, substitution),
  ];
  if (!parsed.success || issues.length > 0) throw new ConfigError(issues);
  const base = dirname(resolve(file));
  return {
    config: freezeDeep(resolvePaths(parsed.data, base)),
    file,
    base,
    locate: (path) => locate(source.document, source.lines, path),
    typed: (path) => typedVariable(source.document.getIn(path, true), substitution.whole),
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
      : `the file cannot be read: ${
        error instanceof Error ? error.message : String(error)
      }. See that it is a file that may be read, or name another with --config`;
    throw new ConfigError([{ file, line: 1, column: 1, path: "", message }], { cause: error });
  }
  return parseConfig(text, { file, env });
}
