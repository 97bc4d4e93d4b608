/**
 * A port that cannot be had, in one line.
 * @module
 */
import { CommandFailure } from "./failure.ts";

/** What to say when listening on an address failed. */
export function listenFailure(hostname: string, port: number, cause: unknown): CommandFailure {
  const place = `${hostname}:${port}`;
  if (cause instanceof Deno.errors.AddrInUse) {
    return new CommandFailure(
      `Cannot listen on ${place} as the port is taken: stop what uses it, or choose another with --port`,
      1,
      { cause },
    );
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CommandFailure(`Cannot listen on ${place}: ${reason}. Choose another address`, 1, {
    cause,
  });
}
