/**
 * A front for DynamoDB as it can be had on one machine: what the stand-ins lack, and faults when a test asks for them.
 *
 * DynamoDB takes 100 writes in a transaction, the DynamoDB Local at hand 10, dynalite none: larger ones are made here,
 * write by write, while no other call passes, and taken back if one of them fails. dynalite knows no time to live.
 *
 * @module
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";

type Item = Record<string, AttributeValue>;
type Json = Record<string, unknown>;

/** A call as it came: which, and with what. */
export interface Call {
  /** E.g. `PutItem`. */
  readonly operation: string;
  /** Its JSON. */
  readonly body: string;
}

/** What stands behind, and what is to go wrong. */
export interface FrontOptions {
  /** Base URL of what stands behind. */
  upstream: string;
  /** Writes of a transaction that it takes. @default Infinity */
  mostInTransaction?: number;
  /** Whether it knows a time to live. @default true */
  knowsTtl?: boolean;
  /** Answers a call in its place, or says nothing. */
  before?: (call: Call) => Response | undefined | Promise<Response>;
  /** Answers in the place of an answer that has come: the call was done. */
  after?: (call: Call) => Response | undefined;
}

/** A front that listens. */
export interface Front {
  /** Its base URL. */
  readonly url: string;
  /** Ends it. */
  close(): Promise<void>;
}

/** A refusal in DynamoDB's form. */
export function refusal(name: string, fields: Json = {}, status: number = 400): Response {
  const body = { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: name, ...fields };
  return Response.json(body, { status, headers: { "content-type": "application/x-amz-json-1.0" } });
}

/** Many calls at once, or one alone. */
class Gate {
  #passing = 0;
  #queue: Promise<void> = Promise.resolve();
  #free: (() => void) | undefined;

  async pass<T>(work: () => Promise<T>): Promise<T> {
    await this.#queue;
    this.#passing++;
    try {
      return await work();
    } finally {
      if (--this.#passing === 0) this.#free?.();
    }
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(async () => {
      if (this.#passing > 0) await new Promise<void>((resolve) => this.#free = resolve);
      this.#free = undefined;
      return await work();
    });
    this.#queue = done.then(() => undefined, () => undefined);
    return done;
  }
}

interface Write extends Json {
  readonly Key?: Item;
  readonly Item?: Item;
  readonly TableName: string;
}

/** Listens on a free port. */
export function startFront(options: FrontOptions): Front {
  const { upstream, mostInTransaction = Infinity, knowsTtl = true, before, after } = options;
  const gate = new Gate();
  const ttls = new Map<string, Json>();
  const tokens = new Set<string>();

  const forward = (headers: Headers, { operation, body }: Call): Promise<Response> => {
    const own = new Headers(headers);
    own.set("x-amz-target", `DynamoDB_20120810.${operation}`);
    own.delete("content-length");
    own.delete("host");
    return fetch(upstream, { method: "POST", headers: own, body });
  };

  const ttl = ({ operation, body }: Call): Response | undefined => {
    if (knowsTtl || !operation.endsWith("TimeToLive")) return undefined;
    const { TableName, TimeToLiveSpecification } = JSON.parse(body);
    if (operation === "UpdateTimeToLive") {
      ttls.set(TableName, TimeToLiveSpecification);
      return Response.json({ TimeToLiveSpecification });
    }
    const set = ttls.get(TableName);
    return Response.json({
      TimeToLiveDescription: set === undefined
        ? { TimeToLiveStatus: "DISABLED" }
        : { TimeToLiveStatus: "ENABLED", AttributeName: set.AttributeName },
    });
  };

  const transact = async (headers: Headers, body: string): Promise<Response> => {
    const { TransactItems, ClientRequestToken } = JSON.parse(body);
    if (tokens.has(ClientRequestToken)) return Response.json({});
    const call = async (operation: string, input: Json) => {
      const response = await forward(headers, { operation, body: JSON.stringify(input) });
      return { ok: response.ok, json: await response.json() };
    };
    // No two writes are of one item: their order does not matter.
    const undo: (() => Promise<unknown>)[] = [];
    const make = async (one: Record<string, Write>): Promise<Json> => {
      const [[kind, write] = ["", { TableName: "" }]] = Object.entries(one);
      const { TableName } = write;
      const Key = write.Key ?? { pk: write.Item?.pk, sk: write.Item?.sk };
      const read = await call("GetItem", { TableName, Key, ConsistentRead: true });
      const done = await call(`${kind}Item`, write);
      if (!done.ok) return { Code: String(done.json.__type).replace(/.*#|Exception$/g, "") };
      const { Item } = read.json;
      undo.push(() =>
        Item === undefined
          ? call("DeleteItem", { TableName, Key })
          : call("PutItem", { TableName, Item })
      );
      return { Code: "None" };
    };
    const reasons = await Promise.all(TransactItems.map(make));
    if (reasons.every(({ Code }) => Code === "None")) {
      tokens.add(ClientRequestToken);
      return Response.json({});
    }
    await Promise.all(undo.map((one) => one()));
    return refusal("TransactionCanceledException", { CancellationReasons: reasons });
  };

  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const operation = request.headers.get("x-amz-target")?.split(".").at(-1) ?? "";
      const body = await request.text();
      const call = { operation, body };
      const instead = await before?.(call) ?? ttl(call);
      if (instead !== undefined) return instead;
      const { headers } = request;
      const isLarge = operation === "TransactWriteItems" &&
        JSON.parse(body).TransactItems.length > mostInTransaction;
      const answer = isLarge
        ? await gate.alone(() => transact(headers, body))
        : await gate.pass(() => forward(headers, call));
      const lost = after?.(call);
      if (lost === undefined) return answer;
      await answer.body?.cancel();
      return lost;
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    close: () => server.shutdown(),
  };
}
