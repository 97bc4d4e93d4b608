/**
 * Stop sequences for families that do not take them: watched for in the text as it streams.
 *
 * Text is held back only while a stop sequence could still begin in it.
 * @module
 */

/** Text that may go out, and the sequence that was met. */
export interface Watched {
  /** What may go out now. */
  readonly text: string;
  /** The stop sequence that ended the answer. */
  readonly matched: string | undefined;
}

/** Watches one answer's text. */
export class StopWatcher {
  readonly #sequences: readonly string[];
  #held = "";
  #matched: string | undefined;

  /** Of sequences that are met at one place, the first of the list wins. */
  constructor(sequences: readonly string[]) {
    this.#sequences = sequences.filter((sequence) => sequence !== "");
  }

  /** The sequence that ended the answer. */
  get matched(): string | undefined {
    return this.#matched;
  }

  /** Takes the next part of the text. After a match nothing goes out any more. */
  push(part: string): Watched {
    if (this.#matched !== undefined) return { text: "", matched: this.#matched };
    const text = this.#held + part;
    const end = this.#earliestEnd(text);
    if (end !== undefined) {
      this.#matched = end.sequence;
      this.#held = "";
      return { text: text.slice(0, end.at), matched: end.sequence };
    }
    const keep = this.#couldBegin(text);
    this.#held = text.slice(text.length - keep);
    return { text: text.slice(0, text.length - keep), matched: undefined };
  }

  /** What was held back when the text ends: no sequence can begin in it any more. */
  flush(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /** The match that a model which stops by itself would have made: the one that is whole first. */
  #earliestEnd(text: string): { at: number; sequence: string } | undefined {
    let best: { at: number; end: number; sequence: string } | undefined;
    for (const sequence of this.#sequences) {
      const at = text.indexOf(sequence);
      if (at < 0) continue;
      const end = at + sequence.length;
      if (best === undefined || end < best.end || (end === best.end && at < best.at)) {
        best = { at, end, sequence };
      }
    }
    return best;
  }

  /** How many characters at the end could be the beginning of a sequence. */
  #couldBegin(text: string): number {
    let most = 0;
    for (const sequence of this.#sequences) {
      for (let size = Math.min(sequence.length - 1, text.length); size > most; size--) {
        if (text.endsWith(sequence.slice(0, size))) most = size;
      }
    }
    return most;
  }
}
