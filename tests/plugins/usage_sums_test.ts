/** `outcrop usage` against what clients were told. */
import assert from "node:assert/strict";
import { parseScript } from "../../src/simulator/simulator.ts";
import { openDenoKvStore } from "../../src/storage/deno_kv.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, parseSse, withHarness } from "../harness.ts";
import { SEED } from "../seed.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const HAIKU = "claude-haiku-4-5"; // 1 in, 5 out, 0.1 read, 1.25 written for 5 minutes, 2 for an hour
const QWEN = "qwen.qwen3-32b-v1:0"; // 0.15 in, 0.6 out

interface Totals {
  readonly requests: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cost_usd: number;
}

/** What the command says of a folder's store. */
async function totalsBy(by: string, folder: string): Promise<Totals> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", "--config", `${ROOT}deno.json`]
      .concat(`${ROOT}src/main.ts`, "usage", "--json", "--by", by, "--since", "2026-01-15"),
    cwd: folder,
    stdin: "null",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).totals;
}

/** Runs `test` in a folder whose store holds what `run` asked of a gateway. */
async function afterwards(
  run: (harness: Harness, clock: FakeClock) => Promise<void>,
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock(Date.UTC(2026, 0, 15, 22, 30));
  const store = await openDenoKvStore({ path: `${folder}/usage.db`, clock });
  const config = "plugins: [ { use: auth }, { use: usage, with: { rollup_days: 3650 } } ]\n";
  await Deno.writeTextFile(`${folder}/config.yaml`, "store: { use: deno_kv, path: usage.db }\n");
  try {
    await withHarness({ clock, simulatorClock: clock, store, config }, (harness) => {
      return run(harness, clock);
    });
    await store.close();
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function ask(model: string, stream: boolean) {
  return { model, max_tokens: 100, stream, messages: [{ role: "user", content: "hi" }] };
}

function claude(usage: Record<string, unknown>): Record<string, unknown> {
  return {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude",
    content: [{ type: "text", text: "hello" }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage,
  };
}

function converse(inputTokens: number, outputTokens: number): Record<string, unknown> {
  return {
    output: { message: { role: "assistant", content: [{ text: "hello" }] } },
    stopReason: "end_turn",
    usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
  };
}

/** Numbers that the run's seed decides. */
function seeded(): (below: number) => number {
  let state = SEED >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

interface Told {
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly cache_read_input_tokens?: number;
  readonly cache_creation?: {
    ephemeral_5m_input_tokens: number;
    ephemeral_1h_input_tokens: number;
  };
}

function toldBy(text: string, stream: boolean): Told {
  if (!stream) return JSON.parse(text).usage;
  type Event = { readonly message?: { readonly usage: Told }; readonly usage?: Told };
  const events = parseSse(text).map(({ data }) => data as Event);
  return Object.assign({}, ...events.map(({ message, usage }) => usage ?? message?.usage ?? {}));
}

Deno.test("usage is the sum of what clients were told, over 200 random requests", async () => {
  const random = seeded();
  const wanted = { input: 0, output: 0, read: 0, written: 0, nano: 0 };
  await afterwards(async (harness, clock) => {
    for (let n = 0; n < 200; n++) {
      clock.advance(random(1_200_000));
      if (random(10) === 0) {
        const refused = await harness.post("{"); // counts, and costs nothing
        assert.equal((await refused.json()).type, "error");
        continue;
      }
      const [stream, model] = [random(2) === 1, random(2) === 1 ? HAIKU : QWEN];
      const [input, output, read] = [random(5_000), random(900), random(100_000)];
      const [short, long] = [random(700), random(700)];
      const native = model === HAIKU;
      const usage = {
        input_tokens: input,
        output_tokens: output,
        cache_read_input_tokens: read,
        cache_creation_input_tokens: short + long,
        cache_creation: { ephemeral_5m_input_tokens: short, ephemeral_1h_input_tokens: long },
      };
      const message = native ? claude(usage) : converse(input, output);
      harness.simulator.script(parseScript(stream ? streamed(message, native) : { json: message }));
      const response = await harness.post(ask(model, stream));
      const told = toldBy(await response.text(), stream);
      const prices = native ? [1_000, 5_000, 100, 1_250, 2_000] : [150, 600, 150, 150, 150];
      const tokens = [
        told.input_tokens ?? 0,
        told.output_tokens ?? 0,
        told.cache_read_input_tokens ?? 0,
        told.cache_creation?.ephemeral_5m_input_tokens ?? 0,
        told.cache_creation?.ephemeral_1h_input_tokens ?? 0,
      ] as const;
      wanted.input += tokens[0];
      wanted.output += tokens[1];
      wanted.read += tokens[2];
      wanted.written += tokens[3] + tokens[4];
      wanted.nano += tokens.reduce((sum, count, kind) => sum + count * (prices[kind] ?? 0), 0);
    }
  }, async (folder) => {
    assert.ok(wanted.nano > 0 && wanted.input > 0);
    const { input, output, read, written, nano } = wanted;
    for (const by of ["day", "model", "key"]) {
      assert.deepEqual(await totalsBy(by, folder), {
        requests: 200,
        input_tokens: input,
        output_tokens: output,
        cache_read_input_tokens: read,
        cache_creation_input_tokens: written,
        cost_usd: nano / 1e9,
      }, `FC_SEED=${SEED}`);
    }
  });
});

/** The same answer as a stream. */
function streamed(message: Record<string, unknown>, native: boolean): Record<string, unknown> {
  const { usage, content, stop_reason, stopReason } = message;
  if (!native) {
    return {
      frames: [
        { event: "messageStart", json: { role: "assistant" } },
        { event: "contentBlockDelta", json: { contentBlockIndex: 0, delta: { text: "hello" } } },
        { event: "contentBlockStop", json: { contentBlockIndex: 0 } },
        { event: "messageStop", json: { stopReason } },
        { event: "metadata", json: { usage } },
      ],
    };
  }
  const first = { ...(usage as Record<string, unknown>), output_tokens: 1 };
  const { output_tokens } = usage as { output_tokens: number };
  return {
    anthropic: [
      {
        type: "message_start",
        message: { ...message, content: [], stop_reason: null, usage: first },
      },
      { type: "content_block_start", index: 0, content_block: (content as unknown[])[0] },
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason, stop_sequence: null },
        usage: { output_tokens },
      },
      { type: "message_stop" },
    ],
  };
}
