/** The Claude Code that plain npm gives on Node 20: every scenario. */
import { OLDER } from "./lanes.ts";
import { testScenarios } from "./scenarios.ts";

testScenarios(OLDER);
