/**
 * Load from this process, which is none of those that are measured.
 * @module
 */

/** A request, as often as one likes. */
export interface Shot {
  /** Where to. */
  readonly url: string;
  /** Body. */
  readonly body: string;
  /** Headers. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What came of a load. */
export interface Loaded {
  /** Seconds it took. */
  readonly seconds: number;
  /** Milliseconds of each request, whole. */
  readonly latencies: number[];
}

/** A server that does not answer must end the run, not hold it. */
const PATIENCE_MS = 60_000;

function send({ url, body, headers }: Shot): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
}

/** Sends `requests` over `connections` at the same time, each as soon as the one before has ended. */
export async function load(shot: Shot, requests: number, connections: number): Promise<Loaded> {
  let left = requests;
  const latencies: number[] = [];
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, async () => {
    while (left-- > 0) {
      const from = performance.now();
      const response = await send(shot);
      const bytes = await response.arrayBuffer();
      if (response.status !== 200 || bytes.byteLength === 0) {
        const text = new TextDecoder().decode(bytes.slice(0, 300));
        throw new Error(`Cannot measure an answer of ${response.status}: ${text}`);
      }
      latencies.push(performance.now() - from);
    }
  }));
  return { seconds: (performance.now() - began) / 1_000, latencies };
}

/** Milliseconds from a request to the first byte of its answer's body. */
export async function firstByte(shot: Shot): Promise<number> {
  const from = performance.now();
  const response = await send(shot);
  const reader = response.body?.getReader();
  await reader?.read();
  const ms = performance.now() - from;
  while (reader !== undefined && !(await reader.read()).done);
  if (response.status !== 200) throw new Error(`Cannot measure an answer of ${response.status}`);
  return ms;
}

/** One of many streams that were read at the same time. */
export interface SlowRead {
  /** Events of text that came. */
  readonly events: number;
  /** Whether the message ended as it should. */
  readonly whole: boolean;
}

const TIME = /at (\d+\.\d+)/g;
const CHUNK = /\{"bytes":"([A-Za-z0-9+/=]+)"/g;

/** Times at which the events of a chunk were sent, be they plain or, from the raw hop, in base64. */
function timesOf(text: string): number[] {
  const plain = [...text.matchAll(TIME)].map(([, at]) => Number(at));
  const framed = [...text.matchAll(CHUNK)].flatMap(([, base64 = ""]) => timesOf(atob(base64)));
  return plain.concat(framed);
}

const latin1 = new TextDecoder("latin1");

/**
 * Reads one slow stream to its end; `delays` gets the milliseconds each event took. What a chunk cuts off is kept
 * for the next.
 */
export async function readSlow(
  shot: Shot,
  delays: number[],
  now: () => number,
): Promise<SlowRead> {
  const response = await send(shot);
  if (response.status !== 200) {
    await response.body?.cancel();
    return { events: 0, whole: false };
  }
  let rest = "";
  let events = 0;
  let last = "";
  for await (const chunk of response.body ?? []) {
    const text = rest + latin1.decode(chunk);
    // An event ends by its closing brace, framed or not.
    const end = text.lastIndexOf("}") + 1;
    const at = now();
    for (const sent of timesOf(text.slice(0, end))) {
      delays.push(at - sent);
      events++;
    }
    last = (last + text.slice(0, end)).slice(-600);
    rest = text.slice(end);
  }
  const whole = last.includes("message_stop") || last.includes(btoa('{"type":"message_stop"}'));
  return { events, whole };
}
