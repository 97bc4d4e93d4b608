/**
 * Step 6: a public model name becomes a Bedrock model, a route, and fallbacks.
 *
 * Order: an alias's exact name; the most specific alias with `*`; the built-in table; a Bedrock id, profile id
 * or ARN as it is. Anything else is a 404 that names the nearest.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { Alias, Config, Route, ServiceTier } from "../config/schema.ts";
import { compileGlob, type Glob } from "../text/glob.ts";
import { nearest } from "../text/nearest.ts";
import { capabilitiesOf } from "./capabilities.ts";
import type { CatalogSnapshot, ModelFacts } from "./catalog_read.ts";
import { type Deadlines, deadlinesOf } from "./deadlines.ts";
import { type Choice, ModelChooser, publicName } from "./model_choice.ts";
import { familyOf, parseModelId } from "./model_id.ts";
import { type ListedModel, listModels, type ModelInfo } from "./model_list.ts";
import { mantleIdOf, MODEL_TABLE } from "./model_table.ts";
import { claudeFeatures } from "./native/features.ts";

export { type ModelInfo, pageModels } from "./model_list.ts";
export type { Route, ServiceTier };

/** One model to ask, and how. */
export interface Target {
  /** Name the client asked for. */
  readonly asked: string;
  /** Id in the request's path or body: foundation id, profile id or ARN. */
  readonly modelId: string;
  /** Foundation model id: what tables of features go by. */
  readonly baseId: string;
  /** `claude`, or the vendor. */
  readonly family: string;
  /** Way to it. */
  readonly route: Route;
  /** AWS region. */
  readonly region: string;
  /** Service tier to ask for; undefined asks for none. */
  readonly tier: ServiceTier | undefined;
  /** Betas that its name asks for. */
  readonly betas: readonly string[];
  /** What `model` says in answers that Bedrock gives no name to. */
  readonly publicModel: string;
  /** What the account's catalog says that the model takes. */
  readonly facts: ModelFacts | undefined;
}

/** What a name means. */
export interface Resolved {
  /** The model. */
  readonly target: Target;
  /** Models to ask when it cannot answer, in order. */
  readonly fallbacks: readonly Target[];
  /** How long all of them may take. */
  readonly deadlines: Deadlines;
}

/** What of config.yaml tells what names mean. */
export type ModelsConfig = Pick<Config, "models" | "tiers" | "aws" | "limits">;

interface AliasEntry {
  readonly name: string;
  readonly glob: Glob;
  readonly alias: Exclude<Alias, string>;
}

/** Names that were resolved are remembered, so many of them: clients make them up. */
const REMEMBERED = 1_000;

/** `claude-opus-5-5[1m]`: Claude Code's mark for the long context, which current models have anyway. */
const LONG_CONTEXT = /\[1m\]$/i;
/** What models want that do not. */
const LONG_CONTEXT_BETA = "context-1m-2025-08-07";

function withLongContext(target: Target): Target {
  const { family, baseId } = target;
  return family === "claude" && claudeFeatures(baseId).longContextBeta
    ? { ...target, betas: [LONG_CONTEXT_BETA] }
    : target;
}

/** What model names mean under one configuration. */
export class Models {
  readonly #config: ModelsConfig;
  readonly #aliases: readonly AliasEntry[];
  readonly #chooser: ModelChooser;
  readonly #rules: readonly { readonly glob: Glob; readonly tier: ServiceTier }[];
  readonly #resolved = new Map<string, Resolved>();

