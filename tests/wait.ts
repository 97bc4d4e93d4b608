/** Waiting for what must come to hold, without guessing how long it takes. */

/** What does not come within it never comes: a busy machine takes a while, a test must end. */
const DEADLINE_MS = 60_000;
/** Turns of the event loop between two looks at the time. */
const TURNS = 1_000;

/** Lets what is under way go on until something holds. */
export async function settled(holds: () => boolean): Promise<void> {
  const begun = performance.now();
  for (let turn = 1; !holds(); turn++) {
    if (turn % TURNS === 0 && performance.now() - begun > DEADLINE_MS) {
      throw new Error("Cannot wait any longer for what must come to hold");
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
