/**
 * Which of Bedrock's ids a name stands for: by the built-in table, by the account's catalog, or as it is.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { CatalogModel, CatalogSnapshot, ModelFacts } from "./catalog_read.ts";
import { familyOf, parseModelId, prefixesOfRegion, regionOfArn } from "./model_id.ts";
import { MODEL_TABLE, type ModelRow } from "./model_table.ts";

/** What a name stands for. */
export interface Choice {
  /** Id to ask: foundation id, profile id or ARN. */
  readonly modelId: string;
  /** Foundation model id. */
  readonly baseId: string;
  /** Region that the name itself tells. */
  readonly region: string | undefined;
}

/** ARNs that were looked up are remembered, so many of them: clients may make them up. */
const REMEMBERED = 1_000;

/** ARNs of profiles, whose models GetInferenceProfile tells. */
const PROFILE_ARN = /^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:application-)?inference-profile\//;

/** The name by which a model of the catalog is listed: Claude's as Anthropic would, others by their id. */
export function publicName(id: string): string {
  return familyOf(id) === "claude"
    ? id.replace(/^anthropic\./, "").replace(/-v\d+(:\d+)?$/, "")
    : id;
}

/** Chooses ids. */
export class ModelChooser {
  readonly #profile: string;
  readonly #rows = new Map<string, ModelRow>();
  readonly #bases = new Map<string, string>();
  #catalog: CatalogSnapshot | undefined;

  /** `profile` is `models.profile` of config.yaml. */
  constructor(profile: string) {
    this.#profile = profile;
    for (const row of MODEL_TABLE) for (const name of row.names) this.#rows.set(name, row);
  }

  /** Names of the built-in table. */
  get names(): Iterable<string> {
    return this.#rows.keys();
  }

  /** Models of the account that the table does not have. */
  get beyondTable(): readonly CatalogModel[] {
    return [...this.#catalog?.models.values() ?? []]
      .filter(({ id, text, legacy }) => text && !legacy && this.row(id) === undefined);
  }

  /** Takes a new catalog. */
  learnCatalog(catalog: CatalogSnapshot): void {
    this.#catalog = catalog;
  }

  /** Takes the foundation model of a profile. */
  learnProfile(arn: string, baseId: string): void {
    if (this.#bases.size >= REMEMBERED) this.#bases.clear();
    this.#bases.set(arn, baseId);
  }

  /** Whether a name is a profile whose model must be asked for. */
  isUnknownProfile(name: string): boolean {
    if (!PROFILE_ARN.test(name) || this.#bases.has(name)) return false;
    const parts = parseModelId(name);
    return parts !== undefined && parts.baseId === undefined;
  }

  /** The table's row of a name. */
  rowOfName(name: string): ModelRow | undefined {
    return this.#rows.get(name);
  }

  /** The table's row of a foundation id. */
  row(baseId: string): ModelRow | undefined {
    return MODEL_TABLE.find(({ id, mantleId }) => id === baseId || mantleId === baseId);
  }

  /** The catalog's entry of a foundation id. */
  listed(baseId: string): CatalogModel | undefined {
    return this.#catalog?.models.get(baseId);
  }

  /** What the catalog says that a model takes; undefined for another region than the catalog's. */
  facts(baseId: string, region: string): ModelFacts | undefined {
    return this.#catalog?.region === region ? this.listed(baseId)?.facts : undefined;
  }

  /**
   * What a name stands for; undefined if it is no name of a model.
   *
   * @param anyVendor Whether vendors unknown to this version will do: in config.yaml they do
   * @param base Foundation model that an alias names
   * @throws {ApiError} `not_found_error` for an ARN that does not tell its model
   */
  choose(name: string, region: string, anyVendor: boolean, base?: string): Choice | undefined {
    const row = this.#rows.get(name);
    if (row !== undefined) {
      const modelId = this.#withProfile(row.id, row.profiles, region);
      return { modelId, baseId: row.id, region: undefined };
    }
    const parts = parseModelId(name, anyVendor || this.#serves(name));
    if (parts === undefined) return this.#newClaude(name, region);
    const baseId = base ?? parts.baseId ?? this.#bases.get(name);
    if (baseId === undefined) {
      throw new ApiError(
        "not_found_error",
        `model: ${name} does not tell which model it is: the gateway's operator must give it an alias with ` +
          "base_model, or allow bedrock:GetInferenceProfile",
      );
    }
    const known = this.row(baseId);
    const bare = parts.prefix === undefined && !name.startsWith("arn:");
    return {
      modelId: bare ? this.#ofBareId(baseId, name, region) : name,
      baseId: known?.id ?? baseId,
      region: regionOfArn(name),
    };
  }

  /** Whether the account has the model of an id, whoever its vendor is. */
  #serves(id: string): boolean {
    return this.listed(parseModelId(id, true)?.baseId ?? "") !== undefined;
  }

  /** A Claude model that is newer than the table. */
  #newClaude(name: string, region: string): Choice | undefined {
    const model = this.beyondTable.find(({ id }) =>
      familyOf(id) === "claude" && publicName(id) === name
    );
    if (model === undefined) return undefined;
    const modelId = model.onDemand ? model.id : this.#withProfile(model.id, [], region);
    return { modelId, baseId: model.id, region: undefined };
  }

  /** A bare id goes as it is, but where only a profile may be asked. */
  #ofBareId(baseId: string, name: string, region: string): string {
    const known = this.row(baseId);
    const claude = familyOf(baseId) === "claude" && known !== undefined;
    const profileOnly = this.listed(known?.id ?? baseId)?.onDemand === false;
    return claude || profileOnly
      ? this.#withProfile(known?.id ?? baseId, known?.profiles ?? [], region)
      : name;
  }

  #withProfile(id: string, fromTable: readonly string[], region: string): string {
    const listed = this.#catalog?.region === region ? this.#catalog.prefixes.get(id) : undefined;
    const profiles = listed ?? fromTable;
    if (profiles.length === 0) return id;
    const wanted = this.#profile === "auto" ? prefixesOfRegion(region) : [this.#profile];
    const prefix = wanted.find((one) => profiles.includes(one)) ??
      (this.#profile === "auto" ? listed?.[0] : this.#profile);
    return prefix === undefined ? id : `${prefix}.${id}`;
  }
}
