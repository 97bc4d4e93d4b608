/**
 * Signature Version 4 for the request path: the AWS SDK's client is several times slower than the hop itself.
 *
 * Source: AWS IAM User Guide, Create a signed AWS API request ([D]); equal to the SDK's signer by test.
 * @module
 */
import { Hmac, sha256Hex } from "../sha256.ts";

/** Keys to sign with. */
export interface AwsCredentials {
  /** Public id of the key. */
  readonly accessKeyId: string;
  /** The secret. */
  readonly secretAccessKey: string;
  /** Goes with temporary keys. */
  readonly sessionToken?: string | undefined;
  /** When temporary keys end. */
  readonly expiration?: Date | undefined;
}

/** What is to be signed. */
export interface SignInput {
  /** HTTP method. */
  readonly method: string;
  /** Where it goes; its path is percent-encoded as it will be sent. */
  readonly url: Pick<URL, "host" | "pathname" | "search">;
  /** Headers to sign beside `host` and the date's. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body. */
  readonly body: Uint8Array;
  /** AWS region. */
  readonly region: string;
  /** SigV4 service name: `bedrock` or `bedrock-mantle`. */
  readonly service: string;
  /** Keys to sign with. */
  readonly credentials: AwsCredentials;
  /** Unix milliseconds. */
  readonly now: number;
}

const ALGORITHM = "AWS4-HMAC-SHA256";

/** Of each kind of what repeats, so many are remembered: clients may make model names up. */
const REMEMBERED = 256;

/** Percent-encodes all but the unreserved characters of RFC 3986. */
function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** A model id, profile id or ARN as one path segment: `:` becomes `%3A`, `/` becomes `%2F`. */
export function encodeModelPath(modelId: string): string {
  return encodeRfc3986(modelId);
}

/** `20261123T220000Z`. */
function amzDate(now: number): string {
  return new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

/** The path is encoded already; every service but S3 wants it encoded once more. */
function canonicalPath(pathname: string): string {
  return pathname.split("/").map(encodeRfc3986).join("/");
}

function canonicalQuery(search: string): string {
  if (search === "") return "";
  const pairs: [string, string][] = [];
  for (const [name, value] of new URLSearchParams(search)) {
    pairs.push([encodeRfc3986(name), encodeRfc3986(value)]);
  }
  pairs.sort(([a, x], [b, y]) => a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1);
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

/** Not signed: what a proxy between may change, as the SDK's signer leaves them out too ([T]). */
const UNSIGNED = new Set([
  "authorization",
  "cache-control",
  "connection",
  "expect",
  "from",
  "keep-alive",
  "max-forwards",
  "pragma",
  "referer",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
  "x-amzn-trace-id",
]);

/** Which of a request's headers are signed, and in which order: the same for all requests with these names. */
interface SignedNames {
  /** As they are spelled in the request, in the order of their small letters. */
  readonly ordered: readonly string[];
  /** In small letters. */
  readonly small: readonly string[];
  /** `SignedHeaders`. */
  readonly list: string;
}

function signedNames(names: readonly string[]): SignedNames {
  const pairs = names
    .map((name) => [name.toLowerCase(), name] as const)
    .filter(([small]) =>
      !UNSIGNED.has(small) && !small.startsWith("proxy-") && !small.startsWith("sec-")
    )
    .sort(([a], [b]) => a < b ? -1 : 1);
  const small = pairs.map(([name]) => name);
  return { ordered: pairs.map(([, name]) => name), small, list: small.join(";") };
}

/** A value without white space, as nearly all are. */
const ONE_WORD = /^[!-~]*$/;

function canonicalValue(value: string): string {
  return ONE_WORD.test(value) ? value : value.trim().replace(/\s+/g, " ");
}

/** Answers that are worked out once for each question, and forgotten all together when they are many. */
class Remembered<T> {
  readonly #answers = new Map<string, T>();
  readonly #work: (question: string) => T;

  constructor(work: (question: string) => T) {
    this.#work = work;
  }

  of(question: string): T {
    let answer = this.#answers.get(question);
    if (answer === undefined) {
      if (this.#answers.size >= REMEMBERED) this.#answers.clear();
      this.#answers.set(question, answer = this.#work(question));
    }
    return answer;
  }
}

/** Signs requests; what repeats from one to the next is worked out once: keys for the day, paths, orders of headers. */
export class Signer {
  readonly #keys = new Map<string, { readonly secret: string; readonly hmac: Hmac }>();
  readonly #paths = new Remembered(canonicalPath);
  readonly #names = new Remembered((names) => signedNames(names.split("\n")));
  #second = { at: NaN, date: "" };

  /** The headers to add to the request: `authorization`, `x-amz-date`, `x-amz-content-sha256` and, for temporary keys, `x-amz-security-token`. */
  sign(input: SignInput): Record<string, string> {
    const { method, url, body, region, service, credentials } = input;
    const date = this.#date(input.now);
    const payloadHash = sha256Hex(body);
    const added: Record<string, string> = {
      "x-amz-date": date,
      "x-amz-content-sha256": payloadHash,
    };
    if (credentials.sessionToken !== undefined) {
      added["x-amz-security-token"] = credentials.sessionToken;
    }
    const headers: Record<string, string> = { ...input.headers, ...added, host: url.host };
    const { ordered, small, list } = this.#names.of(Object.keys(headers).join("\n"));
    let lines = "";
    for (let at = 0; at < ordered.length; at++) {
      lines += `${small[at]}:${canonicalValue(headers[ordered[at] ?? ""] ?? "")}\n`;
    }
    const canonicalRequest =
      `${method}\n${this.#paths.of(url.pathname)}\n${canonicalQuery(url.search)}\n` +
      `${lines}\n${list}\n${payloadHash}`;
    const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
    const toSign = `${ALGORITHM}\n${date}\n${scope}\n${sha256Hex(canonicalRequest)}`;
    const signature = this.#signingKey(credentials, scope).hex(toSign);
    added.authorization =
      `${ALGORITHM} Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${list}, Signature=${signature}`;
    return added;
  }

  #date(now: number): string {
    const at = Math.floor(now / 1_000);
    if (this.#second.at !== at) this.#second = { at, date: amzDate(now) };
    return this.#second.date;
  }

  #signingKey({ accessKeyId, secretAccessKey }: AwsCredentials, scope: string): Hmac {
    const id = `${accessKeyId}/${scope}`;
    const kept = this.#keys.get(id);
    // One id may come with another secret after a rotation.
    if (kept?.secret === secretAccessKey) return kept.hmac;
    let key: Uint8Array | string = `AWS4${secretAccessKey}`;
    for (const part of scope.split("/")) key = new Hmac(key).digest(part);
    const hmac = new Hmac(key);
    if (this.#keys.size >= REMEMBERED) this.#keys.clear();
    this.#keys.set(id, { secret: secretAccessKey, hmac });
    return hmac;
  }
}
