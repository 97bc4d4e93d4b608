/**
 * Pictures and documents that a client names by URL: Bedrock takes none, so they are fetched here.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { ContentBlock, InputMessage, MessagesRequest } from "../anthropic/types.ts";
import { type Fetched, UrlRefused } from "../net/public_fetch.ts";

/** Fetches one URL. */
export type UrlFetcher = (
  url: string,
  options: {
    readonly maxBytes: number;
    readonly signal: AbortSignal;
    readonly onBytes: (bytes: number) => void;
  },
) => Promise<Fetched>;

/** What may be fetched for a kind of block. Sizes: Anthropic, Vision and PDF support ([D]). */
const KINDS: Readonly<
  Record<string, { readonly types: readonly string[]; readonly maxBytes: number }>
> = {
  image: { types: ["image/jpeg", "image/png", "image/gif", "image/webp"], maxBytes: 5 * 1_048_576 },
  document: { types: ["application/pdf"], maxBytes: 24 * 1_048_576 },
};
/** A request that names more is refused before any is fetched. */
const MOST_URLS = 20;
/** Of all that one request names: what Bedrock takes in a request, and a little more. */
const MOST_BYTES = 24 * 1_048_576;

/** How far, and for how long, it is fetched. */
export interface InlineOptions {
  /** Ends the fetching. */
  readonly signal: AbortSignal;
  /** Told how many bytes are held so far; ends the fetching by what it throws. */
  readonly onHeld?: ((bytes: number) => void) | undefined;
}

interface UrlSource {
  readonly type: "url";
  readonly url: string;
}

function urlSourceOf(block: ContentBlock): UrlSource | undefined {
  if (!Object.hasOwn(KINDS, block.type)) return undefined;
  const source = block.source as { type?: unknown } | undefined;
  return source?.type === "url" ? source as UrlSource : undefined;
}

function blocksOf(content: unknown): readonly ContentBlock[] {
  return Array.isArray(content) ? content : [];
}

function countUrls(blocks: readonly ContentBlock[]): number {
  let count = 0;
  for (const block of blocks) {
    if (urlSourceOf(block) !== undefined) count++;
    else if (block.type === "tool_result") count += countUrls(blocksOf(block.content));
  }
  return count;
}

function urlsOf({ messages }: MessagesRequest): number {
  return messages.reduce((sum, { content }) => sum + countUrls(blocksOf(content)), 0);
}

/** Whether a body names anything by URL. */
export function namesUrls(body: MessagesRequest): boolean {
  return urlsOf(body) > 0;
}

class Inliner {
  readonly #fetch: UrlFetcher;
  readonly #signal: AbortSignal;
  readonly #onHeld: ((bytes: number) => void) | undefined;
  #held = 0;
  /** What no more may be held by: whoever fetches tells it in words of his own. */
  #full: { readonly error: unknown } | undefined;

  constructor(fetcher: UrlFetcher, { signal, onHeld }: InlineOptions) {
    this.#fetch = fetcher;
    this.#signal = signal;
    this.#onHeld = onHeld;
  }

  /** Takes a chunk, of whichever source. */
  #hold(bytes: number): void {
    this.#held += bytes;
    if (this.#held > MOST_BYTES) {
      throw new UrlRefused(
        `Must be at most ${MOST_BYTES / 1_048_576} MB, with all else that the request names`,
      );
    }
    try {
      this.#onHeld?.(this.#held);
    } catch (error) {
      this.#full = { error };
      throw error;
    }
  }

  async message(message: InputMessage, path: string): Promise<InputMessage> {
    if (countUrls(blocksOf(message.content)) === 0) return message;
    return { ...message, content: await this.blocks(blocksOf(message.content), `${path}.content`) };
  }

  blocks(blocks: readonly ContentBlock[], path: string): Promise<ContentBlock[]> {
    return Promise.all(blocks.map((block, index) => this.block(block, `${path}.${index}`)));
  }

  async block(block: ContentBlock, path: string): Promise<ContentBlock> {
    const source = urlSourceOf(block);
    if (source !== undefined) {
      return { ...block, source: await this.source(source, block.type, path) };
    }
    if (block.type !== "tool_result" || countUrls(blocksOf(block.content)) === 0) return block;
    return { ...block, content: await this.blocks(blocksOf(block.content), `${path}.content`) };
  }

  async source({ url }: UrlSource, kind: string, path: string): Promise<Record<string, unknown>> {
    const { types = [], maxBytes = 0 } = KINDS[kind] ?? {};
    const refuse = (why: string, cause?: unknown): never => {
      throw new ApiError(
        "invalid_request_error",
        `${path}.source.url: ${why}: or send the content as base64`,
        { cause },
      );
    };
    try {
      const { bytes, type } = await this.#fetch(url, {
        maxBytes,
        signal: this.#signal,
        onBytes: (more) => this.#hold(more),
      });
      if (!types.includes(type)) {
        return refuse(`Must be ${types.join(", ")}: it is ${type.slice(0, 60) || "untyped"}`);
      }
      return { type: "base64", media_type: type, data: bytes.toBase64() };
    } catch (error) {
      if (this.#full !== undefined) throw this.#full.error;
      if (error instanceof UrlRefused) return refuse(error.message, error);
      throw error;
    }
  }
}

/**
 * The body with every URL source fetched and put in its place.
 *
 * @returns The same body when it names none
 * @throws {ApiError} `invalid_request_error` that names the block and the rule it breaks
 */
export async function inlineUrlSources(
  body: MessagesRequest,
  fetcher: UrlFetcher,
  { signal, onHeld }: InlineOptions,
): Promise<MessagesRequest> {
  const count = urlsOf(body);
  if (count === 0) return body;
  if (count > MOST_URLS) {
    throw new ApiError(
      "invalid_request_error",
      `messages: at most ${MOST_URLS} url sources are fetched for a request: it has ${count}`,
    );
  }
  const ended = new AbortController();
  const inliner = new Inliner(fetcher, {
    signal: AbortSignal.any([signal, ended.signal]),
    onHeld,
  });
  try {
    const messages = await Promise.all(
      body.messages.map((message, index) => inliner.message(message, `messages.${index}`)),
    );
    return { ...body, messages };
  } finally {
    ended.abort(); // when one has failed, the others are of no use
  }
}
