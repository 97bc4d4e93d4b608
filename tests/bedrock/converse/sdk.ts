/**
 * The AWS SDK as the referee of Converse bodies: it leaves out members it does not know.
 * @module
 */
import {
  BedrockRuntimeClient,
  ConverseCommand,
  type ConverseCommandInput,
} from "@aws-sdk/client-bedrock-runtime";
import type { Json } from "./build.ts";

/** The SDK wants bytes where the wire has base64. */
function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) =>
      (name === "bytes" || name === "redactedContent") && typeof inner === "string"
        ? [name, Uint8Array.fromBase64(inner)]
        : [name, withBytes(inner)]
    ),
  );
}

class Sent extends Error {
  constructor(readonly body: string) {
    super("Sent");
  }
}

/** What the AWS SDK would put on the wire for a body. */
export async function serialized(body: Json): Promise<unknown> {
  const client = new BedrockRuntimeClient({
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    maxAttempts: 1,
    requestHandler: {
      handle: ({ body }: { body: string | Uint8Array }) => {
        const text = typeof body === "string" ? body : new TextDecoder().decode(body);
        return Promise.reject(new Sent(text));
      },
    },
  });
  const input = { ...body, modelId: "m", messages: withBytes(body.messages) };
  try {
    await client.send(new ConverseCommand(input as unknown as ConverseCommandInput));
  } catch (error) {
    if (error instanceof Sent) return JSON.parse(error.body);
    throw error;
  } finally {
    client.destroy();
  }
  throw new Error("Expected the SDK to send a request: it sent none");
}
