/**
 * The config.yaml that `outcrop init` writes.
 * @module
 */
import text from "../../config.yaml" with { type: "text" };

/** The shipped config.yaml: every key, its default, and why. */
export const CONFIG_TEMPLATE: string = text;
