/**
 * Headers of an answer. Most answers have three, set by ourselves: a list of them costs a third of `Headers`, which
 * plugins get when they ask.
 * @module
 */

/** Headers that an answer will have, beside those that all have. */
export class AnswerHeaders {
  #list: (readonly [name: string, value: string])[] = [];
  #shown: Headers | undefined;

  /** Sets one; `name` in small letters. */
  set(name: string, value: string): void {
    if (this.#shown !== undefined) return this.#shown.set(name, value);
    this.#list = this.#list.filter(([other]) => other !== name);
    this.#list.push([name, value]);
  }

  /** Whether one is set; `name` in small letters. */
  has(name: string): boolean {
    return this.#shown?.has(name) ?? this.#list.some(([other]) => other === name);
  }

  /** What plugins see, and set theirs on. */
  get shown(): Headers {
    if (this.#shown !== undefined) return this.#shown;
    const shown = this.#shown = new Headers();
    for (const [name, value] of this.#list) shown.set(name, value);
    return shown;
  }

  /** Sets all of them on an answer. */
  putOn(headers: Headers): void {
    // A cookie may be set more than once: each is a header of its own.
    for (const [name, value] of this.#shown ?? []) {
      if (name === "set-cookie") headers.append(name, value);
      else headers.set(name, value);
    }
    if (this.#shown === undefined) {
      for (const [name, value] of this.#list) headers.set(name, value);
    }
  }
}
