/**
 * The lock of a Deno KV file, which another process may hold.
 * @module
 */

const LOCKED = /database is locked|SQLITE_BUSY/i;
const LONGEST_LOCK_MS = 5_000;

/**
 * Does it, and over again while another process writes: that is done in milliseconds, so the wait is real time and
 * short, whatever our clock says.
 */
export async function whenUnlocked<T>(operation: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + LONGEST_LOCK_MS;
  for (let wait = 1;; wait = Math.min(wait * 2, 50)) {
    try {
      return await operation();
    } catch (error) {
      const locked = error instanceof Error && LOCKED.test(error.message);
      if (!locked || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
    }
  }
}
