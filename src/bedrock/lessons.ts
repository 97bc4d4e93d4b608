/**
 * What models were found to refuse, kept for a day and shared through the store: every replica learns once.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Store } from "../storage/store.ts";

/** One thing that a model refuses by a route: the name of a droppable, or `beta:NAME`. */
export type Lesson = string;

/** What is known of one model and route. */
export interface KnownLessons {
  /** Bedrock model id. */
  readonly modelId: string;
  /** Route. */
  readonly route: string;
  /** What is left out, and until when (ISO time). */
  readonly lessons: readonly { readonly lesson: Lesson; readonly until: string }[];
}

const PARTITION = "lessons";
/** A model that is mended is given its fields again the day after. */
const KEPT_MS = 24 * 3_600_000;
/** How old the view of the store may be: another replica's lesson saves this one a refusal, no more. */
const FRESH_MS = 60_000;
/** Models remembered in this process. */
const MOST_MODELS = 1_000;

interface Held {
  /** Until when, in Unix milliseconds, by lesson. */
  readonly lessons: Map<Lesson, number>;
  readAt: number;
  reading: Promise<void> | undefined;
}

/** Remembers lessons. */
export class Lessons {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();

  /** Reads nothing yet. */
  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** What to leave out for a model and route: what is known at once; the store is looked at behind it. */
  of(modelId: string, route: string): Lesson[] {
    const held = this.#open(modelId, route);
    const now = this.#clock.now();
    if (held.reading === undefined && now - held.readAt >= FRESH_MS) {
      held.readAt = now;
      held.reading = this.#read(modelId, route, held).finally(() => held.reading = undefined);
    }
    return [...held.lessons].filter(([, until]) => until > now).map(([lesson]) => lesson);
  }

  /** Remembers lessons; resolves when the store has them, or could not take them. */
  async learn(modelId: string, route: string, lessons: readonly Lesson[]): Promise<void> {
    const until = this.#clock.now() + KEPT_MS;
    const held = this.#open(modelId, route);
    for (const lesson of lessons) held.lessons.set(lesson, until);
    const value = { modelId, route, lessons: [...held.lessons] };
    await this.#store.put([PARTITION, keyOf(modelId, route)], value, { expiresAt: until });
  }

  /** Everything that is in the store. */
  async *list(): AsyncIterable<KnownLessons> {
    for await (const { value } of this.#store.list<Stored>(PARTITION)) {
      const now = this.#clock.now();
      const lessons = value.lessons.filter(([, until]) => until > now)
        .map(([lesson, until]) => ({ lesson, until: new Date(until).toISOString() }));
      yield { modelId: value.modelId, route: value.route, lessons };
    }
  }

  #open(modelId: string, route: string): Held {
    const key = keyOf(modelId, route);
    let held = this.#held.get(key);
    if (held === undefined) {
      if (this.#held.size >= MOST_MODELS) this.#held.clear(); // ids may be a client's inventions
      held = { lessons: new Map(), readAt: -Infinity, reading: undefined };
      this.#held.set(key, held);
    }
    return held;
  }

  /** A store that does not answer costs a refusal that would have been spared, and nothing else. */
  async #read(modelId: string, route: string, held: Held): Promise<void> {
    try {
      const entry = await this.#store.get<Stored>([PARTITION, keyOf(modelId, route)]);
      for (const [lesson, until] of entry?.value.lessons ?? []) {
        held.lessons.set(lesson, Math.max(until, held.lessons.get(lesson) ?? 0));
      }
    } catch {
      held.readAt = -Infinity;
    }
  }
}

interface Stored {
  readonly modelId: string;
  readonly route: string;
  readonly lessons: readonly (readonly [Lesson, number])[];
}

function keyOf(modelId: string, route: string): string {
  return `${route} ${modelId}`.slice(0, 300);
}
