import assert from "node:assert/strict";
import plugin from "./style.ts";

function rulesBroken(source: string): string[] {
  return Deno.lint.runPlugin(plugin, "file.ts", source).map(({ id }) => id);
}

const GOOD: Record<string, string> = {
  "a message that names the action":
    'throw new Error("Cannot read the file as it must exist: it does not");',
  "a template that begins with a value": "throw new RangeError(`${name} must be positive`);",
  "a message of another's making": "throw new Error(message);",
  "a catch that handles": "try { run(); } catch (error) { log(error); }",
  "300 lines": "a();\n".repeat(300),
};

const BAD: Record<string, [source: string, rule: string]> = {
  "a small first letter": ['throw new Error("cannot read");', "outcrop/error-message"],
  "a small first letter in a template": [
    "throw new TypeError(`cannot read ${x}`);",
    "outcrop/error-message",
  ],
  "a final period": ['throw new Error("Cannot read.");', "outcrop/error-message"],
  "a final period behind a sum": [
    'throw new Error("Cannot " + what + " it.");',
    "outcrop/error-message",
  ],
  "an empty catch": ["try { run(); } catch { }", "outcrop/no-empty-catch"],
  "a catch with a comment alone": [
    "try { run(); } catch { /* never mind */ }",
    "outcrop/no-empty-catch",
  ],
  "a call of console": ["console.log(1);", "outcrop/no-console"],
  "301 lines": ["a();\n".repeat(301), "outcrop/max-lines"],
};

for (const [name, source] of Object.entries(GOOD)) {
  Deno.test(`the lint plugin accepts ${name}`, () => assert.deepEqual(rulesBroken(source), []));
}

for (const [name, [source, rule]] of Object.entries(BAD)) {
  Deno.test(`the lint plugin refuses ${name}`, () => assert.deepEqual(rulesBroken(source), [rule]));
}
