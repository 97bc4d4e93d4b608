/** The compiled program carries its permissions inside, where nobody who starts it adds to them by accident. */
import assert from "node:assert/strict";
import { flagsOf, ROOT, task } from "./program.ts";

/** Permissions as they stand in a compiled file: a list of what is allowed, empty for all; null for nothing. */
interface Embedded {
  readonly prompt: boolean;
  readonly [permission: string]: readonly string[] | boolean | null;
}

/**
 * What the `compile` task writes. The base of a compiled program cannot be fetched everywhere: deno itself stands for
 * it, for what is asked here is what is put behind it.
 */
async function compiled(): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir();
  try {
    const args = task("compile").replace(/^deno /, "").split(" ");
    args[args.indexOf("--output") + 1] = `${folder}/outcrop`;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["--quiet", ...args],
      cwd: ROOT,
      env: { DENORT_BIN: Deno.execPath() },
      stdout: "null",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return await Deno.readFile(`${folder}/outcrop`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function embedded(program: Uint8Array): Embedded {
  const text = new TextDecoder("latin1").decode(program);
  const [, permissions = ""] = /"permissions":(\{"allow_[^{}]+\})/.exec(text) ?? [];
  return JSON.parse(permissions);
}

/** What of these permissions is granted, wholly or in part. */
function granted(permissions: Embedded): string[] {
  return Object.entries(permissions)
    .filter(([name, value]) => name.startsWith("allow_") && value !== null)
    .filter(([name]) => permissions[name.replace("allow", "deny")]?.toString() !== "")
    .map(([name]) => `--${name.replace("_", "-")}`).sort();
}

Deno.test("the compiled program may do what the tasks may, and no more: it starts nothing and loads no native code", async () => {
  const permissions = embedded(await compiled());
  const wanted = flagsOf("start").filter((flag) => flag.startsWith("--allow-"));
  assert.deepEqual(granted(permissions), wanted.sort());
  for (const name of ["allow_run", "allow_ffi"]) assert.equal(permissions[name], null, name);
  const denied = flagsOf("start").find((flag) => flag.startsWith("--deny-sys="));
  assert.equal(`--deny-sys=${permissions.deny_sys}`, denied);
  assert.deepEqual(permissions.deny_import, []);
  assert.equal(permissions.prompt, false);
});
