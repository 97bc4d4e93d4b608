/**
 * Headers of an answer, as plugins see them: `Headers`, at a fraction of its cost, which is paid once when the answer
 * is made.
 *
 * Source: WHATWG Fetch, Headers class.
 * @module
 */

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[^\0\r\n\u0100-\uffff]*$/;
const COOKIE = "set-cookie";

/** Names that were found to be such, in small letters: an answer has the same ones again and again. */
const known = new Map<string, string>();
const MOST_KNOWN = 256;

function nameOf(name: string): string {
  const before = known.get(name);
  if (before !== undefined) return before;
  const text = String(name);
  if (!NAME.test(text)) {
    throw new TypeError(
      `Cannot use a header's name that must be a token: it is ${text.slice(0, 80)}`,
    );
  }
  const small = text.toLowerCase();
  if (known.size < MOST_KNOWN) known.set(name, small);
  return small;
}

function valueOf(name: string, value: string): string {
  const text = String(value).replace(/^[\t\r\n ]+|[\t\r\n ]+$/g, "");
  if (VALUE.test(text)) return text;
  throw new TypeError(`Cannot use a value of header ${name} that must be one line of Latin-1`);
}

/** Headers that an answer will have, beside those that all have. */
export class AnswerHeaders implements Headers {
  readonly #values = new Map<string, string>();
  readonly #cookies: string[] = [];

  /** Sets one, in place of what it was. */
  set(name: string, value: string): void {
    const small = nameOf(name);
    const text = valueOf(small, value);
    if (small === COOKIE) this.#cookies.splice(0, Infinity, text);
    else this.#values.set(small, text);
  }

  /** Adds to what one is. */
  append(name: string, value: string): void {
    const small = nameOf(name);
    const text = valueOf(small, value);
    if (small === COOKIE) return void this.#cookies.push(text);
    const before = this.#values.get(small);
    this.#values.set(small, before === undefined ? text : `${before}, ${text}`);
  }

  /** Takes one away. */
  delete(name: string): void {
    const small = nameOf(name);
    if (small === COOKIE) this.#cookies.length = 0;
    else this.#values.delete(small);
  }

  /** What one is; null if it is not set. */
  get(name: string): string | null {
    const small = nameOf(name);
    if (small !== COOKIE) return this.#values.get(small) ?? null;
    return this.#cookies.length === 0 ? null : this.#cookies.join(", ");
  }

  /** Whether one is set. */
  has(name: string): boolean {
    return this.get(name) !== null;
  }

  /** Cookies, each as it was set. */
  getSetCookie(): string[] {
    return [...this.#cookies];
  }

  /** Calls back for each. */
  forEach(callback: (value: string, name: string, parent: this) => void, self?: unknown): void {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  /** Names and values, in the order of names. */
  *entries(): IterableIterator<[string, string]> {
    const cookies = this.#cookies.map((value): [string, string] => [COOKIE, value]);
    const all = [...this.#values, ...cookies];
    yield* all.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  }

  /** Names, in order. */
  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  /** Values, in the order of names. */
  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  /** See {@link entries}. */
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  /** Sets all of them on an answer. */
  putOn(headers: Headers): void {
    for (const [name, value] of this.#values) headers.set(name, value);
    for (const cookie of this.#cookies) headers.append(COOKIE, cookie);
  }
}
