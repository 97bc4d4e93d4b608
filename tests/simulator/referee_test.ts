/** The AWS SDK is the referee: it must be able to talk to the simulator as it talks to Bedrock. */
import assert from "node:assert/strict";
import {
  BedrockRuntimeClient,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import {
  type Simulator,
  SIMULATOR_CREDENTIALS,
  startSimulator,
} from "../../src/simulator/simulator.ts";

const encoder = new TextEncoder();
const QWEN = "qwen.qwen3-coder-30b-a3b-v1:0";
const CLAUDE = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";

function clientOf(simulator: Simulator, over: Record<string, unknown> = {}): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    endpoint: simulator.url,
    region: "us-east-1",
    credentials: SIMULATOR_CREDENTIALS,
    maxAttempts: 1,
    ...over,
  });
}

function referee(
  name: string,
  run: (client: BedrockRuntimeClient, simulator: Simulator) => Promise<void>,
) {
  Deno.test({
    name: `the AWS SDK ${name}`,
    sanitizeResources: false, // the SDK keeps sockets of its own open for a while
    sanitizeOps: false,
    async fn() {
      const simulator = startSimulator();
      const client = clientOf(simulator);
      try {
        await run(client, simulator);
      } finally {
        client.destroy();
        await simulator.close();
      }
    },
  });
}

function ask(text: string, modelId: string = QWEN): ConverseCommandInput {
  return { modelId, messages: [{ role: "user", content: [{ text }] }] };
}

