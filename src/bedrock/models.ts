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
import { familyOf, parseModelId, prefixesOfRegion } from "./model_id.ts";
import { listModels, type ModelInfo } from "./model_list.ts";
import { MODEL_TABLE, type ModelRow } from "./model_table.ts";

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
  /** What `model` says in answers that Bedrock gives no name to. */
  readonly publicModel: string;
}

/** What a name means. */
export interface Resolved {
  /** The model. */
  readonly target: Target;
  /** Models to ask when it cannot answer, in order. */
  readonly fallbacks: readonly Target[];
}

interface AliasEntry {
  readonly name: string;
  readonly glob: Glob;
  readonly alias: Exclude<Alias, string>;
}

interface Choice {
  readonly modelId: string;
  readonly baseId: string;
}

/** Names that were resolved are remembered, so many of them: clients make them up. */
const REMEMBERED = 1_000;

/** `claude-opus-5-5[1m]`: Claude Code's mark for the long context, which current models have anyway. */
const LONG_CONTEXT = /\[1m\]$/i;

/** What model names mean under one configuration. */
export class Models {
  readonly #config: Pick<Config, "models" | "tiers" | "aws">;
  readonly #aliases: readonly AliasEntry[];
  readonly #rows = new Map<string, ModelRow>();
  readonly #rules: readonly { readonly glob: Glob; readonly tier: ServiceTier }[];
  readonly #resolved = new Map<string, Resolved>();

  /**
   * Reads the configuration.
   *
   * @throws {Error} If an alias cannot mean anything, or wants a route its model cannot take
   */
  constructor(config: Pick<Config, "models" | "tiers" | "aws">) {
    this.#config = config;
    for (const row of MODEL_TABLE) for (const name of row.names) this.#rows.set(name, row);
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
    const asked = name.replace(LONG_CONTEXT, "");
    const alias = this.#aliasOf(asked);
    const resolved: Resolved = {
      target: this.#targetOf(asked, alias),
      fallbacks: (alias?.fallback ?? []).map((model) => this.#fallback(asked, model)),
    };
    if (this.#resolved.size >= REMEMBERED) this.#resolved.clear();
    this.#resolved.set(name, resolved);
    return resolved;
  }

  /** Names that can be asked for: aliases without `*` in their order, then the table. */
  list(): readonly ModelInfo[] {
    const aliases = Object.keys(this.#config.models.aliases).filter((name) => !name.includes("*"));
    const table = MODEL_TABLE.map(({ names }) => names[0] ?? "");
    return listModels(
      [...aliases, ...table],
      (name) => this.#rowOf(this.resolve(name).target.baseId),
    );
  }

  /** What is known of one name; undefined if it is not listed. */
  find(name: string): ModelInfo | undefined {
    const bare = name.replace(LONG_CONTEXT, "");
    const row = this.#rows.get(bare) ?? this.#tableRowOfServed(bare);
    return this.list().find(({ id }) => id === bare) ??
      (row === undefined ? undefined : listModels([bare], () => row)[0]);
  }

  #tableRowOfServed(name: string): ModelRow | undefined {
    return this.#rowOf(parseModelId(name)?.baseId ?? "");
  }

  #rowOf(baseId: string): ModelRow | undefined {
    return MODEL_TABLE.find(({ id, mantleId }) => id === baseId || mantleId === baseId);
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
      ? this.#choose(asked, region, false)
      : this.#choose(alias.model, region, true, alias.base_model);
    if (choice === undefined) throw this.#unknown(asked);
    return this.#target(asked, choice, alias ?? {});
  }

  /** A fallback may be any Bedrock id, as an alias's model may. Its answers go by the name that was asked for. */
  #fallback(asked: string, model: string): Target {
    const target = this.#targetOf(model, this.#aliasOf(model) ?? { model });
    return { ...target, asked, publicModel: asked };
  }

  /** The model a name stands for; a bare Claude id gets the prefix of a profile, as Bedrock wants it. */
  #choose(name: string, region: string, anyVendor: boolean, base?: string): Choice | undefined {
    const row = this.#rows.get(name);
    if (row !== undefined) return { modelId: this.#withProfile(row, region), baseId: row.id };
    const parts = parseModelId(name, anyVendor);
    if (parts === undefined) return undefined;
    const baseId = base ?? parts.baseId;
    if (baseId === undefined) {
      throw new ApiError(
        "not_found_error",
        `model: ${name} does not tell which model it is: the gateway's operator must give it an alias with base_model`,
      );
    }
    const listed = this.#rowOf(baseId);
    const bareClaude = parts.prefix === undefined && !name.startsWith("arn:") &&
      familyOf(baseId) === "claude";
    const modelId = bareClaude && listed !== undefined ? this.#withProfile(listed, region) : name;
    return { modelId, baseId: listed?.id ?? baseId };
  }

  #withProfile(row: ModelRow, region: string): string {
    const { profile } = this.#config.models;
    if (row.profiles.length === 0) return row.id;
    const wanted = profile === "auto" ? prefixesOfRegion(region) : [profile];
    const prefix = wanted.find((one) => row.profiles.includes(one)) ??
      (profile === "auto" ? undefined : profile);
    return prefix === undefined ? row.id : `${prefix}.${row.id}`;
  }

  #target(asked: string, choice: Choice, alias: Partial<Exclude<Alias, string>>): Target {
    const { modelId, baseId } = choice;
    const family = familyOf(baseId);
    const route = alias.route ??
      (family === "claude" ? this.#config.models.claude_route : "converse");
    if (route !== "converse" && family !== "claude") {
      throw new Error(
        `Cannot call ${modelId} by ${route} as only Claude models take Anthropic's body: use route converse`,
      );
    }
    const tier = alias.tier ?? this.#rules.find(({ glob }) => glob.matches(modelId))?.tier ??
      this.#config.tiers.default;
    return {
      asked,
      modelId: route === "mantle" ? this.#rowOf(baseId)?.mantleId ?? baseId : modelId,
      baseId,
      family,
      route,
      region: alias.region ?? this.#config.aws.region,
      tier: tier === "default" ? undefined : tier,
      publicModel: asked,
    };
  }

  #checkAlias(name: string, alias: Exclude<Alias, string>): void {
    for (const model of [alias.model, ...alias.fallback ?? []]) {
      const base = model === alias.model ? alias.base_model : undefined;
      const choice = this.#choose(model, alias.region ?? this.#config.aws.region, true, base);
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
    return [...this.#aliases.map(({ name }) => name), ...this.#rows.keys()];
  }

  #unknown(asked: string): ApiError {
    const hint = this.#hint(asked) || ": GET /v1/models lists those that are served";
    return new ApiError(
      "not_found_error",
      `model: ${asked.slice(0, 200)} is not served here${hint}`,
    );
  }
}
