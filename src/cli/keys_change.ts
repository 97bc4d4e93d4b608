/**
 * `outcrop keys update|rotate|revoke`.
 * @module
 */
import { Command, InvalidArgumentError, Option } from "commander";
import type { KeyChanges, KeyFields, KeyRecord } from "../storage/keys.ts";
import { parseDuration } from "../text/duration.ts";
import { localTime } from "./cells.ts";
import { withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import {
  type AttributeOptions,
  attributesOf,
  given,
  parseName,
  warnOfIdle,
  withAttributeOptions,
} from "./key_options.ts";
import { keyJson, type KeysOptions, noSuchKey, type OpenedKeys, withKeys } from "./keys_store.ts";
import { terminal } from "./terminal.ts";

interface UpdateOptions extends KeysOptions, AttributeOptions {
  name?: string;
  unset?: string[];
}

interface RotateOptions extends KeysOptions {
  grace: number;
}

type Limit = keyof NonNullable<KeyFields["limits"]>;

/** What `--unset` takes away, by the names of the options that give it. */
const ATTRIBUTES: Readonly<Record<string, keyof KeyFields>> = {
  user: "user",
  team: "team",
  tier: "tier",
  limits: "limits",
  budget: "budget",
  expires: "expires_at",
  models: "models",
  "cache-ttl": "cache_ttl",
};
const LIMITS: Readonly<Record<string, Limit>> = {
  rpm: "requests_per_minute",
  tpm: "input_tokens_per_minute",
  "output-tpm": "output_tokens_per_minute",
  concurrency: "concurrency",
};
const UNSETTABLE = [...Object.keys(ATTRIBUTES), ...Object.keys(LIMITS)];

function parseUnset(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !UNSETTABLE.includes(name));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`'${unknown}' is none of ${UNSETTABLE.join(", ")}.`);
}

/** Milliseconds; `0` ends the old text at once. */
function parseGrace(text: string): number {
  if (/^0[smhdw]?$/.test(text)) return 0;
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** The `keys update` command. */
export function updateCommand(): Command {
  const command = new Command("update")
    .description("Change what a key may do; running servers follow within 2 s.")
    .argument("<id>", "public id of the key")
    .option("--name <name>", "what people call it", parseName);
  withAttributeOptions(command)
    .option("--unset <attributes>", `take away, by comma: ${UNSETTABLE.join(", ")}`, parseUnset)
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      "\nExample:\n  outcrop keys update key_7f3k2m9x1c --budget 50 --unset expires,rpm\n",
    )
    .action((id: string, options: UpdateOptions) =>
      withKeys(options, (opened) => update(opened, id, options))
    );
  return withConfigOption(command);
}

/** The `keys rotate` command. */
export function rotateCommand(): Command {
  const command = new Command("rotate")
    .description("Give a key a new text under its old id; the old text is taken for a while yet.")
    .argument("<id>", "public id of the key")
    .addOption(
      new Option("--grace <duration>", "how long the old text is taken; 0 = no longer")
        .argParser(parseGrace).default(parseGrace("1h"), "1h"),
    )
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  outcrop keys rotate key_7f3k2m9x1c --grace 24h\n")
    .action((id: string, options: RotateOptions) =>
      withKeys(options, (opened) => rotate(opened, id, options))
    );
  return withConfigOption(command);
}

/** The `keys revoke` command. */
export function revokeCommand(): Command {
  const command = new Command("revoke")
    .description("Revoke a key; running servers refuse it within 2 s.")
    .argument("<id>", "public id of the key")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  outcrop keys revoke key_7f3k2m9x1c\n")
    .action((id: string, options: KeysOptions) =>
      withKeys(options, (opened) => revoke(opened, id, options))
    );
  return withConfigOption(command);
}

/** What options make of a key as it is. */
function changesOf(options: UpdateOptions, before: KeyRecord): KeyChanges {
  const unset = options.unset ?? [];
  const changes: { -readonly [field in keyof KeyChanges]: KeyChanges[field] } = {
    ...given({ name: options.name }),
    ...attributesOf(options, before),
  };
  const limits = { ...(changes.limits ?? before.limits) };
  for (const name of unset) {
    const attribute = ATTRIBUTES[name];
    const limit = LIMITS[name];
    if (attribute !== undefined) Object.assign(changes, { [attribute]: null });
    if (limit !== undefined) delete limits[limit];
  }
  if (changes.limits !== null && unset.some((name) => name in LIMITS)) {
    changes.limits = Object.keys(limits).length === 0 ? null : limits;
  }
  return changes;
}

/** What is given and taken away in one command is a slip. */
function checkUnset({ unset = [], ...options }: UpdateOptions): void {
  const camel = (name: string) =>
    name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const limits = Object.keys(LIMITS);
  for (const name of unset) {
    const names = name === "limits" ? limits : name === "budget" ? [name, "budget-per"] : [name];
    const both = names.find((one) => Object.hasOwn(options, camel(one)));
    if (both === undefined) continue;
    throw new CommandFailure(`--${both} and --unset ${name} exclude each other: keep one`, 2);
  }
}

async function update(
  { keys, loaded }: OpenedKeys,
  id: string,
  options: UpdateOptions,
): Promise<void> {
  checkUnset(options);
  const { config: _, json, unset = [], ...attributes } = options;
  if (Object.keys(attributes).length === 0 && unset.length === 0) {
    throw new CommandFailure("Nothing to change: see 'outcrop keys update --help'", 2);
  }
  const key = await keys.update(id, (before) => changesOf(options, before));
  if (key === undefined) throw noSuchKey(id);
  warnOfIdle(attributesOf(attributes, key), loaded);
  if (key.revoked_at !== undefined) terminal.err(`Note: ${id} is revoked, and stays so`);
  if (json) return terminal.out(JSON.stringify(keyJson(key), null, 2));
  terminal.out(`Changed ${key.id} (${key.name}): running servers follow within 2 s`);
}

async function rotate(
  { keys }: OpenedKeys,
  id: string,
  { grace, json }: RotateOptions,
): Promise<void> {
  const rotated = await keys.rotate(id, grace);
  if (rotated === undefined) throw noSuchKey(id);
  const { record: { name }, key, previous_valid_until } = rotated;
  if (json) return terminal.out(JSON.stringify({ id, key, name, previous_valid_until }, null, 2));
  terminal.out(key);
  terminal.err(`Rotated ${id} (${name}). The key above is shown this once: keep it now.`);
  terminal.err(
    grace === 0
      ? "Running servers refuse the old one within 2 s."
      : `The old one is taken until ${localTime(previous_valid_until)}.`,
  );
}

async function revoke({ keys }: OpenedKeys, id: string, { json }: KeysOptions): Promise<void> {
  const key = await keys.revoke(id);
  if (key === undefined) throw noSuchKey(id);
  if (json) return terminal.out(JSON.stringify(keyJson(key), null, 2));
  terminal.out(`Revoked ${key.id} (${key.name}): running servers refuse it within 2 s`);
}
