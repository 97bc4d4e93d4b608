/**
 * `outcrop doctor`: whether this machine, this configuration and this AWS account can serve, and if not, what to do.
 * @module
 */
import { Command } from "commander";
import { systemClock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import { openLog } from "../log.ts";
import { openMemoryStore } from "../storage/memory.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { checkCredentials, checkRegion } from "./doctor/aws.ts";
import { type CheckName, type Finding, messageOf } from "./doctor/finding.ts";
import { checkJournal, checkPort, checkStore } from "./doctor/local.ts";
import { aliasesOfOneModel, checkModels } from "./doctor/models.ts";
import { CommandFailure } from "./failure.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import { terminal } from "./terminal.ts";

interface DoctorOptions extends ConfigOption {
  /** Names, by commas; false for none. */
  models?: string | false;
  json?: boolean;
}

/** The `doctor` command. */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description(
      "Look whether all that serving needs is there: configuration, store, port, AWS credentials, region, " +
        "clock, models. A line for each, with what to do where it is not well; exit 1 if one fails. " +
        "Each model of the aliases is asked for a few tokens, as a client would: that is what it costs.",
    )
    .option("--models <names>", "ask these models, by commas, instead of those of the aliases")
    .option("--no-models", "ask no model")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      "\nExamples:\n  outcrop doctor --config config.yaml\n  outcrop doctor --models claude-opus-5-5\n",
    )
    .action(doctor);
  return withConfigOption(command);
}

/** Takes findings as they are made. */
type Tell = (...findings: readonly Finding[]) => void;

async function doctor(options: DoctorOptions): Promise<void> {
  const findings: Finding[] = [];
  const tell: Tell = (...found) => {
    findings.push(...found);
    if (!options.json) { for (const one of found) terminal.out(lineOf(one)); }
  };
  await examine(options, tell);
  const failed = findings.filter(({ status }) => status === "failed").length;
  if (options.json) {
    terminal.out(JSON.stringify({ ok: failed === 0, checks: findings }, null, 2));
  }
  if (failed > 0) throw new CommandFailure(`${failed} of ${findings.length} checks failed`);
}

const STATUS_WIDTH = "warning".length;
const CHECK_WIDTH = "credentials".length;

function lineOf({ check, status, message }: Finding): string {
  return `${status.padEnd(STATUS_WIDTH)}  ${check.padEnd(CHECK_WIDTH)}  ${message}`;
}

async function examine(options: DoctorOptions, tell: Tell): Promise<void> {
  let loaded: LoadedConfig;
  let gateway: Gateway;
  const store = openMemoryStore({ clock: systemClock });
  try {
    loaded = await loadConfigOption(options);
    gateway = await openToAsk(loaded, store);
  } catch (error) {
    tell({ check: "config", status: "failed", message: messageOf(error) });
    const rest: CheckName[] = ["store", "port", "credentials", "region", "clock", "model"];
    tell(...rest.map((check) => skipped(check, "the configuration must be valid first")));
    return;
  }
  try {
    tell({ check: "config", status: "ok", message: `${loaded.file} is valid` });
    await examineMachine(loaded, tell);
    await examineAws(gateway, options, tell);
  } finally {
    await gateway.close();
    await store.close();
  }
}

/** A gateway that asks each model alone, and keeps nothing. */
function openToAsk(
  loaded: LoadedConfig,
  store: ReturnType<typeof openMemoryStore>,
): Promise<Gateway> {
  const { models } = loaded.config;
  const config = {
    ...loaded.config,
    models: { ...models, aliases: aliasesOfOneModel(models.aliases) },
  };
  const log = openLog({ level: "error", format: "text" });
  return openGateway({ loaded: { ...loaded, config }, log, store });
}

async function examineMachine({ config }: LoadedConfig, tell: Tell): Promise<void> {
  tell(...await checkStore(config));
  tell(...await checkJournal(config.store));
  tell(await checkPort(config.listen));
}

async function examineAws(
  gateway: Gateway,
  { models }: DoctorOptions,
  tell: Tell,
): Promise<void> {
  const credentials = await checkCredentials(gateway);
  tell(credentials);
  tell(...await checkRegion(gateway.services.config.aws));
  if (models === false) return;
  if (credentials.status === "failed") {
    tell(skipped("model", "AWS must take the credentials first"));
    return;
  }
  const named = models?.split(",").map((name) => name.trim()).filter((name) => name !== "");
  tell(...await checkModels(gateway.services, named));
}

function skipped(check: CheckName, message: string): Finding {
  return { check, status: "skipped", message };
}
