/** Who has stolen the store knows who uses the gateway, and how much; it comes in with nothing of it. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { systemClock } from "../../src/clock.ts";
import { Keys } from "../../src/storage/keys.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store, StoreKey } from "../../src/storage/store.ts";
import { withHarness } from "../harness.ts";

const QUESTION = {
  model: "qwen.qwen3-32b-v1:0",
  max_tokens: 9,
  messages: [{ role: "user", content: "[[sim:echo]] canary words" }],
};

/** The store, and all that was ever written to it, for the thief. */
function watched(): { store: Store; loot: unknown[] } {
  const loot: unknown[] = [];
  const store = new Proxy(openMemoryStore({ clock: systemClock }), {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => {
        if (["put", "add", "apply"].includes(String(name))) loot.push(structuredClone(given));
        return Reflect.apply(member, target, given);
      };
    },
  });
  return { store, loot };
}

/** Every text in what was stolen. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** A text as the gateway would make it for this id, were `secret` what its tags are made under. */
function forged(id: string, letters: string, secret: string): string {
  const body = `sk-oc-${id.replace("key_", "")}-${letters.padEnd(36, "0").slice(0, 36)}`;
  let value = parseInt(createHmac("sha256", secret).update(body).digest("hex").slice(0, 8), 16);
  let tag = "";
  for (let at = 0; at < 6; at++, value >>>= 5) tag += ALPHABET[value & 31];
  return body + tag;
}

Deno.test("nothing that lies in a stolen store is taken for a key, nor what can be made of it", async () => {
  const { store, loot } = watched();
  await withHarness({ store }, async ({ post, key, gateway, secrets }) => {
    const { record } = await gateway.keys.create({ name: "other" });
    const { key: rotated } = await gateway.keys.rotate(record.id, 3_600_000) ?? { key: "" };
    secrets.add(rotated);
    assert.equal((await post(QUESTION)).status, 200);
    const texts = [...new Set(textsIn(loot))];
    const [hash = "", secret = ""] = [
      texts.find((text) => /^[0-9a-f]{64}$/.test(text) && text !== ""),
      (loot as [StoreKey, string][]).find(([at]) => String(at) === "meta,key_secret")?.[1],
    ];
    assert.ok(hash !== "" && secret !== "" && texts.includes(record.id));
    const made = [hash, secret, "0"].flatMap((letters) =>
      [record.id, ...texts.filter((text) => text.startsWith("key_"))]
        .map((id) => forged(id, letters.replace(/[^0-9a-z]/g, ""), secret))
    );
    // That the tags are right is seen by this: such a text gets as far as the store.
    assert.deepEqual(await gateway.keys.verify(made[0] ?? ""), { ok: false, reason: "unknown" });
    for (const text of [...texts, ...made]) {
      if (/[^\x20-\x7e]/.test(text)) continue;
      const { status } = await post(QUESTION, { "x-api-key": text });
      assert.equal(status, 401, text);
    }
    const stolen = JSON.stringify(loot);
    for (const word of ["canary words", key.slice(17), rotated.slice(17)]) {
      assert.ok(!stolen.includes(word), word);
    }
  });
});

Deno.test("who may write the store makes no key, where the secret is the environment's", async () => {
  const clock = systemClock;
  const store = openMemoryStore({ clock });
  const ours = await Keys.open(store, { clock, secret: "what only the environment knows" });
  const { key } = await ours.create({ name: "ours" });
  const theirs = await Keys.open(store, { clock });
  const { key: intruder } = await theirs.create({ name: "theirs" });
  assert.equal((await theirs.verify(intruder)).ok, true);
  assert.deepEqual(await ours.verify(intruder), { ok: false, reason: "malformed" });
  assert.equal((await ours.verify(key)).ok, true);
});
