/** The threat model in docs/security.md: each row names what stops the attack and a test that attacks; both exist. */
import assert from "node:assert/strict";
import { ROOT } from "./program.ts";

const PAGE = await Deno.readTextFile(`${ROOT}docs/security.md`);
const COLUMNS = "asset | who | what they try | what stops it | shown by";

interface Row {
  /** Its line. */
  readonly text: string;
  readonly stops: string;
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

function cellsOf(line: string): string[] {
  return line.split("|").slice(1, -1).map((cell) => cell.trim());
}

function testsIn(cell: string): Row["tests"] {
  return [...cell.matchAll(/`(tests\/[\w/.]+)`: ("(?:[^"\\]|\\.)+")/g)]
    .map(([, file = "", name = ""]) => ({ file, name: JSON.parse(name) }));
}

/** The rows of the tables that have the threat model's columns. */
function rowsOf(page: string): Row[] {
  const rows: Row[] = [];
  let inside = false;
  for (const line of page.split("\n")) {
    const cells = cellsOf(line);
    if (cells.join(" | ") === COLUMNS) inside = true;
    else if (cells.length === 0) inside = false;
    else if (inside && !/^-+$/.test(cells[0] ?? "")) {
      assert.equal(cells.length, 5, line);
      rows.push({ text: line, stops: cells[3] ?? "", tests: testsIn(cells[4] ?? "") });
    }
  }
  return rows;
}

const ROWS = rowsOf(PAGE);
const FILES = [...new Set(ROWS.flatMap(({ tests }) => tests.map(({ file }) => file)))];

/** Says the names of the tests of each file, as they are when it runs. */
const LISTER = `
const found = {};
let names;
const note = (...given) => {
  const [test] = given;
  names.push(typeof test === "string" ? test : test.name);
};
Object.defineProperty(Deno, "test", { value: Object.assign(note, { ignore: note, only: note }) });
for (const file of Deno.args) {
  found[file] = names = [];
  await import(new URL(file, "file://${ROOT}"));
}
await new Blob([JSON.stringify(found)]).stream().pipeTo(Deno.stdout.writable);
Deno.exit(0);
`;

async function namesOf(files: readonly string[]): Promise<Record<string, readonly string[]>> {
  const lister = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(lister, LISTER);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "-A",
        "--config",
        `${ROOT}deno.json`,
        lister,
        ...files,
      ],
      cwd: ROOT,
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(lister);
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(`${ROOT}${path}`).then(() => true, () => false);
}

Deno.test("each row of the threat model says what stops the attack, in a file that exists, and which test attacks", async () => {
  assert.ok(ROWS.length > 50, String(ROWS.length));
  for (const { text, stops, tests } of ROWS) {
    const files = [...stops.matchAll(/`((?:src|plugins|tests|\.ci)\/[^`]+|deno\.\w+)`/g)]
      .map(([, file = ""]) => file);
    assert.ok(files.length > 0 || stops.includes("the server of the runtime"), text);
    for (const file of files) assert.ok(await exists(file), `${file} is not there: ${text}`);
    assert.ok(tests.length > 0, `no test is named: ${text}`);
  }
});

Deno.test("each test that the threat model names is there", async () => {
  const names = await namesOf(FILES);
  for (const { file, name } of ROWS.flatMap(({ tests }) => tests)) {
    assert.ok(names[file]?.includes(name), `${file} has no test "${name}"`);
  }
});

Deno.test("each file of attack tests is named by the threat model", async () => {
  for await (const { name } of Deno.readDir(`${ROOT}tests/security`)) {
    if (!name.endsWith("_test.ts") || name === "threat_model_test.ts") continue;
    assert.ok(FILES.includes(`tests/security/${name}`), `no row names tests/security/${name}`);
  }
});

Deno.test("the threat model speaks of everything that must be defended", () => {
  const words = ["constant time", "loopback", "DNS rebinding", "IPv6", "redirect", "metadata"];
  words.push("header", "journal", "permissions", "licence", "advisor", "replica", "stolen store");
  const rows = ROWS.map(({ text }) => text).join("\n");
  for (const word of words) assert.ok(rows.includes(word), word);
  for (
    const heading of ["Plugins are trusted code", "What is not defended", "Telling of a problem"]
  ) {
    assert.ok(PAGE.includes(`\n## ${heading}\n`), heading);
  }
});
