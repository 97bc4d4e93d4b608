/**
 * Step 8, one try: signs a request and sends it.
 * @module
 */
import type { Clock } from "../clock.ts";
import {
  type ConnectionWatch,
  type HttpAnswer,
  type HttpClient,
  type HttpRequest,
  type HttpTarget,
  readAll,
} from "../net/http_client.ts";
import { unlessAborted } from "../net/unless_aborted.ts";
import type { Authorization, CredentialSource } from "./credentials.ts";
import type { BedrockHosts } from "./endpoint.ts";
import {
  BedrockError,
  connectionError,
  credentialError,
  credentialsLate,
  errorFromResponse,
} from "./errors.ts";
import { Signer } from "./sign.ts";

/** A request to Bedrock, not yet signed. */
export interface BedrockRequest {
  /** Which of Bedrock's hosts. */
  readonly host: keyof BedrockHosts;
  /** SigV4 service name. */
  readonly service: "bedrock" | "bedrock-mantle";
  /** HTTP method. */
  readonly method: "GET" | "POST";
  /** Percent-encoded path, with query if any. */
  readonly path: string;
  /** Headers beside those of signing. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body; empty for GET. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** AWS region. */
  readonly region: string;
}

/** What sending needs beside the request. */
export interface SenderOptions {
  /** The credentials. */
  credentials: CredentialSource;
  /** Base URLs by region. */
  hosts: (region: string) => BedrockHosts;
  /** Time, for the signature's date. */
  clock: Clock;
  /** Sends. */
  http: HttpClient;
}

/** Exceptions after which cached credentials are worthless. */
const STALE = new Set(["ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException"]);

/** Credentials that are asked for elsewhere come within a second or two, or not at all. */
const CREDENTIALS_WITHIN_MS = 10_000;

/** Hosts are those of a few regions; clients may name more in ARNs. */
const MOST_BASES = 64;

/** Signs and sends requests. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #signer = new Signer();
  readonly #bases = new Map<string, URL>();

  /** Opens no connection yet. */
  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /**
   * Sends once. The answer's body is not yet read, and belongs to the caller.
   *
   * @param watch Told of the connection, where one has to be made
   * @throws {BedrockError} If the answer is no 2xx, or there is none
   * @throws The signal's reason, if it aborts
   */
  async send(
    request: BedrockRequest,
    signal: AbortSignal,
    watch?: ConnectionWatch,
  ): Promise<HttpAnswer> {
    const { credentials, clock } = this.#options;
    const url = this.#targetOf(request);
    const authorization = await this.#authorize(signal);
    const headers = authorization.kind === "bearer"
      ? { ...request.headers, ...apiKeyHeader(request, authorization.token) }
      : {
        ...request.headers,
        ...this.#signer.sign({
          method: request.method,
          url,
          headers: request.headers,
          body: request.body,
          region: request.region,
          service: request.service,
          credentials: authorization.credentials,
          now: clock.now(),
        }),
      };
    const { method, body } = request;
    const answer = await this.#sendOnce({ url, method, headers, body, signal, watch });
    if (answer.status >= 200 && answer.status < 300) return answer;
    const error = errorFromResponse(answer.status, answer, await readText(answer, signal));
    if (STALE.has(error.exception)) credentials.invalidate();
    throw error;
  }

  /**
   * A gateway without credentials is its operator's affair: a 403, as for refused ones, that no client tries again.
   * Where nothing is heard of them, it is told so while a client still waits.
   */
  async #authorize(signal: AbortSignal): Promise<Authorization> {
    const { credentials, clock } = this.#options;
    let cancel = () => {};
    try {
      const got = credentials.get();
      if (!(got instanceof Promise)) return got;
      const { promise: late, reject } = Promise.withResolvers<never>();
      cancel = clock.after(
        CREDENTIALS_WITHIN_MS,
        () => reject(credentialsLate(CREDENTIALS_WITHIN_MS)),
      );
      return await unlessAborted(Promise.race([got, late]), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof BedrockError ? error : credentialError("none found", undefined, error);
    } finally {
      cancel();
    }
  }

  /** The parts of a request's URL: what comes from its host is worked out once. */
  #targetOf({ region, host, path }: BedrockRequest): HttpTarget {
    const name = `${host} ${region}`;
    let base = this.#bases.get(name);
    if (base === undefined) {
      if (this.#bases.size >= MOST_BASES) this.#bases.clear();
      this.#bases.set(name, base = new URL(this.#options.hosts(region)[host]));
    }
    const query = path.indexOf("?");
    const prefix = base.pathname === "/" ? "" : base.pathname;
    return {
      protocol: base.protocol,
      host: base.host,
      hostname: base.hostname,
      port: base.port,
      pathname: prefix + (query < 0 ? path : path.slice(0, query)),
      search: query < 0 ? "" : path.slice(query),
    };
  }

  async #sendOnce(request: HttpRequest): Promise<HttpAnswer> {
    try {
      return await this.#options.http.send(request);
    } catch (error) {
      request.signal.throwIfAborted();
      throw connectionError(error);
    }
  }
}

/** A Bedrock API key stands where Anthropic's own would on the runtime's Messages endpoint ([L 2026-10]). */
function apiKeyHeader({ host, path }: BedrockRequest, token: string): Record<string, string> {
  return host === "runtime" && path.startsWith("/anthropic/")
    ? { "x-api-key": token }
    : { authorization: `Bearer ${token}` };
}

const utf8 = new TextDecoder();

async function readText(answer: HttpAnswer, signal: AbortSignal): Promise<string> {
  try {
    return utf8.decode(await readAll(answer.body));
  } catch (error) {
    signal.throwIfAborted();
    throw connectionError(error);
  }
}

/**
 * The JSON of an answer.
 *
 * @throws {SyntaxError} If it is none
 */
export async function readJson(answer: HttpAnswer): Promise<unknown> {
  return JSON.parse(utf8.decode(await readAll(answer.body)));
}
