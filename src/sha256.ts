/**
 * SHA-256 of short texts, and HMAC under a key that is used again and again: the key's share of the work is done once.
 * The runtime's own costs 4 to 10 us a call where it is one among others, most of it for setting up; this costs 1 for
 * each 200 bytes. Hashes of longer bodies are the runtime's.
 *
 * Source: FIPS 180-4, Secure Hash Standard; RFC 2104, HMAC; equal to node:crypto by test.
 * @module
 */
import { hash } from "node:crypto";

/** Bits of the cube roots of the first 64 primes. */
const K = new Uint32Array([
  ...[0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4],
  ...[0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe],
  ...[0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f],
  ...[0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7],
  ...[0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc],
  ...[0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b],
  ...[0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116],
  ...[0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3],
  ...[0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7],
  0xc67178f2,
]);
/** Bits of the square roots of the first 8 primes. */
const START = new Uint32Array([
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
  ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
]);
const BLOCK = 64;
const LENGTH_AT = BLOCK - 8;
/** Bytes up to which setting up costs more than hashing. */
const SHORT = 2_048;

/** Of a digest, in bytes. */
const DIGEST = 32;

// Used within one call, and by every call: nothing waits in between.
const words = new Uint32Array(64);
const block = new Uint8Array(BLOCK);
const scratch = new Uint8Array(SHORT);
const state = new Uint32Array(START.length);
const encoder = new TextEncoder();

/** Takes one block of `bytes` into the state. */
function compress(state: Uint32Array, bytes: Uint8Array, from: number): void {
  const w = words;
  for (let i = 0, at = from; i < 16; i++, at += 4) {
    w[i] = bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const s0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
    const s1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
    w[i] = w[i - 16]! + s0 + w[i - 7]! + s1 | 0;
  }
  let a = state[0]! | 0, b = state[1]! | 0, c = state[2]! | 0, d = state[3]! | 0;
  let e = state[4]! | 0, f = state[5]! | 0, g = state[6]! | 0, h = state[7]! | 0;
  for (let i = 0; i < 64; i++) {
    const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
    const t1 = h + s1 + (e & f ^ ~e & g) + K[i]! + w[i]! | 0;
    const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
    const t2 = s0 + (a & b ^ a & c ^ b & c) | 0;
    h = g;
    g = f;
    f = e;
    e = d + t1 | 0;
    d = c;
    c = b;
    b = a;
    a = t1 + t2 | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}

/** Ends a hash whose state has taken so many bytes, whole blocks, before the first `size` of `bytes`. */
function finish(state: Uint32Array, bytes: Uint8Array, size: number, before: number): void {
  let at = 0;
  for (; at + BLOCK <= size; at += BLOCK) compress(state, bytes, at);
  block.fill(0);
  for (let to = 0; at + to < size; to++) block[to] = bytes[at + to]!;
  block[size - at] = 0x80;
  if (size - at >= LENGTH_AT) {
    compress(state, block, 0);
    block.fill(0);
  }
  const bits = (before + size) * 8;
  block[60] = bits >>> 24;
  block[61] = bits >>> 16;
  block[62] = bits >>> 8;
  block[63] = bits;
  compress(state, block, 0);
}

/** Puts the state's bytes at the beginning of `out`. */
function putDigest(state: Uint32Array, out: Uint8Array): void {
  for (let index = 0, at = 0; index < state.length; index++) {
    const word = state[index]!;
    out[at++] = word >>> 24;
    out[at++] = word >>> 16;
    out[at++] = word >>> 8;
    out[at++] = word;
  }
}

/** A short text in bytes, in {@link scratch}; how many they are, below zero if it is long. */
function putText(text: string): number {
  if (3 * text.length > SHORT) return -1; // a unit becomes three bytes at most
  return encoder.encodeInto(text, scratch).written;
}

/** HMAC-SHA-256 under one key. */
export class Hmac {
  readonly #inner: Uint32Array;
  readonly #outer: Uint32Array;

  /** Does the key's share of the work. */
  constructor(key: Uint8Array | string) {
    const given = typeof key === "string" ? encoder.encode(key) : key;
    const short = given.byteLength > BLOCK
      ? Uint8Array.fromHex(hash("sha256", given, "hex"))
      : given;
    const padded = new Uint8Array(BLOCK);
    padded.set(short);
    this.#inner = START.slice();
    this.#outer = START.slice();
    compress(this.#inner, padded.map((byte) => byte ^ 0x36), 0);
    compress(this.#outer, padded.map((byte) => byte ^ 0x5c), 0);
  }

  /** The code of a text. */
  digest(text: string): Uint8Array<ArrayBuffer> {
    const size = putText(text);
    state.set(this.#inner);
    if (size >= 0) finish(state, scratch, size, BLOCK);
    else {
      const bytes = encoder.encode(text);
      finish(state, bytes, bytes.byteLength, BLOCK);
    }
    putDigest(state, scratch);
    state.set(this.#outer);
    finish(state, scratch, DIGEST, BLOCK);
    const digest = new Uint8Array(DIGEST);
    putDigest(state, digest);
    return digest;
  }

  /** The same in hexadecimal digits. */
  hex(text: string): string {
    return this.digest(text).toHex();
  }
}

/** The SHA-256 of bytes or text, in hexadecimal digits. */
export function sha256Hex(data: Uint8Array | string): string {
  const size = typeof data !== "string" ? data.byteLength : putText(data);
  if (size < 0 || size > SHORT) return hash("sha256", data, "hex");
  state.set(START);
  finish(state, typeof data === "string" ? scratch : data, size, 0);
  const digest = new Uint8Array(DIGEST);
  putDigest(state, digest);
  return digest.toHex();
}
