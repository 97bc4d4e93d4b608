/**
 * The text of an API key: `sk-oc-<id>-<secret><checksum>`.
 *
 * The id finds the record; the checksum refuses garbage without asking the store.
 * @module
 */
import { crc32 } from "node:zlib";

const PREFIX = "sk-oc-";
/** Crockford's alphabet in small letters: no letter looks like a digit. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_LENGTH = 10;
/** 36 letters of 5 bits: 180 bits. */
const SECRET_LENGTH = 36;
const CHECKSUM_LENGTH = 6;
const SHAPE = new RegExp(
  `^${PREFIX}([${ALPHABET}]{${ID_LENGTH}})-([${ALPHABET}]{${SECRET_LENGTH + CHECKSUM_LENGTH}})$`,
);

function randomLetters(count: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(count));
  return Array.from(bytes, (byte) => ALPHABET[byte & 31]).join("");
}

function checksum(text: string): string {
  let value = crc32(text);
  let letters = "";
  for (let at = 0; at < CHECKSUM_LENGTH; at++) {
    letters += ALPHABET[value & 31];
    value >>>= 5;
  }
  return letters;
}

/** A new key: its public id, e.g. `key_7f3k2m9x1c`, and its text. */
export function newKey(): { id: string; text: string } {
  const id = randomLetters(ID_LENGTH);
  return { id: `key_${id}`, text: keyText(id) };
}

/** A new text for the key with this public id. */
export function renewedKey(publicId: string): string {
  return keyText(publicId.slice("key_".length));
}

function keyText(id: string): string {
  const body = `${PREFIX}${id}-${randomLetters(SECRET_LENGTH)}`;
  return body + checksum(body);
}

/** The public id in a key's text; undefined if the text is no key of ours. */
export function idOfKey(text: string): string | undefined {
  const id = SHAPE.exec(text)?.[1];
  if (id === undefined) return undefined;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  return checksum(body) === text.slice(-CHECKSUM_LENGTH) ? `key_${id}` : undefined;
}
