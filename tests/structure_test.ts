/** The house: imports point one way, and the README's table of a request's life is true. */
import assert from "node:assert/strict";

const ROOT = new URL("../", import.meta.url);

function* files(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* files(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

/** What each part may import of the others; itself always. `leaf` parts import leaves. */
const LEAVES = [
  "clock",
  "log",
  "text",
  "json",
  "net",
  "bytes",
  "sha256",
  "config",
  "storage",
  "pricing",
  "ledger",
  "sharing",
];
const MAY_IMPORT: Record<string, readonly string[]> = {
  main: ["cli"],
  cli: [
    "server",
    "pipeline",
    "bedrock",
    "anthropic",
    "simulator",
    "plugins",
    "manifest",
    ...LEAVES,
  ],
  server: ["pipeline", "bedrock", "anthropic", ...LEAVES],
  pipeline: ["anthropic", ...LEAVES],
  bedrock: ["anthropic", ...LEAVES],
  anthropic: [...LEAVES.filter((leaf) => ["json", "text", "bytes"].includes(leaf))],
  simulator: ["clock"],
  config: ["text", "manifest"],
  storage: ["clock", "text", "sha256"],
  pricing: ["anthropic", "text"],
  ledger: ["clock", "log", "bytes", "storage"],
  sharing: ["clock", "log", "storage"],
  plugins: [],
  clock: [],
  log: [],
  text: [],
  json: [],
  net: ["bytes"],
  bytes: [],
  sha256: [],
};

function partOf(path: string): string {
  if (path.startsWith("plugins/")) return "plugins";
  if (!path.startsWith("src/")) return "manifest";
  return path.split("/")[1]?.replace(/\.ts$/, "") ?? "";
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function importsOf(path: string): Import[] {
  const text = Deno.readTextFileSync(new URL(path, ROOT)).replace(/\/\*[\s\S]*?\*\//g, "");
  const found = text.matchAll(
    /(?:import|export)\s+(type\s)?[^;"']*?from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/g,
  );
  return [...found].map(([, type, stated, dynamic]) => ({
    from: path,
    to: new URL(stated ?? dynamic ?? "", new URL(path, ROOT)).pathname.slice(ROOT.pathname.length),
    typeOnly: type !== undefined,
  }));
}

const IMPORTS = [...files("src"), ...files("plugins")].flatMap(importsOf);

Deno.test("imports point one way", () => {
  assert.ok(IMPORTS.length > 150);
  const wrong = IMPORTS.filter(({ from, to }) => {
    const [source, target] = [partOf(from), partOf(to)];
    return source !== target && !MAY_IMPORT[source]?.includes(target) && source !== "plugins";
  });
  assert.deepEqual(wrong.map(({ from, to }) => `${from} -> ${to}`), []);
});

Deno.test("plugins import types of the contract and nothing else", () => {
  const wrong = IMPORTS.filter(({ from, to, typeOnly }) =>
    from.startsWith("plugins/") && !(to === "src/pipeline/plugin.ts" && typeOnly) &&
    from !== "plugins/mod.ts"
  );
  assert.deepEqual(wrong, []);
});

Deno.test("the simulator imports nothing of what it is there to test", () => {
  const wrong = IMPORTS.filter(({ from, to }) =>
    partOf(from) === "simulator" && !["simulator", "clock"].includes(partOf(to))
  );
  assert.deepEqual(wrong, []);
});

Deno.test("the README's table of a request's life names files that exist, in order, and hooks of the contract", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const rows = [...readme.matchAll(/^\|\s+(\d+)\s+\| [^|]+ \| ([^|]+) \| ([^|]*) \|$/gm)];
  assert.deepEqual(
    rows.map(([, step]) => Number(step)),
    Array.from({ length: 13 }, (_, index) => index + 1),
  );
  const contract = await Deno.readTextFile(new URL("src/pipeline/plugin.ts", ROOT));
  for (const [, step, paths = "", hook = ""] of rows) {
    const named = [...paths.matchAll(/`([^`]+)`/g)].map(([, path]) => path ?? "");
    assert.ok(named.length > 0, `step ${step} names a file`);
    for (const path of named) assert.ok(Deno.statSync(new URL(path, ROOT)).isFile, path);
    if (hook.trim() !== "") {
      assert.ok(contract.includes(`${hook.trim().replaceAll("`", "")}?(`), hook);
    }
  }
});

Deno.test("no file imports itself by a detour", () => {
  const targets = new Map<string, string[]>();
  for (const { from, to } of IMPORTS) targets.set(from, [...targets.get(from) ?? [], to]);
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (done.has(file) || path.includes(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  assert.deepEqual(circles, []);
});
