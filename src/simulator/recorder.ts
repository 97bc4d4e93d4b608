/**
 * What the simulator was asked: for tests that look at Bedrock's side.
 * @module
 */

/** One request. */
export interface RecordedRequest {
  /** HTTP method. */
  readonly method: string;
  /** Path as it was sent, percent-encoded. */
  readonly path: string;
  /** Headers. */
  readonly headers: Headers;
  /** Body as text. */
  readonly text: string;
  /** Model id, decoded; empty where there is none. */
  readonly modelId: string;
  /** SigV4 service that signed it; for an API key mantle's, where it can be nobody else's, else undefined. */
  service: string | undefined;
  /** Whether the client left before the answer ended. */
  aborted: boolean;
  /** Whether the answer was sent to its end. */
  finished: boolean;
}

/** Tells the request that is wanted. */
export type Predicate = (request: RecordedRequest) => boolean;

/** Requests kept. */
const KEPT = 1_000;

/** Keeps the newest requests, and tells who waits for one. */
export class Recorder {
  #requests: RecordedRequest[] = [];
  readonly #open = new Set<RecordedRequest>();
  #waiting: { readonly wanted: Predicate; readonly found: (request: RecordedRequest) => void }[] =
    [];

  /** The newest requests, newest last. */
  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** Requests whose answer is under way. */
  get open(): number {
    return this.#open.size;
  }

  /** Keeps a request. */
  add(request: RecordedRequest): void {
    this.#requests.push(request);
    this.#open.add(request);
    if (this.#requests.length > KEPT) this.#requests.shift();
    this.changed(request);
  }

  /** Tells that a request has become another. */
  changed(request: RecordedRequest): void {
    if (request.aborted || request.finished) this.#open.delete(request);
    this.#waiting = this.#waiting.filter(({ wanted, found }) => {
      if (!wanted(request)) return true;
      found(request);
      return false;
    });
  }

  /** Resolves with the first request, of those kept or those to come, that is wanted. */
  waitFor(wanted: Predicate): Promise<RecordedRequest> {
    const known = this.#requests.find(wanted);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((found) => this.#waiting.push({ wanted, found }));
  }

  /** Forgets every request. */
  clear(): void {
    this.#requests = [];
  }
}
