/**
 * Waiting for work that several wait for.
 * @module
 */

/**
 * What others wait for too goes on; who leaves waits no longer.
 *
 * @throws The signal's reason if it aborts first, else why the work failed
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(signal.reason);
    if (signal.aborted) gone();
    signal.addEventListener("abort", gone, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", gone));
  });
}
