/**
 * The tables of plugins' settings in plugins/README.md, made of the plugins' own schemas.
 *
 * `deno run -A tests/lint/plugin_docs.ts` writes them anew; a test compares.
 * @module
 */
import { z } from "zod";
import { builtins } from "../../plugins/mod.ts";
import type { PluginDefinition } from "../../src/pipeline/plugin.ts";

/** The page. */
export const PAGE = new URL("../../plugins/README.md", import.meta.url);

interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly const?: unknown;
}

/** What a value may be, in few words. */
function kindOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map(String).join(", ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(kindOf).join(" or ");
  if (schema.items !== undefined) return `list of ${kindOf(schema.items)}`;
  return String(schema.type ?? "any");
}

function objectIn(schema: Schema): Schema | undefined {
  if (schema.properties !== undefined) return schema;
  return [schema.items, ...schema.anyOf ?? []].find((one) => one?.properties !== undefined);
}

/** A row for each setting, those inside others too. */
function rowsOf(schema: Schema, before: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, setting]) => {
    const path = `${before}${name}`;
    const inner = objectIn(setting);
    const given = setting.default === undefined || (inner !== undefined && inner === setting)
      ? ""
      : `\`${JSON.stringify(setting.default)}\``;
    const row = [`\`${path}\``, kindOf(setting), given, setting.description ?? ""];
    const list = setting.items !== undefined ? "[]" : "";
    return [row, ...(inner === undefined ? [] : rowsOf(inner, `${path}${list}.`))];
  });
}

function definitionOf(name: string): PluginDefinition {
  const factory = builtins[name];
  if (factory === undefined) throw new Error(`Cannot document ${name} as it is no built-in plugin`);
  return factory({ define: (definition) => definition as never, z });
}

/** The settings of a built-in plugin as a table of Markdown. */
export function settingsTable(name: string): string {
  const schema = z.toJSONSchema(definitionOf(name).schema, { io: "input" }) as Schema;
  const rows = rowsOf(schema, "");
  if (rows.length === 0) return "It has no settings.\n";
  const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  return [["setting", "value", "default", ""], ["---", "---", "---", "---"], ...rows]
    .map((row) => `| ${row.map(cell).join(" | ")} |\n`).join("");
}

function between(name: string): [begin: string, end: string] {
  return [`<!-- settings of ${name} -->\n\n`, `\n<!-- end of ${name} -->`];
}

/** The page's table of a plugin, as it stands; undefined if it has none. */
export function tableIn(page: string, name: string): string | undefined {
  const [begin, end] = between(name);
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  return from < 0 || to < 0 ? undefined : page.slice(from + begin.length, to);
}

/** Table rows without the spaces that a formatter puts into them. */
export function plain(table: string): string {
  return table.replace(/ *\| */g, "|").replace(/-+/g, "-").trim();
}

if (import.meta.main) {
  let page = await Deno.readTextFile(PAGE);
  for (const name of Object.keys(builtins)) {
    const [begin, end] = between(name);
    const old = tableIn(page, name);
    if (old === undefined) throw new Error(`Cannot write as ${PAGE.pathname} must have ${begin}`);
    page = page.replace(begin + old + end, () => begin + settingsTable(name) + end);
  }
  await Deno.writeTextFile(PAGE, page);
}
