/** Waiting for what must come to hold, without guessing how long it takes. */

/** Lets what is under way go on until something holds: turns of the event loop, not time. */
export async function settled(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn > 60_000) throw new Error("Cannot wait any longer for what must come to hold");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
