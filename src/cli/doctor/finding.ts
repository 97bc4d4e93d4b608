/**
 * What a check of `outcrop doctor` found.
 * @module
 */

/** What is checked, in order. */
export type CheckName =
  | "config"
  | "store"
  | "keys"
  | "journal"
  | "port"
  | "credentials"
  | "region"
  | "clock"
  | "model";

/** One line of the report. */
export interface Finding {
  /** What was checked. */
  readonly check: CheckName;
  /** `warning`: it can be served with; `skipped`: another check must pass first. */
  readonly status: "ok" | "warning" | "failed" | "skipped";
  /** What was found, and unless all is well what to do, in one line. */
  readonly message: string;
}

/** The message of whatever was thrown, in one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").trim();
}

/** The message of what was at the bottom of it: what `fetch` throws says nothing of why. */
export function deepestMessageOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined
    ? deepestMessageOf(error.cause)
    : messageOf(error);
}

/** Runs a check: `ok` with what it gives, or `failed` with what it throws. */
export async function attempt(check: CheckName, run: () => Promise<string>): Promise<Finding> {
  try {
    return { check, status: "ok", message: await run() };
  } catch (error) {
    return { check, status: "failed", message: messageOf(error) };
  }
}
