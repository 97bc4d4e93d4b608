/**
 * Plugins written for a test, in a file of their own, as a user's are.
 * @module
 */
import { type Harness, type HarnessOptions, withHarness } from "../harness.ts";

/** Source of a plugin file: `definition` goes into `define({ … })`, after name and schema. */
export function pluginSource(name: string, definition: string): string {
  return `const plugin = ({ define, z }) => define({ name: ${
    JSON.stringify(name)
  }, schema: z.looseObject({}), ${definition} });\n` +
    "export default plugin;\n";
}

/** One plugin of a test: its hooks' source, and what config.yaml says beside `use`. */
export interface TestPlugin {
  /** Name, and name of its file. */
  readonly name: string;
  /** What stands in `define({ … })` after name and schema. */
  readonly definition: string;
  /** Further lines of its entry in config.yaml, e.g. `on_error: continue`. */
  readonly entry?: string;
}

/** Writes plugins into a folder, and lists them behind `auth` in a configuration. */
export async function withPlugins(
  plugins: readonly TestPlugin[],
  run: (harness: Harness) => Promise<void>,
  options: HarnessOptions = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const entries = ["  - use: auth"];
    for (const { name, definition, entry } of plugins) {
      await Deno.writeTextFile(`${folder}/${name}.ts`, pluginSource(name, definition));
      entries.push(`  - use: ./${name}.ts${entry === undefined ? "" : `\n    ${entry}`}`);
    }
    const config = `plugins:\n${entries.join("\n")}\n${options.config ?? ""}`;
    await withHarness({ ...options, config, base: folder }, run);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Where a plugin of a test leaves what it saw: `globalThis.seen`, which is this list. */
export const seen: string[] = [];
(globalThis as unknown as { seen: string[] }).seen = seen;
