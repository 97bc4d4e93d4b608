/**
 * An MCP server of one tool, over stdio: its first argument is the tool's name, its second what the tool says.
 * @module
 */
const [tool = "ping", says = "pong"] = Deno.args;

interface Request {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly protocolVersion?: string; readonly arguments?: unknown };
}

function resultOf({ method, params }: Request): unknown {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "outcrop-test", version: "1.0.0" },
      };
    case "tools/list":
      return {
        tools: [{
          name: tool,
          description: "Says one word about a city",
          inputSchema: {
            type: "object",
            properties: { city: { type: "string" } },
            required: ["city"],
          },
        }],
      };
    case "tools/call":
      return {
        content: [{ type: "text", text: `${says} ${JSON.stringify(params?.arguments)}` }],
      };
    case "ping":
      return {};
    default:
      return undefined;
  }
}

function reply(request: Request): void {
  if (request.id === undefined) return; // a notification
  const result = resultOf(request);
  const error = { code: -32601, message: `Method ${request.method} is not known` };
  const message = {
    jsonrpc: "2.0",
    id: request.id,
    ...(result === undefined ? { error } : { result }),
  };
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
}

let rest = "";
for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  rest += part;
  const lines = rest.split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) if (line.trim() !== "") reply(JSON.parse(line));
}
