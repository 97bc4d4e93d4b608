/**
 * What this project takes from others: exact versions, each with its hash in `deno.lock`, each on a list with its
 * licence, none that a known advisory names.
 *
 * No service that knows advisories can be asked where this runs (`npm audit` is answered 405), so those that concern
 * packages of ours are kept as data in `advisories.json`, by hand: an entry there fails the check, its absence proves
 * nothing.
 * @module
 */

/** The parts of `deno.json` that are read. */
export interface Manifest {
  /** Names to specifiers. */
  readonly imports: Readonly<Record<string, string>>;
}

/** The parts of `deno.lock` that are read. */
export interface Lock {
  /** Packages, by name, version and peers. */
  readonly npm: Readonly<
    Record<string, { readonly integrity?: string; readonly scripts?: boolean }>
  >;
  /** What `deno.json` asks for. */
  readonly workspace: { readonly dependencies: readonly string[] };
}

/** One advisory. */
export interface Advisory {
  /** Package. */
  readonly package: string;
  /** Versions below it are meant, e.g. `4.9.6`. */
  readonly below: string;
  /** Its id. */
  readonly id: string;
}

/** What the check goes by. */
export interface DependencyFacts {
  /** `deno.json`. */
  readonly manifest: Manifest;
  /** `deno.lock`. */
  readonly lock: Lock;
  /** Packages that were looked at, with the licences of their versions. */
  readonly allowed: Readonly<Record<string, string | readonly string[]>>;
  /** Known advisories. */
  readonly advisories: readonly Advisory[];
  /** The licence that a package states of itself. */
  readonly licenceOf: (name: string, version: string) => string | undefined;
}

/** Licences that MIT-licensed software may be handed out with, without further duty than to keep their notes. */
const LICENCES = new Set([
  "MIT",
  "ISC",
  "0BSD",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "Unlicense",
  "(AFL-2.1 OR BSD-3-Clause)",
]);
const EXACT = /^npm:((?:@[\w.-]+\/)?[\w.-]+)@(\d+\.\d+\.\d+)$/;
const LOCKED = /^((?:@[\w.-]+\/)?[\w.-]+)@(\d+\.\d+\.\d+)(?:_|$)/;
/** Base64 of the 64 bytes of SHA-512. */
const INTEGRITY = /^sha512-[A-Za-z0-9+/]{86}==$/;
const LOCK_MEMBERS = new Set(["version", "specifiers", "npm", "workspace"]);

function isBelow(version: string, limit: string): boolean {
  const [parts, limits] = [version, limit].map((text) => text.split(".").map(Number));
  for (let at = 0; at < 3; at++) {
    const [part, most] = [parts?.[at] ?? 0, limits?.[at] ?? 0];
    if (part !== most) return part < most;
  }
  return false;
}

function ofManifest({ manifest, lock }: DependencyFacts): string[] {
  const asked = Object.values(manifest.imports);
  const loose = asked.filter((specifier) => !EXACT.test(specifier))
    .map((specifier) => `deno.json: ${specifier} must be npm:NAME@X.Y.Z, an exact version`);
  const locked = new Set(lock.workspace.dependencies);
  const missing = asked.filter((specifier) => !locked.has(specifier))
    .map((specifier) => `deno.lock: ${specifier} is not in it: run 'deno install'`);
  const strange = Object.keys(lock).filter((member) => !LOCK_MEMBERS.has(member))
    .map((member) => `deno.lock: '${member}' is something else than npm packages`);
  return [...loose, ...missing, ...strange];
}

function ofPackage(id: string, facts: DependencyFacts): string[] {
  const [, name = "", version = ""] = LOCKED.exec(id) ?? [];
  if (name === "") return [`deno.lock: ${id} is no NAME@X.Y.Z`];
  const findings: string[] = [];
  if (!INTEGRITY.test(facts.lock.npm[id]?.integrity ?? "")) {
    findings.push(`deno.lock: ${id} has no SHA-512 hash`);
  }
  const licence = facts.licenceOf(name, version);
  if (licence === undefined || !LICENCES.has(licence)) {
    findings.push(`${id}: its licence is ${licence ?? "not told"}: none that was looked at`);
  }
  const known = Object.hasOwn(facts.allowed, name) ? [facts.allowed[name]].flat() : [];
  if (!known.includes(licence)) {
    findings.push(
      `${id}: tests/lint/packages.json must list it: look at it, then add "${name}": "${licence}"`,
    );
  }
  for (const advisory of facts.advisories) {
    if (advisory.package === name && isBelow(version, advisory.below)) {
      findings.push(`${id}: ${advisory.id} asks for ${advisory.below} or later`);
    }
  }
  return findings;
}

/** What is wrong with the dependencies, one sentence each; empty when nothing is. */
export function dependencyFindings(facts: DependencyFacts): string[] {
  const packages = Object.keys(facts.lock.npm);
  const names = new Set(packages.map((id) => LOCKED.exec(id)?.[1] ?? ""));
  const gone = Object.keys(facts.allowed).filter((name) => !names.has(name))
    .map((name) => `tests/lint/packages.json: ${name} is no longer used: take it off the list`);
  return [...ofManifest(facts), ...packages.flatMap((id) => ofPackage(id, facts)), ...gone];
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await Deno.readTextFile(new URL(`../../${path}`, import.meta.url)));
}

/** The folder of npm packages in the runtime's cache. */
async function npmFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  return `${npmCache}/registry.npmjs.org`;
}

/** The licence in a package's own package.json, in the present form or the old one. */
function statedLicence(text: string): string | undefined {
  const { license, licenses } = JSON.parse(text);
  const stated = license ?? licenses?.[0];
  return typeof stated === "object" ? stated?.type : stated;
}

/** The facts of this project, as they are. */
export async function dependencyFacts(): Promise<DependencyFacts> {
  const folder = await npmFolder();
  return {
    manifest: await readJson("deno.json") as Manifest,
    lock: await readJson("deno.lock") as Lock,
    allowed: await readJson("tests/lint/packages.json") as DependencyFacts["allowed"],
    advisories: await readJson("tests/lint/advisories.json") as Advisory[],
    licenceOf(name, version) {
      try {
        return statedLicence(Deno.readTextFileSync(`${folder}/${name}/${version}/package.json`));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined; // not installed: run 'deno install'
        throw error;
      }
    },
  };
}
