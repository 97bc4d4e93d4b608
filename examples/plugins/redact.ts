/**
 * `redact`: personal data is replaced before a request leaves for the model, and in what the model answers: e-mail
 * addresses, phone numbers with their country code, payment cards (with a valid check digit), IBANs, and patterns of
 * your own.
 *
 * - In: system prompt, texts, tool results, tool inputs of earlier turns, plain-text documents.
 * - Out: texts, also where a match is spread over several events, citations, and tool inputs, which are held until
 *   they are whole, as only then they can be read.
 * - Thinking stays as it is: it is signed, and the model has only seen what was replaced.
 *
 * ```yaml
 * plugins:
 *   - use: auth
 *   - use: ./examples/plugins/redact.ts
 *     with: { patterns: [ { name: ticket, pattern: "TCK-[0-9]{6}", longest: 10 } ] }
 * ```
 *
 * @module
 */
import type { AnthropicEvent, EventContext, PluginFactory } from "../../src/pipeline/plugin.ts";

interface Pattern {
  readonly name: string;
  /** What is replaced. It must not match the empty text. */
  readonly source: string;
  /** The end of a text that may be the beginning of a match, or a match that is to go on. */
  readonly partial: string;
  readonly valid?: (match: string) => boolean;
}

/** The check digit of payment cards (ISO/IEC 7812-1, Luhn). */
function luhn(text: string): boolean {
  const digits = [...text].filter((char) => char >= "0" && char <= "9").map(Number).reverse();
  const sum = digits.reduce((total, digit, at) => {
    const twice = at % 2 === 1 ? digit * 2 : digit;
    return total + (twice > 9 ? twice - 9 : twice);
  }, 0);
  return digits.length >= 13 && sum % 10 === 0;
}

const BUILT_IN: readonly Pattern[] = [
  {
    name: "email",
    source: "(?<![\\w.+%-])[\\w.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\\.[A-Za-z0-9-]{1,63}){1,3}",
    partial: "[\\w.+%-]{1,64}(?:@[A-Za-z0-9.-]{0,257})?",
  },
  {
    name: "iban",
    source: "\\b[A-Z]{2}\\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\\b",
    partial: "[A-Z](?:[A-Z](?:\\d(?:\\d[A-Z0-9 ]{0,41})?)?)?",
  },
  {
    name: "card",
    source: "(?<![\\d.-])\\d(?:[ -]?\\d){12,18}(?!\\d)",
    partial: "\\d[\\d -]{0,38}",
    valid: luhn,
  },
  {
    name: "phone",
    source: "\\+\\d(?:[ ().\\/-]{0,2}\\d){7,14}(?!\\d)",
    partial: "\\+[\\d ().\\/-]{0,46}",
  },
];

/** Replaces personal data in texts. */
class Redactor {
  readonly #patterns: readonly Pattern[];
  readonly #any: RegExp;
  /** For each pattern by itself: the earliest end of text that may be its match counts. */
  readonly #partial: readonly RegExp[];

  constructor(patterns: readonly Pattern[]) {
    this.#patterns = patterns;
    this.#any = new RegExp(patterns.map(({ source }) => `(${source})`).join("|"), "g");
    this.#partial = patterns.map(({ partial }) => new RegExp(`(?:${partial})$`));
  }

  /** The text with each match replaced. */
  text(text: string): string {
    return this.part("", text, true).done;
  }

  /**
   * As much of the text as can be told, replaced; and the rest, which may be the beginning of a match.
   *
   * @param before What stood before the text: its last character says where words begin
   */
  part(before: string, text: string, last: boolean): { done: string; rest: string } {
    const whole = before + text;
    let end = last ? whole.length : this.#safeEnd(whole, before.length);
    let done = "";
    let from = before.length;
    this.#any.lastIndex = from;
    for (let match = this.#any.exec(whole); match !== null; match = this.#any.exec(whole)) {
      const { index, 0: found } = match;
      if (index >= end) break;
      if (index + found.length > end) {
        end = index; // whether it ends there, only what follows tells
        break;
      }
      const which = match.findIndex((group, at) => at > 0 && group !== undefined) - 1;
      const { name, valid } = this.#patterns[which] ?? { name: "text" };
      const personal = valid === undefined || valid(found);
      done += whole.slice(from, index) + (personal ? `[${name}]` : found);
      from = index + found.length;
    }
    return { done: done + whole.slice(from, end), rest: whole.slice(end) };
  }

  /** Strings in a value of any shape, but for what is no text: ids, signatures, data. */
  value<T>(value: T): T {
    if (typeof value === "string") return this.text(value) as T;
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.value(item)) as T;
    return Object.fromEntries(
      Object.entries(value).map((
        [name, member],
      ) => [name, OPAQUE.has(name) ? member : this.value(member)]),
    ) as T;
  }

  /** A block of a request or an answer. */
  block<T extends object>(block: T): T {
    const { type, source } = block as { type?: unknown; source?: { type?: unknown } };
    if (typeof type === "string" && type.includes("thinking")) return block;
    const plain = source?.type === "text" || source?.type === "content";
    if (source === undefined || !plain) return this.value(block);
    const { data, content } = source as { data?: unknown; content?: unknown };
    return {
      ...this.value({ ...block, source: undefined }),
      source: {
        ...source,
        ...(data === undefined ? {} : { data: this.value(data) }),
        ...(content === undefined ? {} : { content: this.value(content) }),
      },
    };
  }

  /** What stands before this place is no beginning of a match, nor a match that may go on. */
  #safeEnd(whole: string, from: number): number {
    const text = whole.slice(from);
    const ends = this.#partial.map((partial) => partial.exec(text)?.index ?? text.length);
    return from + Math.min(text.length, ...ends);
  }
}

