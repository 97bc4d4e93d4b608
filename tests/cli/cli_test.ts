/** The command line, as a person or a script uses it: a process of its own, with a folder of its own. */
import assert from "node:assert/strict";
import type { Command } from "commander";
import { buildProgram } from "../../src/cli/program.ts";
import { command, inFolder, outcrop, Output, ROOT } from "./outcrop.ts";

/** Names of all commands that do something, e.g. `keys list`. */
function commandNames(group: Command = buildProgram(), prefix: string = ""): string[] {
  return group.commands.flatMap((command) => {
    const name = prefix + command.name();
    const inside = commandNames(command, `${name} `);
    return inside.length === 0 || command.name() === "usage" ? [name, ...inside] : inside;
  });
}

Deno.test("every command has help with an example", () =>
  inFolder(async (folder) => {
    const commands = ["keys", ...commandNames()];
    assert.ok(commands.includes("keys rotate") && commands.includes("usage verify"));
    const ran = await Promise.all(
      commands.map((name) => outcrop([...name.split(" "), "--help"], folder)),
    );
    for (const [index, { code, out }] of ran.entries()) {
      assert.equal(code, 0, commands[index]);
      assert.match(
        out,
        new RegExp(`Examples?:\\n\\s+outcrop ${commands[index]}`),
        commands[index],
      );
    }
  }));

Deno.test("the README's table of commands is that of the program's", async () => {
  const readme = await Deno.readTextFile(`${ROOT}README.md`);
  const [, section = ""] = /^## Commands\n(.*?)^## /ms.exec(readme) ?? [];
  const told = section.split("\n").filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)])
    .map(([, name = ""]) => name);
  assert.deepEqual(told.toSorted(), commandNames().toSorted());
});

Deno.test("a mistyped command is told what was meant, and exits 2", () =>
  inFolder(async (folder) => {
    assert.deepEqual(await outcrop(["serv"], folder), {
      code: 2,
      out: "",
      err: "Unknown command 'serv': did you mean 'serve'?\n",
    });
    const sub = await outcrop(["keys", "crate"], folder);
    assert.deepEqual([sub.code, sub.err], [2, "Unknown command 'crate': did you mean 'create'?\n"]);
    const option = await outcrop(["serve", "--prot", "1"], folder);
    assert.equal(option.code, 2);
    assert.match(option.err, /--prot.*\n.*--port/s);
    assert.equal((await outcrop(["serve", "--port", "many"], folder)).code, 2);
    assert.equal((await outcrop(["keys", "create"], folder)).code, 2);
  }));

Deno.test("init writes a configuration that check accepts, and overwrites nothing by itself", () =>
  inFolder(async (folder) => {
    assert.equal((await outcrop(["init"], folder)).code, 0);
    const again = await outcrop(["init"], folder);
    assert.equal(again.code, 1);
    assert.match(again.err, /config\.yaml as it is there already: use --force/);
    assert.equal((await outcrop(["init", "--force"], folder)).code, 0);
    const check = await outcrop(["check"], folder);
    assert.equal(check.code, 0, check.err);
    assert.match(check.out, /config\.yaml is valid/);
    assert.match(check.out, /auth\s+built in\s+1\s+1\s+reject\s+2000 ms/);
    assert.match(check.out, /Store: deno_kv .*outcrop\.db/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["config.yaml"]);
  }));

