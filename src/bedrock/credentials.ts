/**
 * AWS credentials: found through the AWS SDK's chain, kept fresh without making requests wait.
 *
 * Order: `AWS_BEARER_TOKEN_BEDROCK`; else the chain of the AWS SDKs and Tools reference guide, Standardized
 * credential providers: environment, profile, SSO, web identity, process, ECS, IMDS; then the role to assume.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { AwsCredentials } from "./sign.ts";

/** How a request proves who sends it. */
export type Authorization =
  | { readonly kind: "sigv4"; readonly credentials: AwsCredentials }
  | { readonly kind: "bearer"; readonly token: string };

/** Where credentials come from. */
export interface CredentialSource {
  /**
   * Credentials that are valid now: at once while those at hand are, else when new ones have come.
   *
   * @throws {Error} That says what to set, if none can be found
   */
  get(): Authorization | Promise<Authorization>;
  /** Forgets those at hand: AWS has refused them. */
  invalidate(): void;
  /** Which credentials these are, without a secret, e.g. `access key …WXYZ`. Rejects as {@link get} does. */
  describe(): Promise<string>;
}

/** Finds credentials; the AWS SDK's provider type. */
export type CredentialProvider = () => Promise<AwsCredentials>;

/** What to look for. */
export interface CredentialOptions {
  /** Region of the STS endpoint. */
  region: string;
  /** Time. */
  clock: Clock;
  /** Reads an environment variable. */
  env: (name: string) => string | undefined;
  /** Profile of the AWS config files. */
  profile?: string;
  /** Role to assume with what is found. */
  roleArn?: string;
  /** Finds credentials. @default the AWS SDK's chain */
  provider?: CredentialProvider;
}

/** Renewal begins so long before the end, while those at hand still serve. */
const RENEW_EARLY_MS = 5 * 60_000;
/** So close to the end, requests wait for new ones: a signature must still be valid when it arrives. */
const UNUSABLE_MS = 60_000;
/** Between two tries to renew in the background. */
const RENEW_AGAIN_MS = 10_000;
/** What the chain says when each link of it found nothing ([T]). */
const NOTHING_FOUND = /^Could not load credentials from any providers/;

/** Opens the source that the options and the environment name. */
export function openCredentials(options: CredentialOptions): CredentialSource {
  const token = options.env("AWS_BEARER_TOKEN_BEDROCK");
  if (token !== undefined && token !== "") return new BearerSource(token);
  return new SigV4Source(options.provider ?? awsChain(options), options);
}

/**
 * The AWS SDK's chain, and the role to assume with what it finds. The SDK is loaded when credentials are first asked
 * for: it costs more time than the rest of the start together.
 */
export function awsChain(
  { region, profile, roleArn }: Pick<CredentialOptions, "region" | "profile" | "roleArn">,
): CredentialProvider {
  let provider: CredentialProvider | undefined;
  return async () => {
    if (provider === undefined) {
      const sdk = await import("@aws-sdk/credential-providers");
      const chain = sdk.fromNodeProviderChain({
        clientConfig: { region },
        ...(profile === undefined ? {} : { profile }),
      });
      provider = roleArn === undefined ? chain : sdk.fromTemporaryCredentials({
        masterCredentials: chain,
        params: { RoleArn: roleArn, RoleSessionName: "outcrop" },
        clientConfig: { region },
      });
    }
    return await provider();
  };
}

class BearerSource implements CredentialSource {
  readonly #authorization: Authorization;

  constructor(token: string) {
    this.#authorization = { kind: "bearer", token };
  }

  get(): Authorization {
    return this.#authorization;
  }

  invalidate(): void {
    // It comes from the environment of this process: there is no other to be had.
  }

  describe(): Promise<string> {
    return Promise.resolve("Bedrock API key from AWS_BEARER_TOKEN_BEDROCK");
  }
}

/** Why, where the chain knows more than that it found nothing: a profile that is not there, a session that has ended. */
function reasonOf(cause: unknown): string {
  const reason = cause instanceof Error ? cause.message.replace(/\s+/g, " ").trim() : "";
  return reason === "" || NOTHING_FOUND.test(reason) ? "" : ` (${reason})`;
}

interface Held {
  readonly authorization: Authorization & { readonly kind: "sigv4" };
  /** Unix milliseconds; Infinity for keys that do not end. */
  readonly endsAt: number;
}

class SigV4Source implements CredentialSource {
  readonly #provider: CredentialProvider;
  readonly #clock: Clock;
  readonly #sought: string;
  #held: Held | undefined;
  #renewal: Promise<Held> | undefined;
  #nextTryAt = 0;

  constructor(
    provider: CredentialProvider,
    { clock, profile }: Pick<CredentialOptions, "clock" | "profile">,
  ) {
    this.#provider = provider;
    this.#clock = clock;
    this.#sought = profile === undefined ? "" : ` by the profile '${profile}'`;
  }

  get(): Authorization | Promise<Authorization> {
    const held = this.#held;
    if (held === undefined) return this.#renew().then(({ authorization }) => authorization);
    const left = held.endsAt - this.#clock.now();
    if (left > RENEW_EARLY_MS) return held.authorization;
    if (left <= UNUSABLE_MS) return this.#renew().then(({ authorization }) => authorization);
    this.#renewBehind();
    return held.authorization;
  }

  invalidate(): void {
    this.#held = undefined;
  }

  async describe(): Promise<string> {
    await this.get();
    const credentials = this.#held?.authorization.credentials;
    if (credentials === undefined) {
      throw new Error("Cannot describe credentials that were refused meanwhile");
    }
    const kind = credentials.sessionToken === undefined ? "access key" : "temporary access key";
    return `${kind} …${credentials.accessKeyId.slice(-4)}`;
  }

  /** One renewal for all who wait. */
  #renew(): Promise<Held> {
    this.#renewal ??= this.#fetch().finally(() => this.#renewal = undefined);
    return this.#renewal;
  }

  async #fetch(): Promise<Held> {
    try {
      const { accessKeyId, secretAccessKey, sessionToken, expiration } = await this.#provider();
      const credentials = { accessKeyId, secretAccessKey, sessionToken, expiration };
      const held: Held = {
        authorization: { kind: "sigv4", credentials },
        endsAt: expiration?.getTime() ?? Infinity,
      };
      this.#held = held;
      return held;
    } catch (cause) {
      throw new Error(
        `Cannot sign requests as no AWS credentials were found${this.#sought}: ` +
          "set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or aws.profile, " +
          `or sign in with 'aws sso login'${reasonOf(cause)}`,
        { cause },
      );
    }
  }

  /** Renews while those at hand serve on; a failure is tried again, and told when they have ended. */
  #renewBehind(): void {
    const now = this.#clock.now();
    if (this.#renewal !== undefined || now < this.#nextTryAt) return;
    this.#nextTryAt = now + RENEW_AGAIN_MS;
    this.#renew().catch(() => {
      this.#nextTryAt = this.#clock.now() + RENEW_AGAIN_MS;
    });
  }
}
