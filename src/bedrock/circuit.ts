/**
 * Which targets have lately failed so often that others are asked first.
 *
 * A target is a model, by a route, in a region. When at least half of its tries failed within the last seconds, its
 * circuit opens: the target goes to the end of the list of who is asked, and gets one try instead of several. From
 * time to time one request asks it in its own place (the circuit is half open); any answer of it closes the circuit.
 *
 * No request is refused, and none waits, because of an open circuit: a target that stands alone is still asked, once,
 * and its failure is told at once. So there is no cooling down that a single deployment would be punished with.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Target } from "./models.ts";

/** A window is two slots: tries of this one and of the one before count. */
const SLOT_MS = 15_000;
/** Failures within the window before a circuit opens. */
const FEWEST_FAILURES = 5;
/** Share of tries that failed, from which on a circuit opens. */
const FAILED_SHARE = 0.5;
/** Between an opening and the first try in the target's own place; doubles as long as it fails. */
const FIRST_PROBE_MS = 2_000;
const LONGEST_PROBE_MS = 30_000;
/** Targets remembered: clients may name models of their own making. */
const MOST_TARGETS = 1_000;

interface Slot {
  since: number;
  ok: number;
  failed: number;
}

interface Entry {
  now: Slot;
  before: Slot;
  /** While open: when the target may next be asked in its own place. */
  probeAt: number | undefined;
  /** Whether a request is on its way to find out. */
  probing: boolean;
  probeMs: number;
}

function emptySlot(since: number): Slot {
  return { since, ok: 0, failed: 0 };
}

function keyOf({ route, region, modelId }: Target): string {
  return `${route} ${region} ${modelId}`;
}

/** The circuits of all targets; nothing is kept of those that do not fail. */
export class Circuits {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  /** All are closed. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a target failed too often to be asked more than once. */
  isOpen(target: Target): boolean {
    return this.#entries.size > 0 && this.#entries.get(keyOf(target))?.probeAt !== undefined;
  }

  /** Whether a target is to be asked in its own place: its circuit is closed, or this request is the one to find out. */
  mayLead(target: Target): boolean {
    const entry = this.#entries.size > 0 ? this.#entries.get(keyOf(target)) : undefined;
    if (entry?.probeAt === undefined) return true;
    const now = this.#clock.monotonic();
    if (now < entry.probeAt) return false;
    entry.probing = true;
    entry.probeAt = now + entry.probeMs; // one at a time; and one that gets no answer holds nobody up
    return true;
  }

  /** A target answered, be it a refusal. */
  succeeded(target: Target, log: Log): void {
    if (this.#entries.size === 0) return;
    const key = keyOf(target);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (entry.probeAt !== undefined) {
      this.#entries.delete(key);
      log.info("Circuit of {model} closes: it answers again", { ...told(target) });
      return;
    }
    this.#slotOf(entry).ok++;
    if (entry.now.failed + entry.before.failed === 0) this.#entries.delete(key);
  }

  /** A target failed in a way that another try, or another target, might mend. */
  failed(target: Target, log: Log): void {
    const key = keyOf(target);
    const entry = this.#entries.get(key) ?? this.#enter(key);
    const slot = this.#slotOf(entry);
    slot.failed++;
    const now = this.#clock.monotonic();
    if (entry.probeAt !== undefined) {
      if (!entry.probing) return;
      entry.probing = false;
      entry.probeMs = Math.min(entry.probeMs * 2, LONGEST_PROBE_MS);
      entry.probeAt = now + entry.probeMs;
      return;
    }
    const failed = entry.now.failed + entry.before.failed;
    const ok = entry.now.ok + entry.before.ok;
    if (failed < FEWEST_FAILURES || failed < FAILED_SHARE * (failed + ok)) return;
    entry.probeAt = now + entry.probeMs;
    log.warning("Circuit of {model} opens: it is asked last, and once, until it answers", {
      ...told(target),
      failed,
      tries: failed + ok,
    });
  }

  #enter(key: string): Entry {
    if (this.#entries.size >= MOST_TARGETS) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    const now = this.#clock.monotonic();
    const entry: Entry = {
      now: emptySlot(now),
      before: emptySlot(now - SLOT_MS),
      probeAt: undefined,
      probing: false,
      probeMs: FIRST_PROBE_MS,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #slotOf(entry: Entry): Slot {
    const now = this.#clock.monotonic();
    const age = now - entry.now.since;
    if (age >= SLOT_MS) {
      entry.before = age < 2 * SLOT_MS ? entry.now : emptySlot(now - SLOT_MS);
      entry.now = emptySlot(now);
    }
    return entry.now;
  }
}

function told({ modelId, route, region }: Target): Record<string, string> {
  return { model: modelId, route, region };
}
