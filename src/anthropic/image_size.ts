/**
 * What a picture costs, by its size in pixels.
 *
 * Source: Anthropic, Vision, Calculate image costs: width x height / 750 tokens; longer sides than 1,568 pixels
 * are scaled down ([D]).
 * @module
 */

/** Most pixels on a side before the picture is scaled down. */
const LONGEST_SIDE = 1_568;
/** What a picture costs at most, and when its size cannot be told. */
const MOST_TOKENS = 1_600;
const PIXELS_PER_TOKEN = 750;
/** So much base64 holds the size in every format but JPEG, whose size may stand behind a thumbnail. */
const HEAD_BASE64 = 87_384;

/** Pixels. */
export interface Size {
  /** Pixels from side to side. */
  readonly width: number;
  /** Pixels from top to bottom. */
  readonly height: number;
}

function startsWith(view: DataView, bytes: readonly number[], at: number = 0): boolean {
  return bytes.every((byte, index) =>
    at + index < view.byteLength && view.getUint8(at + index) === byte
  );
}

function pngSize(view: DataView): Size | undefined {
  if (!startsWith(view, [0x89, 0x50, 0x4e, 0x47]) || view.byteLength < 24) return undefined;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function gifSize(view: DataView): Size | undefined {
  if (!startsWith(view, [0x47, 0x49, 0x46, 0x38]) || view.byteLength < 10) return undefined;
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function webpSize(view: DataView): Size | undefined {
  if (!startsWith(view, [0x52, 0x49, 0x46, 0x46]) || view.byteLength < 30) return undefined;
  if (startsWith(view, [0x56, 0x50, 0x38, 0x58], 12)) {
    const at = (offset: number) =>
      view.getUint16(offset, true) + (view.getUint8(offset + 2) << 16) + 1;
    return { width: at(24), height: at(27) };
  }
  if (startsWith(view, [0x56, 0x50, 0x38, 0x4c], 12)) {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

/** Walks the segments to the frame header (ITU T.81, B.2.2). */
function jpegSize(view: DataView): Size | undefined {
  if (!startsWith(view, [0xff, 0xd8])) return undefined;
  let at = 2;
  while (at + 9 < view.byteLength) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    const frame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 &&
      marker !== 0xcc;
    if (frame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

/** Width and height of a PNG, JPEG, GIF or WebP picture; undefined if the bytes are none. */
export function imageSize(base64: string): Size | undefined {
  const head = base64.slice(0, HEAD_BASE64);
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(
      atob(head.slice(0, head.length - head.length % 4)),
      (c) => c.charCodeAt(0),
    );
  } catch {
    return undefined; // no base64: upstream says so better than we could
  }
  const view = new DataView(bytes.buffer);
  return pngSize(view) ?? gifSize(view) ?? webpSize(view) ?? jpegSize(view);
}

/** Tokens of a picture given as base64. */
export function imageTokens(base64: string): number {
  const size = imageSize(base64);
  if (size === undefined) return MOST_TOKENS;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(size.width, size.height, 1));
  const tokens = Math.ceil(size.width * scale * size.height * scale / PIXELS_PER_TOKEN);
  return Math.min(Math.max(tokens, 1), MOST_TOKENS);
}
