/** A client that leaves while the gateway waits for something other than an answer's bytes. */
import assert from "node:assert/strict";
import type { UrlFetcher } from "../../src/bedrock/url_sources.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, type HarnessOptions, withHarness } from "../harness.ts";
import { settled } from "../wait.ts";
import { BadStore } from "./matrix/own.ts";

/** Somebody who takes connections and says nothing. */
class Mute {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.Conn[] = [];
  readonly #accepting: Promise<void>;
  /** Connections that are open. */
  open = 0;
  /** Bytes that came. */
  heard = 0;

  /** Begins to listen. */
  constructor() {
    this.#accepting = this.#accept();
  }

  /** Where. */
  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.push(connection);
      void this.#hear(connection);
    }
  }

  async #hear(connection: Deno.Conn): Promise<void> {
    const room = new Uint8Array(4_096);
    this.open++;
    try {
      for (;;) {
        const size = await connection.read(room);
        if (size === null) return;
        this.heard += size;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    } finally {
      this.open--;
    }
  }
}

interface Phase {
  /** What the gateway waits for when its client leaves. */
  readonly name: string;
  /** How Bedrock is spoken to, where it is and does not answer. */
  readonly scheme?: "http" | "https";
  readonly credentials?: "silent";
  readonly store?: "silent";
  /** What cannot be taken back is given up by itself so many milliseconds later. */
  readonly givenUpAfterMs?: number;
  readonly path?: string;
  readonly model?: string;
}

const PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3";

const PHASES: readonly Phase[] = [
  { name: "what its key may do", store: "silent", givenUpAfterMs: 2_000 },
  { name: "AWS credentials", credentials: "silent" },
  { name: "which model a profile stands for", scheme: "http", model: PROFILE },
  { name: "a TLS handshake with Bedrock", scheme: "https" },
  { name: "the head of an answer", scheme: "http" },
  { name: "a count of tokens", scheme: "http", path: "/v1/messages/count_tokens" },
];

function leave(harness: Harness, { path, model }: Phase): () => Promise<void> {
  const gone = new AbortController();
  const asked = fetch(harness.url + (path ?? "/v1/messages"), {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": harness.key },
    body: JSON.stringify({
      model: model ?? "claude-haiku-4-5",
      ...(path === undefined ? { max_tokens: 50, stream: true } : {}),
      messages: [{ role: "user", content: "hi" }],
    }),
    signal: gone.signal,
  });
  const ended = assert.rejects(asked, /left/);
  return () => {
    gone.abort(new Error("The client has left"));
    return ended;
  };
}

for (const phase of PHASES) {
  Deno.test(`a client that leaves while the gateway waits for ${phase.name} leaves nothing behind`, async () => {
    const clock = new FakeClock(Date.now());
    const mute = new Mute();
    const bad = new BadStore(clock);
    const options: HarnessOptions = {
      clock,
      config: "plugins: [{ use: auth }]\n",
      store: bad.store,
      ...(phase.scheme === undefined ? {} : { endpoint: `${phase.scheme}://${mute.address}` }),
      ...(phase.credentials === undefined ? {} : { credentials: phase.credentials }),
    };
    try {
      await withHarness(options, async (harness) => {
        const { admission, background } = harness.gateway.services;
        const before = clock.pending;
        if (phase.store !== undefined) bad.break(phase.store);
        const go = leave(harness, phase);
        await settled(() =>
          admission.inFlight === 1 && clock.pending > before &&
          (phase.scheme === undefined || mute.heard > 0)
        );
        await go();
        await settled(() => admission.inFlight === 0 && mute.open === 0 && background.size === 0);
        clock.advance(phase.givenUpAfterMs ?? 0);
        await settled(() => clock.pending === before);
        bad.mend();
      });
    } finally {
      await mute.close();
    }
  });
}

Deno.test("a client that leaves while a picture that it names is fetched leaves nothing behind", async () => {
  const clock = new FakeClock(Date.now());
  const fetches = { begun: 0, ended: 0 };
  const fetchUrl: UrlFetcher = (_, { signal }) => {
    fetches.begun++;
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        fetches.ended++;
        reject(signal.reason);
      })
    );
  };
  await withHarness({ clock, fetchUrl }, async (harness) => {
    const { admission, background } = harness.gateway.services;
    const before = clock.pending;
    const picture = { type: "image", source: { type: "url", url: "https://pictures.test/1.png" } };
    const gone = new AbortController();
    const asked = fetch(`${harness.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": harness.key },
      body: JSON.stringify({
        model: "claude-haiku-4-5",
        max_tokens: 50,
        messages: [{ role: "user", content: [picture, picture] }],
      }),
      signal: gone.signal,
    });
    await settled(() => fetches.begun === 2);
    gone.abort(new Error("The client has left"));
    await assert.rejects(asked, /left/);
    await settled(() => fetches.ended === 2 && admission.inFlight === 0 && background.size === 0);
    await settled(() => clock.pending === before);
    assert.equal(admission.bytes, 0);
    assert.equal(harness.simulator.requests.length, 0);
  });
});
