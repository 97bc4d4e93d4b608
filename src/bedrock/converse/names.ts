/**
 * Names and ids of tools: Anthropic allows more than Converse does, so that long or odd ones are shortened on
 * the way in and restored on the way out.
 *
 * Source: Bedrock API reference, ToolSpecification (`[a-zA-Z0-9_-]{1,64}`) and ToolUseBlock
 * (`[a-zA-Z0-9_.:-]{1,64}`) ([T]).
 * @module
 */
import { createHash } from "node:crypto";

const LONGEST = 64;
const LEGAL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const LEGAL_ID = /^[a-zA-Z0-9_.:-]{1,64}$/;
const DIGEST_LENGTH = 10;

function digest(text: string, length: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, length);
}

/** The readable beginning of a name, and a hash of the whole: the same for the same name in every request. */
function shorten(name: string): string {
  const readable = name.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, LONGEST - DIGEST_LENGTH - 1);
  return `${readable}_${digest(name, DIGEST_LENGTH)}`;
}

/** The names of one request. */
export class ToolNames {
  readonly #toClient = new Map<string, string>();
  readonly #nine: boolean;

  /** `toolUseId`: `nine` for the models that take ids of nine letters and digits only. */
  constructor(options: { toolUseId: "any" | "nine" } = { toolUseId: "any" }) {
    this.#nine = options.toolUseId === "nine";
  }

  /** The name as Bedrock takes it. */
  toBedrock(name: string): string {
    if (LEGAL_NAME.test(name)) return name;
    const short = shorten(name);
    this.#toClient.set(short, name);
    return short;
  }

  /** The name as the client knows it. */
  toClient(name: string): string {
    return this.#toClient.get(name) ?? name;
  }

  /** An id of a tool use as Bedrock takes it: equal ids stay equal, which is all that is asked of them. */
  idToBedrock(id: string): string {
    if (this.#nine) return /^[a-zA-Z0-9]{9}$/.test(id) ? id : digest(id, 9);
    return LEGAL_ID.test(id) ? id : `toolu_${digest(id, 32)}`;
  }
}
