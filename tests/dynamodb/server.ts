/**
 * DynamoDB on this machine, for as long as the process lives whose id is the first argument: AWS's own DynamoDB Local
 * where there is Java, else dynalite. Writes where it listens into the file that the second argument names.
 * @module
 */
import process from "node:process";
import { startFront } from "./front.ts";
import { localJar } from "./jar.ts";

const [parent = "", file = ""] = Deno.args;

interface Backend {
  readonly name: string;
  readonly url: string;
  readonly mostInTransaction?: number;
  readonly knowsTtl?: boolean;
  stop(): void;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

async function dynalite(): Promise<Backend> {
  const { default: makeServer } = await import("dynalite");
  const server = makeServer({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  const port = freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  return {
    name: "dynalite",
    url: `http://127.0.0.1:${port}`,
    mostInTransaction: 0,
    knowsTtl: false,
    stop: () => server.close(),
  };
}

/** AWS's own; undefined with the reason where it cannot be. */
async function dynamoDbLocal(): Promise<Backend | string> {
  if (Deno.env.get("OUTCROP_TEST_DYNAMODB") === "dynalite") return "asked for";
  const jar = await localJar();
  if ("missing" in jar) return jar.missing;
  const port = freePort();
  const command = new Deno.Command("java", {
    args: [
      "-Xmx512m",
      "-Djava.library.path=./DynamoDBLocal_lib",
      "-jar",
      "DynamoDBLocal.jar",
      "-inMemory",
      "-sharedDb",
      "-port",
      String(port),
    ],
    cwd: jar.folder,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  let child: Deno.ChildProcess;
  try {
    child = command.spawn();
  } catch (error) {
    return `java cannot be run: ${error instanceof Error ? error.message : error}`;
  }
  const url = `http://127.0.0.1:${port}`;
  let ended = false;
  void child.status.then(() => ended = true);
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      await (await fetch(url)).body?.cancel();
      return {
        name: "DynamoDB Local",
        url,
        mostInTransaction: 10,
        stop: () => child.kill("SIGKILL"),
      };
    } catch (error) {
      if (ended) return `java ended: ${error}`;
      if (performance.now() > deadline) {
        child.kill("SIGKILL");
        return "java did not answer within a minute";
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const local = await dynamoDbLocal();
const backend = typeof local === "string" ? await dynalite() : local;
const front = startFront({ ...backend, upstream: backend.url });
const why = typeof local === "string" ? ` in the place of DynamoDB Local (${local})` : "";
await Deno.writeTextFile(
  `${file}.new`,
  JSON.stringify({ url: front.url, backend: backend.name + why }),
);
await Deno.rename(`${file}.new`, file);

/** Signal 0 asks whether a process is there. */
function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

const watch = setInterval(() => {
  if (lives(Number(parent))) return;
  clearInterval(watch);
  backend.stop();
  Deno.exit();
}, 250);
