/**
 * `tier`: the service tier of an API key. A key's own tier goes before the alias's, the rules' and the default,
 * which `tiers` and `models.aliases` in config.yaml say. A model that refuses a tier is asked on the default
 * tier, and that is remembered; what served is what is reported and priced.
 *
 * @module
 */
import type { Plugin, PluginFactory } from "../src/pipeline/plugin.ts";

/** The `tier` plugin; it has no settings. */
const tier: PluginFactory = ({ define, z }): Plugin =>
  define({
    name: "tier",
    schema: z.strictObject({}).prefault({}),
    requires: ["auth"],
    setup: () => ({
      onCall(ctx) {
        const own = ctx.principal?.key?.tier;
        if (own !== undefined) ctx.tier = own;
      },
    }),
  });

export default tier;
