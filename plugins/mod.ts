/**
 * The built-in plugins by name. Static imports, so that the compiled binary holds them; they load through
 * the same contract as anybody's.
 * @module
 */
import type { PluginFactory } from "../src/pipeline/plugin.ts";
import auth from "./auth.ts";
import budget from "./budget.ts";
import promptCache from "./prompt_cache.ts";
import rateLimit from "./rate_limit.ts";
import responseCache from "./response_cache.ts";
import tier from "./tier.ts";
import usage from "./usage.ts";

/** Name under `use:` in config.yaml, and what makes the plugin. */
export const builtins: Readonly<Record<string, PluginFactory>> = {
  auth,
  budget,
  prompt_cache: promptCache,
  rate_limit: rateLimit,
  response_cache: responseCache,
  tier,
  usage,
};