Deno.test("check tells every fault with its place, and exits 1", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/bad.yaml`,
      "listen: { port: x }\nplugins: [ { use: nothing } ]\nlgo: {}\n",
    );
    const { code, err } = await outcrop(["check", "--config", "bad.yaml"], folder);
    assert.equal(code, 1);
    assert.match(err, /^bad\.yaml:1:11 listen\.port: /m);
    assert.match(err, /^bad\.yaml:3:1 lgo: unknown key 'lgo': did you mean 'log'\?$/m);
    await Deno.writeTextFile(`${folder}/bad.yaml`, "plugins: [ { use: nothing } ]\n");
    assert.match(
      (await outcrop(["check", "-c", "bad.yaml"], folder)).err,
      /^bad\.yaml:1:14 plugins\.0\.use: unknown plugin 'nothing'/m,
    );
    const missing = await outcrop(["check"], folder, { OUTCROP_CONFIG: "nowhere.yaml" });
    assert.deepEqual([missing.code, missing.out], [1, ""]);
    assert.match(
      missing.err,
      /^nowhere\.yaml:1:1 the file is not there: 'outcrop init' writes one/,
    );
  }));

Deno.test("keys are made, listed, shown and revoked; JSON is one document on stdout", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, "store: { use: deno_kv, path: keys.db }\n");
    const made = await outcrop(
      [
        "keys",
        "create",
        "--name",
        "ci",
        "--team",
        "web",
        "--models",
        "claude-*,qwen.*",
        "--expires",
        "90d",
        "--rpm",
        "60",
        "--budget",
        "25",
        "--json",
      ],
      folder,
    );
    assert.equal(made.code, 0, made.err);
    const key = JSON.parse(made.out);
    assert.match(key.key, /^sk-oc-/);
    assert.deepEqual([key.name, key.team, key.models, key.limits, key.budget], [
      "ci",
      "web",
      ["claude-*", "qwen.*"],
      { requests_per_minute: 60 },
      { usd: 25, per: "month" },
    ]);
    assert.match(made.err, /^Store: \S+ \S+\n$/); // every attribute has its plugin
    const list = JSON.parse((await outcrop(["keys", "list", "--json"], folder)).out);
    assert.deepEqual(list.data.map(({ id }: { id: string }) => id), [key.id]);
    assert.ok(!JSON.stringify(list).includes(key.key));
    assert.match(
      (await outcrop(["keys", "list"], folder)).out,
      /ID\s+NAME.*\nkey_\S+\s+ci\s+web\s+active/,
    );
    assert.match((await outcrop(["keys", "show", key.id], folder)).out, /name\s+ci/);
    assert.match((await outcrop(["keys", "revoke", key.id], folder)).out, /^Revoked key_/);
    assert.ok(
      JSON.parse((await outcrop(["keys", "show", key.id, "--json"], folder)).out).revoked_at !==
        null,
    );
    const unknown = await outcrop(["keys", "show", "key_0000000000"], folder);
    assert.deepEqual([unknown.code, unknown.out], [1, ""]);
    assert.equal(
      (await outcrop(["keys", "create", "--name", "x", "--expires", "soon"], folder)).code,
      2,
    );
  }));

Deno.test("keys say why a store in memory holds none", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, "store: { use: memory }\n");
    const { code, err } = await outcrop(["keys", "list"], folder);
    assert.equal(code, 1);
    assert.match(err, /store: memory', which is gone when a process ends/);
  }));

Deno.test("models prints what each name resolves to", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      "models: { aliases: { fast: { model: claude-haiku-4-5, fallback: [sim.echo] } } }\n",
    );
    const { data } = JSON.parse((await outcrop(["models", "--json"], folder)).out);
    assert.deepEqual(data[0], {
      id: "fast",
      model: "us.anthropic.claude-haiku-4-5-20251001-v1:0",
      route: "invoke",
      tier: "default",
      fallbacks: ["sim.echo"],
    });
    const widest = (await outcrop(["models"], folder)).out.split("\n").map((line) => line.length);
    assert.ok(Math.max(...widest) <= 100);
  }));

Deno.test("demo --once streams an answer with a tool call, and exits 0", () =>
  inFolder(async (folder) => {
    const { code, out, err } = await outcrop(["demo", "--once"], folder);
    assert.equal(code, 0, err);
    assert.match(out, /\{"city":"Paris"\}\n\s+usage: \d+ tokens in, \d+ out; stopped by tool_use/);
    assert.match(out, /The tool said: sunny, 21 °C\n\s+usage: \d+ tokens in/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("serve says where it listens, accepts a key made beside it, refuses it when revoked, and stops at SIGTERM", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      'listen: { port: 0 }\nstore: { use: deno_kv, path: keys.db }\naws: { endpoint: "http://127.0.0.1:9" }\n',
    );
    const server = command(["serve"], folder, {
      AWS_ACCESS_KEY_ID: "AKIDEXAMPLEWXYZ",
      AWS_SECRET_ACCESS_KEY: "canary-of-aws",
    }).spawn();
    // Ends the server, and with it its output, if it never says what is waited for.
    const deadline = setTimeout(() => server.kill("SIGKILL"), 60_000);
    try {
      const [line, url = ""] = await new Output(server.stderr).next(
        /Listening on (http:\/\/127\.0\.0\.1:\d+).*\n/,
      );
      assert.match(line, /store=deno_kv .*keys\.db/);
      assert.match(
        line,
        /keys=0 plugins=auth > rate_limit > budget > tier > prompt_cache > usage credentials=access key …WXYZ region=us-east-1/,
      );
      assert.ok(!line.includes("canary"));
      const { key, id } = JSON.parse(
        (await outcrop(["keys", "create", "--name", "new", "--json"], folder)).out,
      );
      const get = () => fetch(`${url}/v1/models?limit=1`, { headers: { "x-api-key": key } });
      const first = await get();
      assert.equal(first.status, 200);
      await first.body?.cancel();
      await outcrop(["keys", "revoke", id], folder);
      const revokedAt = performance.now();
      let status = 200;
      while (status === 200 && performance.now() - revokedAt < 10_000) {
        const response = await get();
        status = response.status;
        await response.body?.cancel();
      }
      assert.equal(status, 401);
      assert.ok(
        performance.now() - revokedAt <= 6_000,
        "refused within 2 s, and some for a busy machine; the 2 s themselves are the fake clock's to test",
      );
    } finally {
      server.kill("SIGTERM");
    }
    assert.equal((await server.status).code, 0);
    clearTimeout(deadline);
    await server.stdout.cancel();
  }));