/** Members that are no text, and whose change would break what they stand for. */
const OPAQUE: ReadonlySet<string> = new Set([
  ...["id", "tool_use_id", "type", "name", "signature", "data", "encrypted_content", "source"],
  ...["encrypted_index", "cache_control", "media_type", "file_id", "role", "caller"],
]);

/** What is held of an answer's blocks. */
interface Held {
  /** Of a text: what may be the beginning of a match. */
  rest: string;
  /** Of a text: the last character that was passed on. */
  before: string;
  /** Of a tool's input: its JSON so far. */
  json: string;
}

type BlockEvent = AnthropicEvent & { readonly index: number };

/** Replaces personal data in the events of one answer. */
class AnswerRedactor {
  readonly #redactor: Redactor;
  readonly #held = new Map<number, Held>();

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  event(event: AnthropicEvent): AnthropicEvent | readonly AnthropicEvent[] {
    switch (event.type) {
      case "content_block_start": {
        this.#held.set(event.index, { rest: "", before: "", json: "" });
        return { ...event, content_block: this.#redactor.block(event.content_block) };
      }
      case "content_block_delta":
        return this.#delta(event, event.delta);
      case "content_block_stop":
        return [...this.#flush(event), event];
      default:
        return event;
    }
  }

  #delta(event: BlockEvent, delta: { readonly type: string; readonly [field: string]: unknown }) {
    const held = this.#held.get(event.index);
    if (held === undefined) return event;
    if (delta.type === "text_delta" && typeof delta["text"] === "string") {
      const { done, rest } = this.#redactor.part(held.before, held.rest + delta["text"], false);
      const passed = held.rest + delta["text"];
      held.before = passed.slice(0, passed.length - rest.length).at(-1) ?? held.before;
      held.rest = rest;
      return done === "" ? [] : { ...event, delta: { ...delta, text: done } } as AnthropicEvent;
    }
    if (delta.type === "input_json_delta" && typeof delta["partial_json"] === "string") {
      held.json += delta["partial_json"];
      return [];
    }
    if (delta.type !== "citations_delta") return event;
    return { ...event, delta: this.#redactor.value(delta) } as AnthropicEvent;
  }

  #flush({ index }: BlockEvent): AnthropicEvent[] {
    const held = this.#held.get(index);
    this.#held.delete(index);
    const deltas: AnthropicEvent[] = [];
    const add = (delta: { type: string; [field: string]: string }) =>
      deltas.push({ type: "content_block_delta", index, delta });
    if (held !== undefined && held.rest !== "") {
      add({ type: "text_delta", text: this.#redactor.part(held.before, held.rest, true).done });
    }
    if (held !== undefined && held.json !== "") {
      add({ type: "input_json_delta", partial_json: this.#inputText(held.json) });
    }
    return deltas;
  }

  /** A tool's input, as the model wrote it where nothing in it is personal. */
  #inputText(json: string): string {
    let input: unknown;
    try {
      input = JSON.parse(json);
    } catch {
      return this.#redactor.text(json); // cut off by the end of the answer: text as any other
    }
    const replaced = JSON.stringify(this.#redactor.value(input));
    return replaced === JSON.stringify(input) ? json : replaced;
  }
}

/** The plugin. */
const redact: PluginFactory = ({ define, z }) =>
  define({
    name: "redact",
    schema: z.strictObject({
      kinds: z.array(z.enum(["email", "iban", "card", "phone"])).default([
        "email",
        "iban",
        "card",
        "phone",
      ]).describe("Kinds of personal data that are replaced."),
      patterns: z.array(z.strictObject({
        name: z.string().regex(/^[a-z_]{1,20}$/).describe(
          "Stands in the place of a match: [name].",
        ),
        pattern: z.string().min(1).describe(
          "Regular expression; it must not match the empty text.",
        ),
        longest: z.int().min(1).max(500).describe(
          "Characters of its longest match: so many of a streamed text are held back.",
        ),
      })).default([]).describe("Patterns of your own."),
    }).prefault({}),
    setup({ kinds, patterns }) {
      const redactor = new Redactor([
        ...BUILT_IN.filter(({ name }) => kinds.some((kind) => kind === name)),
        ...patterns.map(({ name, pattern, longest }) => ({
          name,
          source: `(?:${pattern})`,
          partial: `[^]{1,${longest}}`,
        })),
      ]);
      const answers = new WeakMap<EventContext["state"], AnswerRedactor>();
      return {
        onCall(ctx) {
          const { body } = ctx;
          const content = (value: string | readonly object[]) =>
            typeof value === "string"
              ? redactor.text(value)
              : value.map((block) => redactor.block(block));
          const messages = body.messages.map((message) => ({
            ...message,
            content: content(message.content),
          }));
          const system = body.system === undefined ? {} : { system: content(body.system) };
          ctx.body = { ...body, ...system, messages } as typeof body;
        },
        onEvent(event, ctx) {
          let answer = answers.get(ctx.state);
          if (answer === undefined) answers.set(ctx.state, answer = new AnswerRedactor(redactor));
          return answer.event(event);
        },
      };
    },
  });

export default redact;
