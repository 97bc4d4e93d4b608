/**
 * What is known of an API key.
 * @module
 */

/** What a key's holder may do; what is absent is not limited. */
export interface KeyFields {
  /** What people call it. */
  readonly name: string;
  /** Whose it is. */
  readonly user?: string;
  /** Whose team's it is. */
  readonly team?: string;
  /** ISO time of its end. */
  readonly expires_at?: string;
  /** Globs over the model names it may ask for. */
  readonly models?: readonly string[];
  /** Service tier of its requests. */
  readonly tier?: "default" | "priority" | "flex" | "reserved";
  /** Limits of its own. */
  readonly limits?: {
    /** Requests per minute. */
    readonly requests_per_minute?: number;
    /** Input tokens per minute. */
    readonly input_tokens_per_minute?: number;
    /** Output tokens per minute. */
    readonly output_tokens_per_minute?: number;
    /** Requests at the same time. */
    readonly concurrency?: number;
  };
  /** What it may spend. */
  readonly budget?: {
    /** US dollars. */
    readonly usd: number;
    /** In each of these. */
    readonly per: "day" | "week" | "month";
  };
  /** Life of its cached prompts. */
  readonly cache_ttl?: "5m" | "1h";
}

/** A key, without what would let anybody use it. */
export interface KeyRecord extends KeyFields {
  /** Public id, e.g. `key_7f3k2m9x1c`. */
  readonly id: string;
  /** ISO time it was made. */
  readonly created_at: string;
  /** ISO time it was revoked. */
  readonly revoked_at?: string;
  /** ISO time it was last used. */
  readonly last_used_at?: string;
}

/** Whose key it is, or why it is refused. */
export type KeyVerdict =
  | { readonly ok: true; readonly key: KeyRecord }
  | { readonly ok: false; readonly reason: "malformed" | "unknown" | "revoked" | "expired" };
