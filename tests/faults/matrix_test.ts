/**
 * The fault matrix: each fault by each route, for a client that streams and one that does not. A line at the end
 * counts those that were survived: the client saw what its row says, and nothing was left behind.
 */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, startHarness } from "../harness.ts";
import { pluginSource, seen as ended } from "../pipeline/plugins.ts";
import { settled } from "../wait.ts";
import { assertTold, assertView, type Seen } from "./matrix/check.ts";
import { TOLD_FAULTS } from "./matrix/exceptions.ts";
import { type Fault, type Play, type Route, ROUTES } from "./matrix/fault.ts";
import { BadStore, OWN_FAULTS } from "./matrix/own.ts";
import { type RawBedrock, startRawBedrock } from "./matrix/raw_bedrock.ts";
import { STREAM_FAULTS } from "./matrix/streams.ts";
import { TRANSPORT_FAULTS } from "./matrix/transport.ts";

const FAULTS: readonly Fault[] = [
  ...TOLD_FAULTS,
  ...STREAM_FAULTS,
  ...TRANSPORT_FAULTS,
  ...OWN_FAULTS,
];

const CONFIG = `
models:
  aliases:
    converse: { model: claude-haiku-4-5, route: converse }
    invoke: { model: claude-haiku-4-5, route: invoke }
    messages: { model: claude-haiku-4-5, route: messages }
    mantle: { model: claude-haiku-4-5, route: mantle }
plugins:
  - use: auth
  - use: ./witness.ts
`;
/** With a plugin that writes to the store. */
const RECORDING = `${CONFIG}  - use: usage\n`;

/** One fault by one route, for one kind of client. */
interface Instance {
  readonly fault: Fault;
  readonly play: Play;
  readonly route: Route;
  readonly streaming: boolean;
}

function instancesOf(fault: Fault): Instance[] {
  return (fault.routes ?? ROUTES).flatMap((route) =>
    [fault.streaming, fault.whole].flatMap((play, index) =>
      play === undefined ? [] : [{ fault, play, route, streaming: index === 0 }]
    )
  );
}

async function read(response: Response): Promise<Seen> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const STEP_MS = 4_000;
/** Turns of the event loop between two steps of time: what a step sets going must come to rest. */
const TURNS = 10;

/** Whether somebody is waited for who says nothing. */
function silent({ store, credentials }: Fault, raw: RawBedrock, harness: Harness): boolean {
  if (raw.stalled) return true;
  const { inFlight } = harness.gateway.services.admission;
  return inFlight > 0 && (store === "silent" || credentials === "silent");
}

interface Passing {
  readonly fault: Fault;
  readonly clock: FakeClock;
  readonly raw: RawBedrock;
  readonly play: Play;
  /** Whether the client has got the beginning. */
  readonly began: () => boolean;
  readonly done: () => boolean;
}

/** Lets time pass where it must: between two tries, and while the other side is silent. */
async function pass(
  harness: Harness,
  { fault, clock, raw, play, began, done }: Passing,
): Promise<void> {
  let told = 0;
  let left = play.passMs ?? 0;
  let turns = 0;
  let passed = 0;
  await settled(() => {
    for (; told < harness.log.length; told++) {
      const wait = /Trying again in.*"wait":(\d+)/.exec(harness.log[told] ?? "")?.[1] ??
        /Trying again in (\d+)/.exec(harness.log[told] ?? "")?.[1];
      if (wait !== undefined) clock.advance(Number(wait) + 1);
    }
    const quiet = silent(fault, raw, harness) && ++turns % TURNS === 0;
    const begun = began() || !("began" in play.view);
    if (quiet && begun && left > 0) {
      const step = Math.min(left, STEP_MS);
      left -= step;
      clock.advance(step);
    }
    const tries = fault.tls === undefined ? 1 : raw.requests;
    if (quiet && play.passMsEach !== undefined && passed < tries) {
      passed = tries;
      clock.advance(play.passMsEach);
    }
    return done();
  });
}

async function survive({ fault, play, route, streaming }: Instance, folder: string): Promise<void> {
  const raw = await startRawBedrock({ route, tries: play.tries, onConnect: fault.tls });
  const clock = new FakeClock(Date.now());
  const bad = new BadStore(clock);
  const harness = await startHarness({
    clock,
    config: fault.store === undefined ? CONFIG : RECORDING,
    endpoint: raw.url,
    base: folder,
    store: bad.store,
    ...(fault.credentials === undefined
      ? {}
      : { credentials: fault.credentials === "none" ? new Error("No provider") : "silent" }),
  });
  if (fault.store === "gone later") await harness.gateway.keys.verify(harness.key);
  if (fault.store !== undefined) bad.break(fault.store === "gone later" ? "gone" : fault.store);
  ended.length = 0;
  try {
    let head: Response | undefined;
    let answer: Seen | undefined;
    const pending = harness.post({
      model: route,
      max_tokens: 100,
      stream: streaming,
      messages: [{ role: "user", content: "Say eight words" }],
    }).then((response) => read(head = response)).then((seen) => answer = seen);
    const passing = { fault, clock, raw, play, began: () => head !== undefined };
    await pass(harness, { ...passing, done: () => answer !== undefined });
    assertView(await pending, play, streaming);
    assert.equal(raw.requests, play.count, "tries that reached the other side");
    const { admission, background, counts } = harness.gateway.services;
    await pass(harness, {
      ...passing,
      done: () =>
        admission.inFlight === 0 && background.size === 0 && raw.open === 0 &&
        (clock.pending === 0 || fault.store !== undefined), // what could not be written is tried again later
    });
    assert.equal(ended.length, 1, `onComplete ran once: ${ended}`);
    assertTold(await pending, play, { log: harness.log, counts });
  } finally {
    bad.mend();
    await harness.close();
    await raw.close();
  }
}

Deno.test("every fault of the matrix is survived", async (t) => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/witness.ts`,
    pluginSource(
      "witness",
      "setup: () => ({ onComplete(ctx) { globalThis.seen.push(`${ctx.outcome} ${ctx.status}`); } })",
    ),
  );
  const all = FAULTS.flatMap(instancesOf);
  let survived = 0;
  try {
    for (const fault of FAULTS) {
      await t.step(fault.name, async () => {
        for (const instance of instancesOf(fault)) {
          const { route, streaming } = instance;
          try {
            await survive(instance, folder);
            survived++;
          } catch (cause) {
            const how = streaming ? "streaming" : "whole";
            throw new Error(`${fault.name} (${route}, ${how})`, { cause });
          }
        }
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assert.ok(FAULTS.length >= 60);
  assert.equal(new Set(FAULTS.map(({ name }) => name)).size, FAULTS.length, "names are told apart");
  const line = `faults survived: ${survived}/${all.length} (${FAULTS.length} faults)\n`;
  await Deno.stdout.write(new TextEncoder().encode(line));
  assert.equal(survived, all.length);
});
