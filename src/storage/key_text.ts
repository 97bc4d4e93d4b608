/**
 * The text of an API key: `sk-oc-<id>-<secret><tag>`.
 *
 * The id finds the record. The tag is made of the rest under the gateway's own secret: who does not have that makes up
 * no key that is worth a question to the store.
 * @module
 */
const PREFIX = "sk-oc-";
/** Crockford's alphabet in small letters: no letter looks like a digit. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_LENGTH = 10;
/** 36 letters of 5 bits: 180 bits. */
const SECRET_LENGTH = 36;
/** 30 bits: of a thousand million made-up keys, one gets as far as the store. */
const TAG_LENGTH = 6;
const SHAPE = new RegExp(
  `^${PREFIX}([${ALPHABET}]{${ID_LENGTH}})-[${ALPHABET}]{${SECRET_LENGTH + TAG_LENGTH}}$`,
);

/** A keyed hash of a text, in hexadecimal digits. */
export type KeyedHash = (text: string) => string;

function randomLetters(count: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(count));
  return Array.from(bytes, (byte) => ALPHABET[byte & 31]).join("");
}

function tagOf(body: string, hash: KeyedHash): string {
  let value = parseInt(hash(body).slice(0, 8), 16);
  let letters = "";
  for (let at = 0; at < TAG_LENGTH; at++) {
    letters += ALPHABET[value & 31];
    value >>>= 5;
  }
  return letters;
}

/** A new public id, e.g. `key_7f3k2m9x1c`. */
export function newKeyId(): string {
  return `key_${randomLetters(ID_LENGTH)}`;
}

/** A new text for the key with this public id. */
export function newKeyText(publicId: string, hash: KeyedHash): string {
  const body = `${PREFIX}${publicId.slice("key_".length)}-${randomLetters(SECRET_LENGTH)}`;
  return body + tagOf(body, hash);
}

/** The public id in a text of a key's shape; undefined if it has another. */
export function idOfKey(text: string): string | undefined {
  const id = SHAPE.exec(text)?.[1];
  return id === undefined ? undefined : `key_${id}`;
}

/** Whether a text of a key's shape was made under this secret. */
export function isTagged(text: string, hash: KeyedHash): boolean {
  const tag = tagOf(text.slice(0, -TAG_LENGTH), hash);
  let difference = 0; // as long whatever the difference, so that time tells nothing of the tag
  for (let at = 0; at < TAG_LENGTH; at++) {
    difference |= tag.charCodeAt(at) ^ text.charCodeAt(text.length - TAG_LENGTH + at);
  }
  return difference === 0;
}
