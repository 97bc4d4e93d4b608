import assert from "node:assert/strict";
import { type DependencyFacts, dependencyFacts, dependencyFindings } from "./dependencies.ts";

const HASH = `sha512-${"A".repeat(86)}==`;

/** A project with one package, with nothing wrong but what is changed. */
function project(changes: Partial<DependencyFacts> = {}): DependencyFacts {
  return {
    manifest: { imports: { a: "npm:a@1.2.3" } },
    lock: {
      npm: { "a@1.2.3": { integrity: HASH } },
      workspace: { dependencies: ["npm:a@1.2.3"] },
    },
    allowed: { a: "MIT" },
    advisories: [],
    licenceOf: () => "MIT",
    ...changes,
  };
}

const workspace = { dependencies: ["npm:a@1.2.3"] };

const WRONG: Record<string, [changes: Partial<DependencyFacts>, finding: RegExp]> = {
  "a range of versions": [{ manifest: { imports: { a: "npm:a@^1.2.3" } } }, /exact version/],
  "a module from the web": [
    { manifest: { imports: { a: "https://example.org/a.ts" } } },
    /must be npm:NAME@X.Y.Z/,
  ],
  "a package that is not locked": [
    { manifest: { imports: { a: "npm:a@1.2.4" } } },
    /npm:a@1\.2\.4 is not in it/,
  ],
  "a package without a hash": [{ lock: { npm: { "a@1.2.3": {} }, workspace } }, /no SHA-512 hash/],
  "a hash of another kind": [
    { lock: { npm: { "a@1.2.3": { integrity: "sha1-AAAA" } }, workspace } },
    /no SHA-512 hash/,
  ],
  "a licence that binds others": [{ licenceOf: () => "AGPL-3.0" }, /its licence is AGPL-3\.0/],
  "no licence": [{ licenceOf: () => undefined }, /its licence is not told/],
  "a package that nobody looked at": [{ allowed: {} }, /packages\.json must list it/],
  "a licence that has changed": [{ licenceOf: () => "ISC" }, /packages\.json must list it/],
  "a package on the list that is gone": [
    { allowed: { a: "MIT", b: "MIT" } },
    /b is no longer used/,
  ],
  "a version that an advisory names": [
    { advisories: [{ package: "a", below: "1.10.0", id: "CVE-1" }] },
    /CVE-1 asks for 1\.10\.0/,
  ],
};

Deno.test("dependencies with nothing wrong are accepted", () => {
  assert.deepEqual(dependencyFindings(project()), []);
  const fixed = [{ package: "a", below: "1.2.3", id: "CVE-1" }];
  assert.deepEqual(dependencyFindings(project({ advisories: fixed })), []);
});

for (const [what, [changes, finding]] of Object.entries(WRONG)) {
  Deno.test(`dependencies are refused for ${what}`, () =>
    assert.match(dependencyFindings(project(changes)).join("\n"), finding));
}

Deno.test("the project's own dependencies are accepted", async () => {
  assert.deepEqual(dependencyFindings(await dependencyFacts()), []);
});

interface Graph {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<Record<string, { readonly dependencies: readonly string[] }>>;
}

/** The packages that a module loads, and those that they load. */
async function loadedBy(path: string): Promise<Set<string>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL(`../../${path}`, import.meta.url).pathname],
  }).output();
  const { modules, npmPackages }: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const loaded = new Set<string>();
  const load = (id: string) => {
    if (loaded.has(id)) return;
    loaded.add(id);
    npmPackages[id]?.dependencies.forEach(load);
  };
  for (const { npmPackage } of modules) if (npmPackage !== undefined) load(npmPackage);
  return loaded;
}

Deno.test("no package that the program loads would run a script when it is installed", async () => {
  const { lock } = await dependencyFacts();
  const loaded = [...await loadedBy("src/main.ts")];
  assert.ok(loaded.some((id) => id.startsWith("hono@")), loaded.join(" "));
  assert.deepEqual(loaded.filter((id) => lock.npm[id]?.scripts === true), []);
});
