/**
 * `outcrop plugin new` and `outcrop plugin list`.
 * @module
 */
import { Command } from "commander";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { pipelineOf, pipelineRows, withServices } from "./pipeline_rows.ts";
import { pluginSkeleton, testSkeleton } from "./plugin_skeleton.ts";
import { table, terminal } from "./terminal.ts";

interface NewOptions {
  folder: string;
}

interface ListOptions extends ConfigOption {
  json?: boolean;
}

/** The `plugin` command and those under it. */
export function pluginCommand(): Command {
  const create = new Command("new")
    .description("Write a plugin that works, and its test.")
    .argument("<name>", "lower-case letters, digits and _")
    .option("--folder <folder>", "where to write", "my_plugins")
    .addHelpText("after", "\nExample:\n  outcrop plugin new office_hours\n")
    .action(newPlugin);
  const list = new Command("list")
    .description("Show the pipeline of a configuration, with each hook and its place in order.")
    .option("--json", "one JSON document")
    .addHelpText("after", "\nExample:\n  outcrop plugin list --config config.yaml\n")
    .action(listPlugins);
  return new Command("plugin")
    .description("Make a plugin of your own; show the pipeline.")
    .addHelpText("after", "\nExamples:\n  outcrop plugin new office_hours\n  outcrop plugin list\n")
    .addCommand(create)
    .addCommand(withConfigOption(list));
}

const NAME = /^[a-z][a-z0-9_]{0,63}$/;

async function newPlugin(name: string, { folder }: NewOptions): Promise<void> {
  if (!NAME.test(name)) {
    throw new CommandFailure(
      `Cannot name a plugin '${name}' as a name is lower-case letters, digits and _, a letter first: try 'office_hours'`,
      2,
    );
  }
  const file = `${folder}/${name}.ts`;
  const test = `${folder}/${name}_test.ts`;
  await Deno.mkdir(folder, { recursive: true });
  await write(file, pluginSkeleton(name, await contractFrom(folder)));
  await write(test, testSkeleton(name));
  const path = folder.startsWith("/") || folder.startsWith(".") ? file : `./${file}`;
  terminal.out(`Wrote ${file} and ${test}. Next:`);
  terminal.out(`  npx -y deno@2.9.6 test --no-check --no-config ${test}    # its test`);
  terminal.out(
    `  plugins: [ …, { use: ${path}, with: { header: x-department } } ]    # in config.yaml`,
  );
  terminal.out("  outcrop plugin list    # where it stands");
}

/** Path of the contract's types from a folder; undefined where the program runs without its sources. */
async function contractFrom(folder: string): Promise<string | undefined> {
  const contract = new URL("../pipeline/plugin.ts", import.meta.url);
  try {
    await Deno.lstat(contract);
    const [from, to] = [await Deno.realPath(folder), await Deno.realPath(contract)].map((path) =>
      path.split("/")
    );
    if (from === undefined || to === undefined) return undefined;
    const same = from.findIndex((part, index) => part !== to[index]);
    const shared = same < 0 ? from.length : same;
    return [...from.slice(shared).map(() => ".."), ...to.slice(shared)].join("/");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotSupported) {
      return undefined;
    }
    throw error;
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(file, text, { createNew: true });
  } catch (error) {
    const exists = error instanceof Deno.errors.AlreadyExists;
    const reason = exists ? "it is there already: choose another name or --folder" : String(error);
    throw new CommandFailure(`Cannot write ${file} as ${reason}`, 1, { cause: error });
  }
}

async function listPlugins(options: ListOptions): Promise<void> {
  const loaded = await loadConfigOption(options);
  await withServices(loaded, (services) => {
    const entries = pipelineOf(services, loaded);
    if (options.json) return terminal.out(JSON.stringify({ data: entries }));
    terminal.out(table(pipelineRows(entries)));
    terminal.out("\nThe numbers are the order in which hooks run: onEvent passes in reverse.");
  });
}
