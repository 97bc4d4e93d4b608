import assert from "node:assert/strict";
import { inlineUrlSources, type UrlFetcher } from "../../src/bedrock/url_sources.ts";
import { ApiError } from "../../src/anthropic/error.ts";
import { UrlRefused } from "../../src/net/public_fetch.ts";
import type { ContentBlock, MessagesRequest } from "../../src/anthropic/types.ts";

const fetched: string[] = [];

function fetcher(url: string) {
  fetched.push(url);
  if (url.endsWith("bad")) return Promise.reject(new UrlRefused("Must lie at a public address"));
  const type = url.endsWith(".pdf")
    ? "application/pdf"
    : url.endsWith(".svg")
    ? "image/svg+xml"
    : "image/png";
  return Promise.resolve({ bytes: new Uint8Array([1, 2, 3]), type });
}

function body(...content: ContentBlock[]): MessagesRequest {
  return {
    model: "m",
    max_tokens: 1,
    messages: [{ role: "user", content: "first" }, { role: "user", content }],
  };
}

const image = (url: string) => ({
  type: "image",
  source: { type: "url", url },
  cache_control: { type: "ephemeral" },
});
const inline = (given: MessagesRequest) =>
  inlineUrlSources(given, fetcher, { signal: new AbortController().signal });

Deno.test("inlineUrlSources() gives a body that names none back as it is", async () => {
  const given = body({ type: "text", text: "x" }, {
    type: "image",
    source: { type: "base64", data: "AA==" },
  });
  assert.equal(await inline(given), given);
});

Deno.test("inlineUrlSources() puts what it fetched in place, in tool results too, and shares the rest", async () => {
  const given = body(
    image("https://a.test/1.png"),
    { type: "document", source: { type: "url", url: "https://a.test/2.pdf" }, title: "t" },
    { type: "tool_result", tool_use_id: "x", content: [image("https://a.test/3.png")] },
  );
  const result = await inline(given);
  const png = { type: "base64", media_type: "image/png", data: "AQID" };
  assert.deepEqual(result.messages[1]?.content, [
    { type: "image", source: png, cache_control: { type: "ephemeral" } },
    {
      type: "document",
      source: { type: "base64", media_type: "application/pdf", data: "AQID" },
      title: "t",
    },
    {
      type: "tool_result",
      tool_use_id: "x",
      content: [{ type: "image", source: png, cache_control: { type: "ephemeral" } }],
    },
  ]);
  assert.equal(result.messages[0], given.messages[0]);
});

Deno.test("inlineUrlSources() names the block and the rule that it breaks", async () => {
  await assert.rejects(inline(body({ type: "text", text: "x" }, image("https://a.test/bad"))), {
    status: 400,
    message:
      "messages.1.content.1.source.url: Must lie at a public address: or send the content as base64",
  });
  await assert.rejects(
    inline(body(image("https://a.test/a.svg"))),
    /messages\.1\.content\.0\.source\.url: Must be image\/jpeg, .*: it is image\/svg\+xml/,
  );
  await assert.rejects(inline(body(image("https://a.test/a.pdf"))), /it is application\/pdf/);
});

Deno.test("inlineUrlSources() fetches nothing of a request that names too many", async () => {
  fetched.length = 0;
  await assert.rejects(
    inline(body(...Array.from({ length: 21 }, () => image("https://a.test/1.png")))),
    /at most 20 url sources/,
  );
  assert.deepEqual(fetched, []);
});

const MEGABYTE = 1_048_576;

/** Fetches pictures of so many bytes, a megabyte at a time, and tells what was still fetched at the end. */
function megabytes(count: number) {
  const seen = { fetched: 0, aborted: 0 };
  const fetcher: UrlFetcher = async (_, { signal, onBytes }) => {
    signal.addEventListener("abort", () => seen.aborted++);
    for (let at = 0; at < count; at++) {
      await Promise.resolve();
      signal.throwIfAborted();
      onBytes(MEGABYTE);
      seen.fetched++;
    }
    return { bytes: new Uint8Array(3), type: "image/png" };
  };
  return { seen, fetcher };
}

const six = body(...Array.from({ length: 6 }, (_, at) => image(`https://a.test/${at}.png`)));

Deno.test("inlineUrlSources() holds a bounded number of bytes of all that a request names", async () => {
  const { signal } = new AbortController();
  const { seen, fetcher } = megabytes(5);
  await assert.rejects(
    inlineUrlSources(six, fetcher, { signal }),
    /source\.url: Must be at most 24 MB, with all else that the request names/,
  );
  assert.equal(seen.fetched, 24);
  assert.equal(seen.aborted, 6, "the others are ended with the first");
  const fits = megabytes(4);
  await inlineUrlSources(six, fits.fetcher, { signal });
  assert.equal(fits.seen.fetched, 24);
});

Deno.test("inlineUrlSources() ends when no more may be held, and says so as it was told", async () => {
  const full = new ApiError("overloaded_error", "Full");
  const told: number[] = [];
  const onHeld = (bytes: number) => {
    told.push(bytes / MEGABYTE);
    if (bytes > 3 * MEGABYTE) throw full;
  };
  const ask: UrlFetcher = async (url, options) => {
    try {
      return await megabytes(5).fetcher(url, options);
    } catch (cause) {
      throw new UrlRefused("Must answer over https", { cause }); // as whoever fetches may tell it
    }
  };
  await assert.rejects(
    inlineUrlSources(six, ask, { signal: new AbortController().signal, onHeld }),
    full,
  );
  assert.deepEqual(told.slice(0, 4), [1, 2, 3, 4]);
});
