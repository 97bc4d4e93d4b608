/**
 * A refusal that names what the model can do without teaches: it is left out, the request is sent again, and
 * the next one is sent without it at once.
 * @module
 */
import type { MessagesRequest } from "../anthropic/types.ts";
import { lacksBeta } from "./betas.ts";
import { DROPPABLE, droppableOf } from "./droppable.ts";
import type { BedrockError } from "./errors.ts";
import type { Lesson } from "./lessons.ts";
import { OTHER_MEANS, type OtherMeans, otherMeansOf } from "./other_means.ts";

/** What of a request lessons change. */
export interface Teachable {
  /** The body. */
  readonly body: MessagesRequest;
  /** Betas to leave out, by the names that Bedrock knows. */
  readonly refusedBetas: readonly string[];
  /** Fields that were left out of the body: the betas that bring them go along. */
  readonly refusedFields: readonly string[];
  /** What must be done by other means. */
  readonly refused: readonly OtherMeans[];
}

const BETA = "beta:";

/** Whether a lesson is of a beta. */
function isBeta(lesson: Lesson): boolean {
  return lesson.startsWith(BETA);
}

/** The request without what was learned, and the names of what was in its body. */
export function withoutLessons<T extends Teachable>(
  request: T,
  lessons: readonly Lesson[],
): { request: T; dropped: readonly string[] } {
  if (lessons.length === 0) return { request, dropped: [] };
  const refusedBetas = lessons.filter(isBeta).map((lesson) => lesson.slice(BETA.length));
  let { body } = request;
  const dropped: string[] = [];
  for (const { name, without } of DROPPABLE) {
    if (!lessons.includes(name)) continue;
    const next = without(body);
    if (next !== body) dropped.push(name);
    body = next;
  }
  const refused = OTHER_MEANS.filter((name) => lessons.includes(name));
  return {
    request: { ...request, body, refusedBetas, refusedFields: dropped, refused },
    dropped,
  };
}

const NAMED_BETA = /Unexpected value\(s\) (.+?) for the `anthropic-beta` header/;
const UNNAMED_BETA = /invalid beta flag/i;

/** What was sent when a refusal came. */
export interface Sent {
  /** The body, before its route's own rules. */
  readonly body: MessagesRequest;
  /** Betas, by the names that Bedrock knows. */
  readonly betas: readonly string[];
  /** Service tier. */
  readonly tier: string | undefined;
}

/** Says that the model does not know the thing, rather than the value that this client gave it. */
const OF_THE_MODEL =
  /Extra inputs are not permitted|not supported|n't support|does not support|unsupported|deprecated/i;

/** Refused for its value as well as by models that do not know it: the words tell which. */
const HAS_VALUES: ReadonlySet<Lesson> = new Set<Lesson>([
  ...DROPPABLE.map(({ name }) => name),
  "tool_choice",
]);

/**
 * What one request leaves out: what was known before, and what its own refusals teach.
 *
 * "invalid beta flag" names no beta: the first half of them is left out, then the second, then all.
 *
 * Only what is sure to be the model's own is remembered for others: one client's wrong value, or a beta that stood
 * beside a wrong one, must not take a feature from everybody for a day.
 */
export class LessonPlan {
  readonly #known: readonly Lesson[];
  #fields: readonly Lesson[] = [];
  /** Of the fields, those that are this request's own affair. */
  #ownFields: readonly Lesson[] = [];
  #betas: readonly Lesson[] = [];
  /** Betas that were sent when the first unnamed refusal came, and how many of those refusals there were. */
  #suspects: { readonly all: readonly string[]; refusals: number } | undefined;

  /** Begins with what is known of the model. */
  constructor(known: readonly Lesson[]) {
    this.#known = known;
  }

  /** What this request has learned of the model, for others to know. */
  get learned(): readonly Lesson[] {
    const sure = this.#suspects === undefined || this.#betas.length === 1;
    const fields = this.#fields.filter((lesson) => !this.#ownFields.includes(lesson));
    return [...fields, ...sure ? this.#betas : []];
  }

  /** Everything to leave out. */
  get all(): readonly Lesson[] {
    return [...this.#known, ...this.#fields, ...this.#betas];
  }

  /** Learns from a refusal; false if it teaches nothing that another try could use. */
  take(error: BedrockError, sent: Sent): boolean {
    if (error.status !== 400 && error.status !== 403) return false;
    const { message } = error;
    if (UNNAMED_BETA.test(message)) return this.#takeUnnamedBeta(sent);
    const named = NAMED_BETA.exec(message)?.[1];
    if (named !== undefined) {
      const refused = [...named.matchAll(/`([^`]+)`/g)].map(([, beta]) => beta ?? "");
      const found = refused.filter((beta) => sent.betas.includes(beta));
      this.#betas = [...this.#betas, ...found.map((beta) => BETA + beta)];
      return found.length > 0;
    }
    const means = otherMeansOf(message, sent);
    if (means !== undefined && !this.all.includes(means)) {
      return this.#takeField(means, message, sent);
    }
    const droppable = droppableOf(message);
    // What is not in the request is not what was refused, whatever the words are.
    if (droppable === undefined || droppable.without(sent.body) === sent.body) return false;
    return this.#takeField(droppable.name, message, sent);
  }

  #takeField(lesson: Lesson, message: string, { betas }: Sent): true {
    this.#fields = [...this.#fields, lesson];
    const ofValue = HAS_VALUES.has(lesson) && !OF_THE_MODEL.test(message);
    // A field without its beta is refused by models that take both.
    if (ofValue || lacksBeta(lesson, betas)) {
      this.#ownFields = [...this.#ownFields, lesson];
    }
    return true;
  }

  #takeUnnamedBeta(sent: Sent): boolean {
    this.#suspects ??= { all: sent.betas, refusals: 0 };
    const { all, refusals } = this.#suspects;
    const half = Math.ceil(all.length / 2);
    const suspects = [all.slice(0, half), all.slice(half), all][refusals] ?? [];
    this.#suspects.refusals++;
    this.#betas = suspects.map((beta) => BETA + beta);
    return suspects.length > 0;
  }
}
