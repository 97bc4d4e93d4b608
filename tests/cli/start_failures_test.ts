/** A server that cannot start says why in one line, and exits 1. */
import assert from "node:assert/strict";
import { inFolder, outcrop } from "./outcrop.ts";

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const KEYS = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "canary-of-aws" };

/** Starts a server that must not start: its code, and what it says. */
async function refused(folder: string, env: Record<string, string> = KEYS): Promise<string> {
  const { code, err, out } = await outcrop(["serve"], folder, {
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: `${folder}/none`,
    AWS_SHARED_CREDENTIALS_FILE: `${folder}/none`,
    ...env,
  });
  assert.equal(code, 1, err);
  assert.equal(out, "");
  assert.match(err, /^[^\n]+\n$/, "one line");
  return err;
}

async function configure(folder: string, path: string): Promise<void> {
  const yaml = `listen: { port: 0 }\nstore: { use: deno_kv, path: ${path} }\n`;
  await Deno.writeTextFile(`${folder}/config.yaml`, yaml);
}

/** A file system in memory, of so many bytes; undefined where this process may mount none. */
async function mount(folder: string, size: string): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
  const place = `${folder}/mounted`;
  await Deno.mkdir(place);
  const { success } = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", place],
    stderr: "null",
  }).output().catch(() => ({ success: false }));
  return success ? place : undefined;
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args }).output();
  assert.ok(success, `${program} ${args.join(" ")}`);
}

/** Runs `test` on a file system of its own, or says why it cannot. */
function onDisk(size: string, test: (folder: string, disk: string) => Promise<void>) {
  return inFolder(async (folder) => {
    const disk = await mount(folder, size);
    if (disk === undefined) {
      say("skipped: no file system can be mounted here");
      return;
    }
    try {
      await test(folder, disk);
    } finally {
      await run("umount", "--lazy", disk);
    }
  });
}

Deno.test("serve on a full disk says so", () =>
  onDisk("16k", async (folder, disk) => {
    await Deno.writeFile(`${disk}/fill`, new Uint8Array(16_384)).catch(() => undefined);
    await configure(folder, `${disk}/keys.db`);
    assert.match(
      await refused(folder),
      /Cannot open the store .*keys\.db: .*Make room on its disk, or set store\.path to a file on another$/m,
    );
  }));

Deno.test("serve on a store whose disk has become full says so", () =>
  onDisk("2m", async (folder, disk) => {
    await configure(folder, `${disk}/keys.db`);
    assert.equal((await outcrop(["keys", "create", "--name", "k"], folder)).code, 0);
    // A file cannot be grown beyond the disk: what is written before is kept.
    const fill = await Deno.open(`${disk}/fill`, { create: true, write: true });
    const block = new Uint8Array(4_096);
    while (await fill.write(block).then((written) => written > 0, () => false));
    fill.close();
    assert.match(await refused(folder), /Cannot open the store .*Make room on its disk/);
  }));

Deno.test("serve on a store that cannot be written says so", () =>
  onDisk("4m", async (folder, disk) => {
    await configure(folder, `${disk}/keys.db`);
    assert.equal((await outcrop(["keys", "create", "--name", "k"], folder)).code, 0);
    await run("mount", "-o", "remount,ro", disk);
    assert.match(
      await refused(folder),
      /Cannot open the store .*Set store\.path to a file in a folder that exists and may be written$/m,
    );
  }));

Deno.test("serve with a store in a folder that is not there says so", () =>
  inFolder(async (folder) => {
    await configure(folder, "nowhere/keys.db");
    assert.match(await refused(folder), /Cannot open the store .*nowhere\/keys\.db/);
  }));

Deno.test("serve with a file that is no store says so", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/keys.db`, "This is a letter, and not a database at all.");
    await configure(folder, "keys.db");
    assert.match(
      await refused(folder),
      /Cannot open the store .*keys\.db: file is not a database\. Move the file away, or put a backup/,
    );
  }));

Deno.test("serve with a journal that cannot be written says so", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/taken`, "");
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      "listen: { port: 0 }\nstore: { use: deno_kv, path: keys.db, journal: taken }\n",
    );
    assert.match(
      await refused(folder),
      /Cannot open the journal .*taken: .*Set store\.journal to a folder that may be written/,
    );
  }));

Deno.test("serve with a profile that is not there says which", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      "listen: { port: 0 }\nstore: { use: memory }\naws: { profile: nobody }\n",
    );
    assert.match(
      await refused(folder, {}),
      /no AWS credentials were found by the profile 'nobody': set AWS_BEARER_TOKEN_BEDROCK/,
    );
  }));

Deno.test("serve without AWS credentials says what to set", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      "listen: { port: 0 }\nstore: { use: memory }\n",
    );
    assert.match(
      await refused(folder, {}),
      /no AWS credentials were found: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID .*login'$/m,
    );
  }));

Deno.test("a configuration that is a folder, or is to be written where none can be, is told with what to do", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/config.yaml`);
    assert.match(
      await refused(folder),
      /config\.yaml:1:1 the file cannot be read: .*\. See that it is a file that may be read, or name/,
    );
    const { code, err } = await outcrop(["init", "--config", "nowhere/config.yaml"], folder);
    assert.equal(code, 1);
    assert.match(err, /^Cannot write nowhere\/config\.yaml: .*\. Name a file in a folder .*\n$/);
  }));

Deno.test("serve on a port that is taken says so", () =>
  inFolder(async (folder) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      `listen: { port: ${port} }\nstore: { use: memory }\n`,
    );
    const told = await refused(folder);
    taken.close();
    assert.match(told, /Cannot listen on .* as the port is taken: stop what uses it, or choose/);
  }));

Deno.test("a log that cannot be written stops nobody", async () => {
  if (Deno.build.os !== "linux") {
    say("skipped: there is no /dev/full here");
    return;
  }
  await inFolder(async (folder) => {
    const { port } = (() => {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      listener.close();
      return listener.addr as Deno.NetAddr;
    })();
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      `listen: { port: ${port} }\nstore: { use: memory }\n`,
    );
    const { args, cwd, env } = serveArguments(folder);
    const server = new Deno.Command("sh", {
      args: ["-c", `exec "$@" 2>/dev/full`, "sh", ...args],
      cwd,
      env,
      stdin: "null",
      stdout: "null",
    }).spawn();
    const deadline = setTimeout(() => server.kill("SIGKILL"), 60_000);
    try {
      for (;;) {
        const alive = await fetch(`http://127.0.0.1:${port}/health`).then(
          async (response) => (await response.json()).status === "ok",
          () => false, // it does not listen yet; the deadline ends what never does
        );
        if (alive) break;
      }
      const response = await fetch(`http://127.0.0.1:${port}/v1/models`);
      assert.equal(response.status, 401);
      await response.body?.cancel();
    } finally {
      server.kill("SIGTERM");
    }
    assert.equal((await server.status).code, 0);
    clearTimeout(deadline);
  });
});

function serveArguments(folder: string) {
  const root = new URL("../../", import.meta.url).pathname;
  return {
    args: [
      Deno.execPath(),
      "run",
      "--quiet",
      "--no-check",
      "-A",
      "--config",
      `${root}deno.json`,
      `${root}src/main.ts`,
      "serve",
    ],
    cwd: folder,
    env: { NO_COLOR: "1", ...KEYS },
  };
}