  /**
   * Reads the configuration.
   *
   * @throws {Error} If an alias cannot mean anything, or wants a route its model cannot take
   */
  constructor(config: ModelsConfig) {
    this.#config = config;
    this.#chooser = new ModelChooser(config.models.profile);
    this.#aliases = Object.entries(config.models.aliases).map(([name, alias]) => ({
      name,
      glob: compileGlob(name),
      alias: typeof alias === "string" ? { model: alias } : alias,
    })).sort((a, b) => b.glob.literals - a.glob.literals);
    this.#rules = config.tiers.rules.map(({ models, tier }) => ({
      glob: compileGlob(models),
      tier,
    }));
    for (const { name, alias } of this.#aliases) this.#checkAlias(name, alias);
  }

  /**
   * What a name means.
   *
   * @throws {ApiError} `not_found_error` that names the nearest names
   */
  resolve(name: string): Resolved {
    const known = this.#resolved.get(name);
    if (known !== undefined) return known;
    const { asked, alias } = this.#read(name);
    const targets = [
      this.#targetOf(asked, alias),
      ...(alias?.fallback ?? []).map((model) => this.#fallback(asked, model)),
    ];
    const [target, ...fallbacks] = LONG_CONTEXT.test(name) ? targets.map(withLongContext) : targets;
    const resolved: Resolved = {
      target: target as Target,
      fallbacks,
      deadlines: deadlinesOf(this.#config.limits.deadlines, alias?.deadlines),
    };
    if (this.#resolved.size >= REMEMBERED) this.#resolved.clear();
    this.#resolved.set(name, resolved);
    return resolved;
  }

  /** Takes the account's catalog: names are resolved anew by it. */
  learnCatalog(catalog: CatalogSnapshot): void {
    this.#chooser.learnCatalog(catalog);
    this.#resolved.clear();
  }

  /** Takes the foundation model of a profile's ARN. */
  learnProfile(arn: string, baseId: string): void {
    this.#chooser.learnProfile(arn, baseId);
    this.#resolved.clear();
  }

  /** ARNs that must be asked for before a name can be resolved: its model's, and its fallbacks'. */
  unknownProfiles(name: string): readonly string[] {
    if (this.#resolved.has(name)) return [];
    const { asked, alias = { model: asked } } = this.#read(name);
    const models = [
      ...(alias.base_model === undefined ? [alias.model] : []),
      ...(alias.fallback ?? []).map((model) => this.#aliasOf(model)?.model ?? model),
    ];
    return models.filter((model) => this.#chooser.isUnknownProfile(model));
  }

  /** Names that can be asked for: aliases without `*` in their order, then the table, then the account's others. */
  list(): readonly ModelInfo[] {
    const aliases = Object.keys(this.#config.models.aliases).filter((name) => !name.includes("*"));
    const table = MODEL_TABLE.map(({ names }) => names[0] ?? "");
    const beyond = this.#chooser.beyondTable.map(({ id }) => publicName(id));
    return listModels([...aliases, ...table, ...beyond], (name) => this.#listed(name));
  }

  /** What is known of one name; undefined if it is not listed. */
  find(name: string): ModelInfo | undefined {
    const bare = name.replace(LONG_CONTEXT, "");
    const listed = this.list().find(({ id }) => id === bare);
    if (listed !== undefined) return listed;
    const row = this.#chooser.rowOfName(bare) ??
      this.#chooser.row(parseModelId(bare)?.baseId ?? "");
    return row === undefined ? undefined : listModels([bare], () => this.#listed(bare))[0];
  }

  /** What table and catalog know of a name; an alias of a profile may have to be asked for first. */
  #listed(name: string): ListedModel {
    if (this.unknownProfiles(name).length > 0) {
      return { row: undefined, model: undefined, capabilities: null };
    }
    const { target } = this.resolve(name);
    const model = this.#chooser.listed(target.baseId);
    return {
      row: this.#chooser.row(target.baseId),
      model,
      capabilities: capabilitiesOf({ ...target, facts: model?.facts }),
    };
  }

  /** A name without its mark, unless an alias has the mark too. */
  #read(name: string): { asked: string; alias: Exclude<Alias, string> | undefined } {
    const marked = this.#aliases.find((one) => one.name === name);
    const asked = marked === undefined ? name.replace(LONG_CONTEXT, "") : name;
    return { asked, alias: marked?.alias ?? this.#aliasOf(asked) };
  }

  #aliasOf(asked: string): Exclude<Alias, string> | undefined {
    const entry = this.#aliases.find((one) => one.name === asked) ??
      this.#aliases.find(({ glob }) => glob.matches(asked));
    return entry?.alias;
  }

  /** The model of a name, without fallbacks: a fallback that is an alias lends its model, not its own. */
  #targetOf(asked: string, alias: Exclude<Alias, string> | undefined): Target {
    const region = alias?.region ?? this.#config.aws.region;
    const choice = alias === undefined
      ? this.#chooser.choose(asked, region, false)
      : this.#chooser.choose(alias.model, region, true, alias.base_model);
    if (choice === undefined) throw this.#unknown(asked);
    return this.#target(asked, choice, alias ?? {});
  }

  /** A fallback may be any Bedrock id, as an alias's model may. Its answers go by the name that was asked for. */
  #fallback(asked: string, model: string): Target {
    const target = this.#targetOf(model, this.#aliasOf(model) ?? { model });
    return { ...target, asked, publicModel: asked };
  }

  #target(asked: string, choice: Choice, alias: Partial<Exclude<Alias, string>>): Target {
    const { modelId, baseId } = choice;
    const family = familyOf(baseId);
    const route = alias.route ??
      (family === "claude" ? this.#config.models.claude_route : "converse");
    if (route !== "converse" && family !== "claude") {
      throw new ApiError(
        "invalid_request_error",
        `Cannot call ${modelId} by ${route} as only Claude models take Anthropic's body: use route converse`,
      );
    }
    const tier = alias.tier ?? this.#rules.find(({ glob }) => glob.matches(modelId))?.tier ??
      this.#config.tiers.default;
    const region = alias.region ?? choice.region ?? this.#config.aws.region;
    return {
      asked,
      modelId: route === "mantle" ? mantleIdOf(baseId) : modelId,
      baseId,
      family,
      route,
      region,
      facts: this.#chooser.facts(baseId, region),
      tier: tier === "default" ? undefined : tier,
      betas: [],
      publicModel: asked,
    };
  }

  #checkAlias(name: string, alias: Exclude<Alias, string>): void {
    for (const model of [alias.model, ...alias.fallback ?? []]) {
      const base = model === alias.model ? alias.base_model : undefined;
      if (base === undefined && this.#chooser.isUnknownProfile(model)) continue; // asked for at its first use
      const region = alias.region ?? this.#config.aws.region;
      const choice = this.#chooser.choose(model, region, true, base);
      const isAlias = model !== alias.model && this.#aliases.some((one) => one.name === model);
      if (choice === undefined && !isAlias) {
        throw new Error(
          `Cannot use models.aliases.${name} as '${model}' must be a Bedrock id, a profile id, an ARN or a ` +
            `built-in name${this.#hint(model)}`,
        );
      }
      if (choice !== undefined) this.#target(name, choice, model === alias.model ? alias : {});
    }
  }

  #hint(name: string): string {
    const near = nearest(name, this.#names()).map((one) => `'${one}'`);
    return near.length === 0 ? "" : `: did you mean ${near.join(", ")}?`;
  }

  #names(): string[] {
    return [...this.#aliases.map(({ name }) => name), ...this.#chooser.names];
  }

  #unknown(asked: string): ApiError {
    const hint = this.#hint(asked) || ": GET /v1/models lists those that are served";
    return new ApiError(
      "not_found_error",
      `model: ${asked.slice(0, 200)} is not served here${hint}`,
    );
  }
}
