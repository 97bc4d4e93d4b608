/** One who has a key stays in what that key may do: others' models, money, limits and answers are out of reach. */
import assert from "node:assert/strict";
import { type Harness, withHarness } from "../harness.ts";

const HAIKU = "claude-haiku-4-5";
const OPUS = "claude-opus-5-5";

function ask(model: string, more: Record<string, unknown> = {}) {
  return {
    model,
    max_tokens: 9,
    messages: [{ role: "user", content: "[[sim:echo]] hi" }],
    ...more,
  };
}

/** A key of its own for a test. */
async function keyOf({ gateway, secrets }: Harness, fields: object): Promise<string> {
  const { key } = await gateway.keys.create({ name: "one", ...fields });
  secrets.add(key);
  return key;
}

/** Bodies that say one model to who checks it, and another to who reads them otherwise. */
const TWO_NAMES: Record<string, string> = {
  "another model first": `{"model":"${OPUS}",${JSON.stringify(ask(HAIKU)).slice(1)}`,
  "another model last": `${JSON.stringify(ask(HAIKU)).slice(0, -1)},"model":"${OPUS}"}`,
  "another model in escapes": `${JSON.stringify(ask(HAIKU)).slice(0, -1)},"\\u006dodel":"${OPUS}"}`,
  "another model in other letters": JSON.stringify(ask(HAIKU, { Model: OPUS, MODEL: OPUS })),
  "another model behind a null": `${
    JSON.stringify(ask(HAIKU)).slice(0, -1)
  },"model\\u0000":"${OPUS}"}`,
  "a member of the prototype": JSON.stringify(ask(HAIKU)).replace(
    "{",
    `{"__proto__":{"model":"${OPUS}"},`,
  ),
  "spaces around it": JSON.stringify(ask(` ${OPUS} `)),
  "a line end behind it": JSON.stringify(ask(`${HAIKU}\n${OPUS}`)),
  "the allowed name as a prefix": JSON.stringify(ask(`${HAIKU}/../${OPUS}`)),
  "the allowed name in a list": JSON.stringify(ask(HAIKU)).replace(`"${HAIKU}"`, `["${HAIKU}"]`),
  "a profile of another's": JSON.stringify(ask(`us.anthropic.${OPUS}`)),
  "an ARN": JSON.stringify(
    ask(`arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.${OPUS}`),
  ),
};

for (const route of ["invoke", "messages", "mantle", "converse"]) {
  Deno.test(`a key of one model reaches no other, whatever its body says twice (${route})`, () =>
    withHarness({ config: `models: { claude_route: ${route} }\n` }, async (harness) => {
      const key = await keyOf(harness, { models: [HAIKU] });
      for (const [how, body] of Object.entries(TWO_NAMES)) {
        for (const path of ["/v1/messages", "/v1/messages/count_tokens"]) {
          const response = await fetch(harness.url + path, {
            method: "POST",
            headers: { "x-api-key": key },
            body,
          });
          const text = await response.text();
          assert.ok(response.status < 500, `${how}: ${text}`);
        }
      }
      const post = (model: string) => harness.post(ask(model), { "x-api-key": key });
      assert.equal((await post(OPUS)).status, 403);
      assert.equal((await post(HAIKU)).status, 200);
      for (const { path, text } of harness.simulator.requests) {
        assert.ok(!path.includes("opus"), path);
        // A member named `__proto__` is one like others: what is in it is no model of the body's.
        const body = text.replace(/"__proto__":\{[^}]*\}/, "");
        assert.doesNotMatch(body, /"model" ?: ?"[^"]*opus/, text);
      }
    }));
}

Deno.test("a body and headers that name another user spend nobody's budget and limit but the key's", () =>
  withHarness(
    {
      config:
        "plugins: [ { use: auth }, { use: rate_limit, with: { requests_per_minute: 2 } }, { use: usage } ]\n",
    },
    async (harness) => {
      const victim = await keyOf(harness, { name: "victim", user: "ann", team: "red" });
      const attacker = await keyOf(harness, { name: "attacker", user: "eve" });
      const headers = {
        "x-api-key": attacker,
        "x-user": "ann",
        "x-outcrop-user": "ann",
        "x-claude-code-session-id": "ann",
        "x-forwarded-user": "ann",
        from: "ann",
      };
      const statuses: number[] = [];
      for (let n = 0; n < 4; n++) {
        const body = ask(HAIKU, { metadata: { user_id: "ann" }, user: "ann", team: "red" });
        const response = await harness.post(body, { ...headers, "x-request-id": `${n}` });
        await response.body?.cancel();
        statuses.push(response.status);
      }
      assert.deepEqual(statuses.slice(2), [429, 429], String(statuses));
      assert.equal((await harness.post(ask(HAIKU), { "x-api-key": victim })).status, 200);
    },
  ));

Deno.test("another's kept answer is not had by saying who one is, nor by a key of the same name", () =>
  withHarness(
    { config: "plugins: [ { use: auth }, { use: response_cache } ]\n" },
    async (harness) => {
      const body = ask("qwen.qwen3-32b-v1:0", { temperature: 0, metadata: { user_id: "ann" } });
      const victim = await keyOf(harness, { name: "same", user: "ann", team: "red" });
      const attacker = await keyOf(harness, { name: "same", user: "ann", team: "red" });
      const kept = async (key: string, headers: Record<string, string> = {}) => {
        const response = await harness.post(body, { "x-api-key": key, ...headers });
        assert.equal(response.status, 200, await response.text());
        return response.headers.get("x-outcrop-cache");
      };
      assert.deepEqual([await kept(victim), await kept(victim)], ["miss", "hit"]);
      const [, , id = ""] = victim.split("-");
      for (const said of ["", `key_${id}`, victim.slice(0, 16)]) {
        const headers = { "x-outcrop-cache": "allow", "x-outcrop-key": said, cookie: said };
        assert.equal(await kept(attacker, headers), said === "" ? "miss" : "hit"); // its own
      }
      assert.equal(harness.simulator.requests.length, 2);
    },
  ));
