/**
 * A command that cannot do what it was asked.
 * @module
 */

/** Its message says what is wrong and what to do; it ends the command with {@link CommandFailure.exitCode}. */
export class CommandFailure extends Error {
  /** Always `CommandFailure`. */
  override readonly name = "CommandFailure";

  /** `exitCode`: 1 failed, 2 wrong usage. */
  constructor(message: string, readonly exitCode: 1 | 2 = 1, options: { cause?: unknown } = {}) {
    super(message, options);
  }
}
