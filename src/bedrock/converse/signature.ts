/**
 * Signatures for reasoning that has none.
 *
 * Models other than Claude do not sign their reasoning, yet Anthropic's clients expect a signature on every
 * thinking block, and send it back. Ours says where the block is from, so that it goes to no model that would
 * refuse it.
 * @module
 */

/** Every signature of ours begins so; no signature of Claude's does: those are base64. */
export const SYNTHETIC_SIGNATURE_PREFIX = "outcrop.unsigned.";

/** Whether a signature is ours. */
export function isSyntheticSignature(signature: string): boolean {
  return signature.startsWith(SYNTHETIC_SIGNATURE_PREFIX);
}
