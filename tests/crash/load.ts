/**
 * Clients of a gateway, as a process of their own: they ask until the process is told to end, and write what they
 * saw of each answer to stdout, one JSON line each.
 *
 * Arguments: base URL, key, number of clients, seed.
 * @module
 */
import { Seeded } from "./seeded.ts";

/** What a client saw of an answer. */
export interface Seen {
  /** `request-id`; null where no answer began. */
  readonly id: string | null;
  /** Whether it came to its end. */
  readonly complete: boolean;
  /** HTTP status; 0 where no answer began. */
  readonly status: number;
  /** The error's type, where it was one. */
  readonly error: string | null;
  /** Output tokens that it told; null where it told none. */
  readonly outputTokens: number | null;
}

const MODELS = ["claude-haiku-4-5", "qwen.qwen3-32b-v1:0"] as const;
/** What the simulator does: at once, or a word every 30 ms, so that kills cut streams in their midst. */
const BEHAVIOURS = ["echo", "echo", "slow-30"] as const;

function failedSeen(id: string | null, status: number): Seen {
  return { id, complete: false, status, error: null, outputTokens: null };
}

/** Output tokens of a stream that came to its end. */
function streamed(text: string): number | undefined {
  if (!text.includes("event: message_stop")) return undefined;
  const counts = [...text.matchAll(/"output_tokens":\s*(\d+)/g)];
  return Number(counts.at(-1)?.[1]);
}

async function ask(url: string, key: string, random: Seeded): Promise<Seen> {
  const stream = random.below(2) === 1;
  const words = "word ".repeat(1 + random.below(40));
  const behaviour = BEHAVIOURS[random.below(BEHAVIOURS.length)];
  const body = JSON.stringify({
    model: MODELS[random.below(MODELS.length)],
    max_tokens: 200,
    stream,
    messages: [{ role: "user", content: `[[sim:${behaviour}]] ${words}` }],
  });
  let id: string | null = null;
  let status = 0;
  try {
    const response = await fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key },
      body,
    });
    id = response.headers.get("request-id");
    status = response.status;
    const text = await response.text();
    if (status !== 200) {
      const { error } = JSON.parse(text);
      return { ...failedSeen(id, status), complete: true, error: error.type };
    }
    const outputTokens = stream ? streamed(text) : JSON.parse(text).usage.output_tokens;
    if (outputTokens === undefined) return failedSeen(id, status);
    return { id, complete: true, status, error: null, outputTokens };
  } catch {
    return failedSeen(id, status); // the gateway has gone: refused, or cut in the midst
  }
}

if (import.meta.main) {
  const [url = "", key = "", clients = "8", seed = "1"] = Deno.args;
  const encoder = new TextEncoder();
  let ending = false;
  Deno.addSignalListener("SIGTERM", () => ending = true);
  await Promise.all(Array.from({ length: Number(clients) }, async (_, client) => {
    const random = new Seeded(Number(seed) + client);
    while (!ending) {
      const seen = await ask(url, key, random);
      Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(seen)}\n`));
      await new Promise((resolve) =>
        setTimeout(resolve, seen.status === 0 ? 50 : random.below(30))
      );
    }
  }));
  Deno.exit();
}
