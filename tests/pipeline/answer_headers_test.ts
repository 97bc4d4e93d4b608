/** Headers of an answer do what the runtime's own do. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AnswerHeaders } from "../../src/pipeline/answer_headers.ts";
import { checkProperty } from "../seed.ts";

const name = fc.oneof(
  fc.constantFrom(
    "x-a",
    "X-A",
    "Retry-After",
    "set-cookie",
    "Set-Cookie",
    "x_b!#$",
    "",
    "a b",
    "ü",
    "a:",
  ),
  fc.string({ maxLength: 5 }),
);
const value = fc.oneof(
  fc.constantFrom("", " v ", "\tv\n", "a\r\nb: c", "a\0", "ä", "€", "a, b"),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: "binary", maxLength: 4 }),
);
/** The runtime joins nothing to nothing without the comma that the standard wants. */
const something = value.map((text) => text.trim() === "" ? "v" : text);
const step = fc.oneof(
  fc.record({ do: fc.constant("set"), name, value: something }),
  fc.record({ do: fc.constant("append"), name, value: something }),
  fc.record({ do: fc.constantFrom("delete", "get", "has"), name, value }),
);

function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return (error as Error).name;
  }
}

Deno.test("AnswerHeaders equals Headers, whatever is set, added, asked and taken away", () => {
  checkProperty(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const mine = new AnswerHeaders();
      const wanted = new Headers();
      for (const { do: what, name, value } of steps) {
        const act = (headers: Headers) => () =>
          what === "set" || what === "append"
            ? headers[what](name, value)
            : headers[what as "get"](name);
        assert.deepEqual(
          outcome(act(mine)),
          outcome(act(wanted)),
          `${what} ${JSON.stringify(name)}`,
        );
      }
      assert.deepEqual([...mine], [...wanted]);
      assert.deepEqual([...mine.keys()], [...wanted.keys()]);
      assert.deepEqual([...mine.values()], [...wanted.values()]);
      assert.deepEqual(mine.getSetCookie(), wanted.getSetCookie());
      const told: string[] = [];
      mine.forEach((value, name) => told.push(`${name}: ${value}`));
      assert.deepEqual(told, [...wanted].map(([name, value]) => `${name}: ${value}`));
      const put = new Headers();
      mine.putOn(put);
      assert.deepEqual([...put], [...wanted]);
    }),
    1_000,
  );
});
