/**
 * Waiting to be stopped.
 * @module
 */

/** Resolves at the first SIGINT or SIGTERM; the second ends the process at once. */
export function interrupted(): Promise<void> {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  return new Promise((resolve) => {
    let signalled = false;
    const onSignal = () => {
      if (signalled) Deno.exit(1);
      signalled = true;
      resolve();
    };
    for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  });
}
