/**
 * `deno doc --lint` over `src` and `plugins`: every export is documented, with explicit types.
 *
 * Two kinds of finding are none: types of npm packages, which it takes for private ones, and the types that
 * zod infers in the schema, whose keys carry their documentation themselves.
 * @module
 */

const FOREIGN = new Set([
  "AttributeValue",
  "Command",
  "CreateTableCommandInput",
  "Document",
  "DynamoDBClientConfig",
  "Hono",
  "LineCounter",
  "PutItemCommandInput",
  "QueryCommandInput",
  "Scalar",
  "UpdateItemCommandInput",
  "ZodType",
  "z",
]);
const INFERRED = "src/config/schema.ts";

async function* files(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* files(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

function counts(finding: string): boolean {
  if (finding.includes(INFERRED)) return false;
  const [, name = ""] = /references private type '(\w+)'/.exec(finding) ?? [];
  return !(FOREIGN.has(name) || name === "output");
}

/** The findings that count, as `deno doc` prints them; empty when all is documented. */
export async function undocumented(): Promise<string[]> {
  const all: string[] = [];
  for (const folder of ["src", "plugins"]) for await (const file of files(folder)) all.push(file);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", "--quiet", ...all.sort()],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  const findings = text.split(/^(?=error\[)/m).filter((part) => part.startsWith("error["));
  if (findings.length === 0 && !/^Checked \d+ files/m.test(text)) return [text]; // it did not run
  return findings.filter(counts);
}
