/**
 * Writes AWS event-stream frames, whole ones and broken ones.
 *
 * Source: Smithy, Amazon event stream specification.
 * @module
 */
import { crc32 } from "node:zlib";

const encoder = new TextEncoder();
const STRING = 7;

function encodeHeaders(headers: Readonly<Record<string, string>>): Uint8Array {
  const bytes: number[] = [];
  for (const [name, value] of Object.entries(headers)) {
    const nameBytes = encoder.encode(name);
    const valueBytes = encoder.encode(value);
    bytes.push(nameBytes.byteLength, ...nameBytes, STRING);
    bytes.push(valueBytes.byteLength >> 8, valueBytes.byteLength & 0xff, ...valueBytes);
  }
  return Uint8Array.from(bytes);
}

/** A frame. */
export function encodeFrame(
  headers: Readonly<Record<string, string>>,
  payload: Uint8Array,
): Uint8Array {
  const head = encodeHeaders(headers);
  const total = 16 + head.byteLength + payload.byteLength;
  const frame = new Uint8Array(total);
  const view = new DataView(frame.buffer);
  view.setUint32(0, total);
  view.setUint32(4, head.byteLength);
  view.setUint32(8, crc32(frame.subarray(0, 8)));
  frame.set(head, 12);
  frame.set(payload, 12 + head.byteLength);
  view.setUint32(total - 4, crc32(frame.subarray(0, total - 4)));
  return frame;
}

/** An event with a JSON payload. */
export function eventFrame(type: string, payload: unknown): Uint8Array {
  return encodeFrame(
    { ":event-type": type, ":content-type": "application/json", ":message-type": "event" },
    encoder.encode(JSON.stringify(payload)),
  );
}

/** An exception, e.g. `throttlingException`. */
export function exceptionFrame(type: string, message: string): Uint8Array {
  return encodeFrame(
    { ":exception-type": type, ":content-type": "application/json", ":message-type": "exception" },
    encoder.encode(JSON.stringify({ message })),
  );
}

/** An error that is no modelled exception. */
export function errorFrame(code: string, message: string): Uint8Array {
  return encodeFrame(
    { ":message-type": "error", ":error-code": code, ":error-message": message },
    new Uint8Array(),
  );
}

/** Bytes that are other than they were: the last checksum's, the prelude's, the length's, a header's, the payload's. */
export type Flip = "crc" | "prelude" | "length" | "headers" | "payload";
/** Lengths that are untrue, under a prelude checksum that is right. */
export type Lie = "longer" | "shorter" | "huge" | "headers_longer" | "no_room";

/** Ways to break a frame. */
export type Corruption = Flip | Lie;

const PRELUDE = 12;

/** Which byte a flip hits. */
function flippedAt(frame: Uint8Array, how: Flip): number {
  const headers = new DataView(frame.buffer, frame.byteOffset).getUint32(4);
  switch (how) {
    case "length":
      return 0;
    case "prelude":
      return 9;
    case "headers":
      return PRELUDE + 3;
    case "payload":
      return PRELUDE + headers + 2;
    case "crc":
      return frame.byteLength - 1;
  }
}

/** The lengths that a lie tells. */
const LIES: Readonly<Record<Lie, (total: number, headers: number) => [number, number]>> = {
  longer: (total, headers) => [total + 40, headers],
  shorter: (total, headers) => [total - 5, headers],
  huge: (_, headers) => [0xffff_fff0, headers],
  headers_longer: (total, headers) => [total, headers + 7],
  no_room: (total) => [total, total],
};

function isLie(how: Corruption): how is Lie {
  return how in LIES;
}

/** The same frame, broken. */
export function corrupt(frame: Uint8Array, how: Corruption): Uint8Array {
  const broken = frame.slice();
  const view = new DataView(broken.buffer);
  if (isLie(how)) {
    const [total, headers] = LIES[how](view.getUint32(0), view.getUint32(4));
    view.setUint32(0, total);
    view.setUint32(4, headers);
    view.setUint32(8, crc32(broken.subarray(0, 8)));
    return broken;
  }
  const at = flippedAt(broken, how);
  broken[at] = (broken[at] ?? 0) ^ 0x5a;
  return broken;
}
