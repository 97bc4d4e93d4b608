import assert from "node:assert/strict";
import { estimateText, estimateTokens } from "../../src/anthropic/estimate.ts";
import { imageSize, imageTokens } from "../../src/anthropic/image_size.ts";
import type { MessagesRequest } from "../../src/anthropic/types.ts";
import reference from "./estimate/reference.json" with { type: "json" };

const FOLDER = new URL("./estimate/", import.meta.url);

for (const [file, tokens] of Object.entries(reference.tokens)) {
  Deno.test(`estimateText() of ${file} is within -5 % and +15 % of ${tokens}`, async () => {
    const estimate = estimateText(await Deno.readTextFile(new URL(file, FOLDER)));
    assert.ok(estimate >= tokens * 0.95 && estimate <= tokens * 1.15, `${estimate} of ${tokens}`);
  });
}

function request(over: Partial<MessagesRequest>): MessagesRequest {
  return { model: "m", max_tokens: 1, messages: [{ role: "user", content: "hi" }], ...over };
}

const LONG = "The harbour was quiet that morning and nobody had asked for more. ".repeat(50);
const PLAIN = estimateTokens(request({}));
const LONG_TOKENS = estimateText(LONG);

/** Everywhere a long text may stand: it must count there. */
const PLACES: Record<string, Partial<MessagesRequest>> = {
  "the system prompt": { system: LONG },
  "a system block": { system: [{ type: "text", text: LONG }] },
  "a message": { messages: [{ role: "user", content: LONG }] },
  "a tool's description": { tools: [{ name: "t", description: LONG }] },
  "a tool's schema": { tools: [{ name: "t", input_schema: { description: LONG } }] },
  "a tool of Anthropic's kinds": { tools: [{ type: "bash_20250124", name: "bash", note: LONG }] },
  ...Object.fromEntries(
    Object.entries({
      text: { text: LONG },
      thinking: { thinking: LONG, signature: "s" },
      tool_use: { id: "a", name: "b", input: { deep: [{ text: LONG }] } },
      tool_result: { tool_use_id: "a", content: [{ type: "text", text: LONG }] },
      document: { source: { type: "text", data: LONG } },
      search_result: { content: [{ type: "text", text: LONG }] },
      novel_block: { anything: { at: { all: LONG } } },
    }).map((
      [type, block],
    ) => [`a ${type} block`, {
      messages: [{ role: "user" as const, content: [{ type, ...block }] }],
    }]),
  ),
};

for (const [place, over] of Object.entries(PLACES)) {
  Deno.test(`estimateTokens() counts ${place}`, () => {
    const tokens = estimateTokens(request(over)) - PLAIN;
    assert.ok(
      tokens >= LONG_TOKENS * 0.9 && tokens <= LONG_TOKENS * 1.1 + 400,
      `${tokens} of ${LONG_TOKENS}`,
    );
  });
}

/** The beginning of a PNG of a size. */
function png(width: number, height: number): string {
  const bytes = new Uint8Array(60);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return bytes.toBase64();
}

Deno.test("imageTokens() goes by pixels: width x height / 750, scaled to 1,568 on a side, 1,600 at most", () => {
  assert.equal(imageTokens(png(750, 100)), 100);
  assert.equal(imageTokens(png(200, 200)), 54);
  assert.equal(imageTokens(png(3136, 750)), Math.ceil(1568 * 375 / 750));
  assert.equal(imageTokens(png(4000, 4000)), 1_600);
  assert.equal(imageTokens("no picture at all"), 1_600);
});

Deno.test("imageSize() reads GIF, JPEG and WebP too", () => {
  const of = (bytes: number[]) =>
    imageSize(Uint8Array.from([...bytes, ...new Array(40).fill(0)]).toBase64());
  assert.deepEqual(of([0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x20, 0x03, 0x58, 0x02]), {
    width: 800,
    height: 600,
  });
  const app0 = [0xff, 0xe0, 0x00, 0x04, 0x00, 0x00];
  assert.deepEqual(
    of([0xff, 0xd8, ...app0, 0xff, 0xc0, 0x00, 0x11, 0x08, 0x02, 0x58, 0x03, 0x20]),
    { width: 800, height: 600 },
  );
  const riff = [0x52, 0x49, 0x46, 0x46, 0, 0, 0, 0, 0x57, 0x45, 0x42, 0x50];
  assert.deepEqual(
    of([
      ...riff,
      0x56,
      0x50,
      0x38,
      0x58,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0x1f,
      0x03,
      0x00,
      0x57,
      0x02,
      0x00,
    ]),
    { width: 800, height: 600 },
  );
});

Deno.test("a picture never counts by the length of its base64", () => {
  const data = png(100, 100) + "A".repeat(2_000_000);
  const tokens = estimateTokens(
    request({
      messages: [{ role: "user", content: [{ type: "image", source: { type: "base64", data } }] }],
    }),
  );
  assert.ok(tokens < 100, `${tokens}`);
});

Deno.test("estimateTokens() counts the instructions that come with tools once, however many there are", () => {
  const tool = (name: string) => ({ name, input_schema: { type: "object" } });
  const of = (...names: string[]) => estimateTokens(request({ tools: names.map(tool) }));
  const each = of("a", "b") - of("a");
  assert.equal(estimateTokens(request({ tools: [] })), PLAIN);
  assert.ok(of("a") - PLAIN >= 346 + each && each < 60, `${of("a") - PLAIN}, ${each}`);
});