const WEATHER = {
  toolSpec: {
    name: "get_weather",
    inputSchema: {
      json: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
};

referee("reads an answer of Converse", async (client) => {
  const answer = await client.send(new ConverseCommand(ask("[[sim:echo]] Grüße, 世界")));
  assert.deepEqual(answer.output?.message?.content, [{ text: "Grüße, 世界" }]);
  assert.equal(answer.stopReason, "end_turn");
  assert.ok((answer.usage?.inputTokens ?? 0) > 0 && (answer.usage?.outputTokens ?? 0) > 0);
  assert.match(answer.$metadata.requestId ?? "", /^[0-9a-f-]{36}$/);
});

referee(
  "reads a stream of Converse, with usage behind the stop and no start for text",
  async (client) => {
    const answer = await client.send(new ConverseStreamCommand(ask("[[sim:count 5]]")));
    const kinds: string[] = [];
    let text = "";
    for await (const event of answer.stream ?? []) {
      kinds.push(Object.keys(event)[0] ?? "");
      text += event.contentBlockDelta?.delta?.text ?? "";
    }
    assert.equal(text, "1 2 3 4 5 ");
    assert.deepEqual(kinds.slice(-2), ["messageStop", "metadata"]);
    assert.ok(!kinds.includes("contentBlockStart"));
  },
);

referee("reads a tool call, streamed and not, and gives its result back", async (client) => {
  const input = { ...ask("use the tool"), toolConfig: { tools: [WEATHER] } };
  const whole = await client.send(new ConverseCommand(input));
  const call = whole.output?.message?.content?.[0]?.toolUse;
  assert.deepEqual([call?.name, call?.input], ["get_weather", { city: "Paris" }]);
  const streamed = await client.send(new ConverseStreamCommand(input));
  let json = "";
  for await (const event of streamed.stream ?? []) {
    json += event.contentBlockDelta?.delta?.toolUse?.input ?? "";
  }
  assert.deepEqual(JSON.parse(json), { city: "Paris" });
  const result = { toolResult: { toolUseId: call?.toolUseId ?? "", content: [{ text: "sunny" }] } };
  const after = await client.send(
    new ConverseCommand({
      ...input,
      messages: [
        ...(input.messages ?? []),
        {
          role: "assistant",
          content: [{
            toolUse: {
              toolUseId: call?.toolUseId ?? "",
              name: "get_weather",
              input: { city: "Paris" },
            },
          }],
        },
        { role: "user", content: [result] },
      ],
    }),
  );
  assert.equal(after.output?.message?.content?.[0]?.text, "The tool said: sunny");
});

referee("reads an answer of InvokeModel", async (client, simulator) => {
  const body = JSON.stringify({
    anthropic_version: "bedrock-2023-05-31",
    max_tokens: 10,
    messages: [{ role: "user", content: "[[sim:echo]] hi" }],
  });
  const answer = await client.send(new InvokeModelCommand({ modelId: CLAUDE, body }));
  const message = JSON.parse(new TextDecoder().decode(answer.body));
  assert.equal(message.content[0].text, "hi");
  assert.equal(message.model, "claude-sonnet-4-5-20250929");
  assert.equal(simulator.requests[0]?.modelId, CLAUDE);
});

referee("reads a stream of InvokeModel", async (client) => {
  const body = JSON.stringify({
    anthropic_version: "bedrock-2023-05-31",
    max_tokens: 10,
    messages: [{ role: "user", content: "[[sim:count 3]]" }],
  });
  const answer = await client.send(
    new InvokeModelWithResponseStreamCommand({ modelId: CLAUDE, body }),
  );
  const events: { type: string; delta?: { text?: string } }[] = [];
  for await (const event of answer.body ?? []) {
    events.push(JSON.parse(new TextDecoder().decode(event.chunk?.bytes)));
  }
  assert.equal(events.map(({ delta }) => delta?.text ?? "").join(""), "1 2 3 ");
  assert.equal(events[0]?.type, "message_start");
  assert.ok("amazon-bedrock-invocationMetrics" in (events.at(-1) ?? {}));
});

referee("counts tokens", async (client) => {
  const body = encoder.encode(
    JSON.stringify({
      anthropic_version: "x",
      max_tokens: 1,
      messages: [{ role: "user", content: "hi" }],
    }),
  );
  const answer = await client.send(
    new CountTokensCommand({
      modelId: "anthropic.claude-haiku-4-5-20251001-v1:0",
      input: { invokeModel: { body } },
    }),
  );
  assert.ok((answer.inputTokens ?? 0) > 0);
});

referee("is understood with an ARN in the path", async (client, simulator) => {
  const arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.qwen.qwen3-32b-v1:0";
  await client.send(new ConverseCommand(ask("hello", arn)));
  assert.equal(simulator.requests[0]?.modelId, arn);
});

referee("is refused with a wrong secret, and with keys nobody knows", async (_, simulator) => {
  const wrong = clientOf(simulator, {
    credentials: { ...SIMULATOR_CREDENTIALS, secretAccessKey: "wrong" },
  });
  await assert.rejects(wrong.send(new ConverseCommand(ask("hi"))), {
    name: "InvalidSignatureException",
  });
  const unknown = clientOf(simulator, {
    credentials: { accessKeyId: "AKIDNOBODY", secretAccessKey: "x" },
  });
  await assert.rejects(unknown.send(new ConverseCommand(ask("hi"))), {
    name: "UnrecognizedClientException",
  });
});

referee("is refused with a date that has passed", async (client, simulator) => {
  client.config.systemClockOffset = -10 * 60_000;
  await assert.rejects(client.send(new ConverseCommand(ask("hi"))), {
    name: "InvalidSignatureException",
  });
  assert.equal(simulator.requests.length, 1);
});

referee("sees throttling as its own exception, twice and then no more", async (client) => {
  for (const _ of [1, 2]) {
    await assert.rejects(client.send(new ConverseCommand(ask("x", "sim.throttle-2"))), {
      name: "ThrottlingException",
      message: "Too many requests, please wait before trying again.",
    });
  }
  const answer = await client.send(new ConverseCommand(ask("x", "sim.throttle-2")));
  assert.equal(answer.stopReason, "end_turn");
});

referee("sees an exception in mid-stream as its own", async (client) => {
  const answer = await client.send(
    new ConverseStreamCommand(ask("x", "sim.fail-mid-throttlingException")),
  );
  let text = "";
  await assert.rejects(
    async () => {
      for await (const event of answer.stream ?? []) {
        text += event.contentBlockDelta?.delta?.text ?? "";
        if (event.throttlingException !== undefined) throw event.throttlingException;
      }
    },
    { name: "ThrottlingException" },
  );
  assert.notEqual(text, "");
});

referee("refuses a corrupt frame", async (client) => {
  const answer = await client.send(new ConverseStreamCommand(ask("x", "sim.crc-mid")));
  await assert.rejects(async () => {
    for await (const event of answer.stream ?? []) assert.ok(event);
  });
});

referee("is told in Bedrock's words what is not valid", async (client) => {
  await assert.rejects(
    client.send(new ConverseCommand({ ...ask("x"), inferenceConfig: { stopSequences: ["x"] } })),
    {
      name: "ValidationException",
      message:
        "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
    },
  );
  await assert.rejects(
    client.send(
      new ConverseCommand({
        ...ask("x"),
        system: [{ text: "s" }, { cachePoint: { type: "default" } }],
      }),
    ),
    { name: "AccessDeniedException", message: /did not allow prompt caching/ },
  );
  await assert.rejects(client.send(new ConverseCommand(ask("  "))), {
    name: "ValidationException",
  });
});
