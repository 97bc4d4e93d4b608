/**
 * Fetches what a client names by URL: over https, from public addresses, within limits.
 *
 * The address that was checked is the one that is connected to: a name that resolves to another address a moment
 * later (DNS rebinding) changes nothing.
 * @module
 */
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { concatBytes } from "../bytes.ts";
import { isPublicAddress } from "./address.ts";

/** Limits, and what tests put in the place of the world. */
export interface PublicFetchOptions {
  /** Most bytes of the body. */
  readonly maxBytes: number;
  /** Ends the fetch. */
  readonly signal: AbortSignal;
  /** Told of each chunk's bytes before it is kept; ends the fetch by what it throws. */
  readonly onBytes?: (bytes: number) => void;
  /** Addresses of a host name. @default the system's resolver */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Whether an address may be connected to. @default isPublicAddress */
  readonly allows?: (address: string) => boolean;
  /** Certificate authority to trust instead of the system's. */
  readonly ca?: string;
}

/** What was fetched. */
export interface Fetched {
  /** The body. */
  readonly bytes: Uint8Array;
  /** Media type without parameters, in small letters. */
  readonly type: string;
}

/** A URL that is not fetched, or gave nothing usable; the message says by which rule. */
export class UrlRefused extends Error {
  /** Always `UrlRefused`. */
  override readonly name = "UrlRefused";
}

const MOST_REDIRECTS = 3;
const DEADLINE_MS = 10_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

async function systemResolve(host: string): Promise<string[]> {
  const records = await Promise.allSettled([
    Deno.resolveDns(host, "A"),
    Deno.resolveDns(host, "AAAA"),
  ]);
  return records.flatMap((record) => record.status === "fulfilled" ? record.value : []);
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new UrlRefused("Must be a URL");
  if (url.protocol !== "https:") throw new UrlRefused("Must be an https URL");
  if (url.username !== "" || url.password !== "") {
    throw new UrlRefused("Must hold no user name and no password");
  }
  return url;
}

/** The address to connect to: every address of the name must be allowed, for any of them might be taken. */
async function addressOf(url: URL, options: PublicFetchOptions): Promise<string> {
  const { resolve = systemResolve, allows = isPublicAddress } = options;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const literal = /^[\d.]+$/.test(host) || host.includes(":");
  const addresses = literal ? [host] : await resolve(host);
  const [first] = addresses;
  if (first === undefined) throw new UrlRefused("Must name a host that can be found");
  if (!addresses.every(allows)) throw new UrlRefused("Must lie at a public address");
  return first;
}

function get(url: URL, address: string, options: PublicFetchOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const family = address.includes(":") ? 6 : 4;
    const request = httpsRequest(url, {
      signal: options.signal,
      agent: false,
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "outcrop" },
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      lookup: (_host, lookup, found) => {
        if (lookup.all) found(null, [{ address, family }]);
        else found(null, address, family);
      },
    }, resolve);
    request.on("error", reject);
    request.end();
  });
}

async function read(
  response: IncomingMessage,
  { maxBytes, onBytes }: PublicFetchOptions,
): Promise<Uint8Array> {
  const tooLarge = () => new UrlRefused(`Must be at most ${Math.floor(maxBytes / 1_048_576)} MB`);
  if (Number(response.headers["content-length"] ?? 0) > maxBytes) {
    response.destroy();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      response.destroy();
      throw tooLarge();
    }
    onBytes?.(chunk.byteLength);
    chunks.push(chunk);
  }
  return concatBytes(chunks);
}

async function fetchWithin(text: string, options: PublicFetchOptions): Promise<Fetched> {
  let url = parseUrl(text);
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await get(url, await addressOf(url, options), options);
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (REDIRECTS.has(status) && location !== undefined) {
      response.destroy();
      url = parseUrl(URL.parse(location, url)?.href ?? "");
      continue;
    }
    if (status !== 200) {
      response.destroy();
      throw new UrlRefused(`Must answer 200: it answered ${status}`);
    }
    const type = response.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
    return { bytes: await read(response, options), type };
  }
  throw new UrlRefused(`Must redirect at most ${MOST_REDIRECTS} times`);
}

/**
 * Fetches a URL within 10 s, over at most three redirects, each checked as the first.
 *
 * @throws {UrlRefused} That says which rule it breaks
 * @throws The signal's reason, if it aborts
 */
export async function fetchPublic(text: string, options: PublicFetchOptions): Promise<Fetched> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const signal = AbortSignal.any([deadline, options.signal]);
  try {
    return await fetchWithin(text, { ...options, signal });
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof UrlRefused) throw error;
    if (deadline.aborted) {
      throw new UrlRefused(`Must answer within ${DEADLINE_MS / 1_000} s`, { cause: error });
    }
    throw new UrlRefused("Must answer over https: it could not be reached", { cause: error });
  }
}
