/**
 * Checks who sends a request: Signature Version 4, or a Bedrock API key.
 *
 * Source: AWS IAM User Guide, Create a signed AWS API request. Written apart from the signer that it checks.
 * @module
 */
import { createHash, createHmac } from "node:crypto";
import { CoralError } from "./coral.ts";

/** Keys the simulator knows. */
export interface SimulatorCredentials {
  /** Public id. */
  readonly accessKeyId: string;
  /** Secret. */
  readonly secretAccessKey: string;
  /** Session token that must come with them. */
  readonly sessionToken?: string;
}

/** The keys it knows unless told other. */
export const SIMULATOR_CREDENTIALS: SimulatorCredentials = {
  accessKeyId: "AKIDOUTCROPSIMULATOR",
  secretAccessKey: "simulator/secret+key/for/nobody/anywhere",
};

/** The Bedrock API key it knows unless told other. */
export const SIMULATOR_BEARER_TOKEN = "ABSKsimulator0bearer0token";

/** What was proved. */
export interface Caller {
  /** SigV4 service of the signature; for an API key mantle's, where it can be nobody else's, else undefined. */
  readonly service: string | undefined;
}

const SKEW_MS = 5 * 60_000;
const WRONG_SIGNATURE =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access " +
  "Key and signing method. Consult the service documentation for details.";
const WRONG_TOKEN = "The security token included in the request is invalid.";

/** The SDK speaks HTTP/2 to Bedrock, where the host has another name, and signs it under that. */
const HOST_NAMES = new Set(["host", ":authority"]);

const HEADER =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

function sha256Hex(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

function mac(key: Uint8Array | string, text: string): Uint8Array {
  return createHmac("sha256", key).update(text).digest();
}

function escape(text: string): string {
  let escaped = "";
  for (const byte of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(byte);
    escaped += /[A-Za-z0-9\-._~]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}

function canonicalQuery(query: string): string {
  if (query === "") return "";
  return query.split("&").map((pair) => {
    const [name = "", value = ""] = pair.split("=", 2);
    return `${escape(decodeURIComponent(name))}=${escape(decodeURIComponent(value))}`;
  }).sort().join("&");
}

function parseAmzDate(text: string): number {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)?.slice(1).map(Number);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts ?? [];
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** What the check goes by. */
export interface AuthOptions {
  /** Keys that are known. */
  readonly credentials: SimulatorCredentials;
  /** API key that is known. */
  readonly bearerToken: string;
  /** Unix milliseconds. */
  readonly now: number;
}

/**
 * Checks a request.
 *
 * @throws {CoralError} As Bedrock answers
 */
export function authenticate(request: Request, body: Uint8Array, options: AuthOptions): Caller {
  const authorization = request.headers.get("authorization");
  const apiKey = request.headers.get("x-api-key");
  if (authorization === null && apiKey === null) {
    throw new CoralError("MissingAuthenticationTokenException", "Authorization header is missing");
  }
  if (authorization === null || authorization.startsWith("Bearer ")) {
    // The runtime's Messages endpoint looks for its key where Anthropic's would be; mantle, at the same path, as others.
    const messages = new URL(request.url).pathname.startsWith("/anthropic/");
    const bearer = authorization?.slice("Bearer ".length);
    const token = messages ? apiKey ?? bearer : bearer;
    const service = messages && apiKey === null ? "bedrock-mantle" : undefined;
    if (token === options.bearerToken) return { service };
    throw new CoralError(
      "AccessDeniedException",
      "Authentication failed: Please make sure your API Key is valid.",
    );
  }
  return checkSignature(request, body, authorization, options);
}

function checkSignature(
  request: Request,
  body: Uint8Array,
  authorization: string,
  options: AuthOptions,
): Caller {
  const [, keyId = "", day = "", region = "", service = "", names = "", signature = ""] =
    HEADER.exec(authorization) ?? [];
  const { credentials } = options;
  if (keyId !== credentials.accessKeyId) {
    throw new CoralError("UnrecognizedClientException", WRONG_TOKEN);
  }
  if ((request.headers.get("x-amz-security-token") ?? undefined) !== credentials.sessionToken) {
    throw new CoralError("UnrecognizedClientException", WRONG_TOKEN);
  }
  const date = request.headers.get("x-amz-date") ?? "";
  if (!date.startsWith(day) || Math.abs(parseAmzDate(date) - options.now) > SKEW_MS) {
    throw new CoralError(
      "InvalidSignatureException",
      `Signature expired: ${date} is not within 5 minutes of now`,
    );
  }
  const signed = names.split(";");
  if (!signed.includes("x-amz-date") || !signed.some((name) => HOST_NAMES.has(name))) {
    throw new CoralError("InvalidSignatureException", WRONG_SIGNATURE);
  }
  const declared = request.headers.get("x-amz-content-sha256");
  const payload = sha256Hex(body);
  if (declared !== null && declared !== payload) {
    throw new CoralError("InvalidSignatureException", WRONG_SIGNATURE);
  }
  // The path as it was sent: it is encoded already, and for every service but S3 once more.
  const [path = "/", query = ""] = request.url.replace(/^https?:\/\/[^/]+/, "").split("?", 2);
  const headerLines = signed.map((name) => {
    const value = HOST_NAMES.has(name)
      ? new URL(request.url).host
      : request.headers.get(name) ?? "";
    return `${name}:${value.trim().replace(/\s+/g, " ")}\n`;
  }).join("");
  const canonical = [
    request.method,
    path.split("/").map(escape).join("/"),
    canonicalQuery(query),
    headerLines,
    names,
    payload,
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256Hex(canonical)}`;
  const key = [day, region, service, "aws4_request"].reduce<Uint8Array | string>(
    (secret, part) => mac(secret, part),
    `AWS4${credentials.secretAccessKey}`,
  );
  const wanted = createHmac("sha256", key).update(toSign).digest("hex");
  if (wanted !== signature || !["bedrock", "bedrock-mantle"].includes(service)) {
    throw new CoralError("InvalidSignatureException", WRONG_SIGNATURE);
  }
  return { service };
}
