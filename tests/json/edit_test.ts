import assert from "node:assert/strict";
import fc from "fast-check";
import { diffJson, editJson, type JsonEdit, type JsonPath } from "../../src/json/edit.ts";
import { checkProperty } from "../seed.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const edited = (text: string, edits: readonly JsonEdit[]) =>
  new TextDecoder().decode(editJson(encode(text), edits));

Deno.test("editJson() keeps every byte outside its edits", () => {
  const body =
    '{ "model" : "m" ,\n "n":1.0, "big":12345678901234567890,"e":1E+2 ,"stream":true , "t":"\\u00e9\\"" }';
  assert.equal(
    edited(body, [{ path: ["model"], remove: true }, { path: ["stream"], value: false }]),
    '{ "n":1.0, "big":12345678901234567890,"e":1E+2 ,"stream":false , "t":"\\u00e9\\"" }',
  );
});

Deno.test("editJson() removes first, middle, last and all members with their commas", () => {
  const cases: [string, string[], string][] = [
    ['{"a":1,"b":2,"c":3}', ["a"], '{"b":2,"c":3}'],
    ['{"a":1,"b":2,"c":3}', ["b"], '{"a":1,"c":3}'],
    ['{"a":1,"b":2,"c":3}', ["c"], '{"a":1,"b":2}'],
    ['{"a":1,"b":2,"c":3}', ["a", "b"], '{"c":3}'],
    ['{"a":1,"b":2,"c":3}', ["b", "c"], '{"a":1}'],
    ['{"a":1,"b":2,"c":3}', ["a", "c"], '{"b":2}'],
    ['{"a":1,"b":2,"c":3}', ["a", "b", "c"], "{}"],
  ];
  for (const [text, names, wanted] of cases) {
    assert.equal(
      edited(text, names.map((name) => ({ path: [name], remove: true }))),
      wanted,
      names.join(),
    );
  }
});

Deno.test("editJson() adds members at the front, to empty objects too", () => {
  assert.equal(edited("{}", [{ path: ["a"], value: [1] }]), '{"a":[1]}');
  assert.equal(
    edited(' {"b":2}', [{ path: ["a"], value: 1 }, { path: ["c"], value: 3 }]),
    ' {"a":1,"c":3,"b":2}',
  );
  assert.equal(
    edited('{"b":2}', [{ path: ["b"], remove: true }, { path: ["a"], value: 1 }]),
    '{"a":1}',
  );
});

Deno.test("editJson() takes members that share a name for one, as JSON.parse does", () => {
  assert.equal(
    edited('{"model":"a","x":1,"model":"b"}', [{ path: ["model"], remove: true }]),
    '{"x":1}',
  );
  assert.equal(
    edited('{"model":"a","x":1,"model":"b"}', [{ path: ["model"], value: "c" }]),
    '{"x":1,"model":"c"}',
  );
});

Deno.test("editJson() knows a name that is written with escapes", () => {
  assert.equal(edited('{"\\u006dodel":"a","x":1}', [{ path: ["model"], remove: true }]), '{"x":1}');
});

Deno.test("editJson() reaches into lists and objects", () => {
  const text =
    '{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","scope":"global"}}]}]}';
  assert.equal(
    edited(text, [{ path: ["messages", 0, "content", 0, "cache_control", "scope"], remove: true }]),
    '{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}',
  );
  assert.equal(edited('{"a":[1,2,3]}', [{ path: ["a", 1], remove: true }]), '{"a":[1,3]}');
});

/** Applies an edit to a value, plainly. */
function apply(value: unknown, { path, ...edit }: JsonEdit): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string | number, unknown> | unknown[] = Array.isArray(value)
    ? [...value]
    : { ...value };
  const target = copy as Record<string | number, unknown>;
  if (rest.length > 0) target[key] = apply(target[key], { path: rest, ...edit } as JsonEdit);
  else if ("remove" in edit && Array.isArray(copy)) copy.splice(Number(key), 1);
  else if ("remove" in edit) delete target[key];
  else target[key] = (edit as { value: unknown }).value;
  return copy;
}

function pathsOf(value: unknown, path: JsonPath = []): JsonPath[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, Array.isArray(value) ? Number(key) : key];
    return [here, ...pathsOf(inner, here)];
  });
}

const json = fc.dictionary(
  fc.string({ maxLength: 5 }).filter((name) => name !== "__proto__"),
  fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, true, 1, -2.5, "", 'q"\\', "ü🌍"),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(
        fc.string({ maxLength: 3 }).filter((name) => name !== "__proto__"),
        tie("value"),
        { maxKeys: 3 },
      ),
    ),
  })).value,
  { maxKeys: 5 },
);

Deno.test("editJson() does to bytes what the same edit does to the value, in any spacing", () => {
  checkProperty(
    fc.property(
      json,
      fc.nat(),
      fc.boolean(),
      fc.constantFrom(0, 1, 3),
      (value, pick, remove, indent) => {
        const normal = JSON.parse(JSON.stringify(value));
        const paths = pathsOf(normal);
        const path = paths.length === 0 ? ["new"] : paths[pick % paths.length] ?? ["new"];
        const edit: JsonEdit = remove && paths.length > 0
          ? { path, remove: true }
          : { path, value: { put: [1] } };
        const result = edited(JSON.stringify(normal, null, indent), [edit]);
        assert.deepEqual(JSON.parse(result), apply(normal, edit));
      },
    ),
    400,
  );
});

Deno.test("diffJson() gives the edits that make one body of the other", () => {
  checkProperty(
    fc.property(json, json, fc.nat(), (first, second, pick) => {
      const before = JSON.parse(JSON.stringify(first));
      const paths = pathsOf(before);
      const path = paths[pick % Math.max(paths.length, 1)];
      const after = path === undefined
        ? { ...before, ...JSON.parse(JSON.stringify(second)) }
        : apply(before, { path, value: JSON.parse(JSON.stringify(second)) });
      const result = edited(JSON.stringify(before), diffJson(before, after));
      assert.deepEqual(JSON.parse(result), after);
    }),
    400,
  );
});

Deno.test("diffJson() does not look into what both share", () => {
  const messages = [{ role: "user", content: "long" }];
  const before = { model: "a", messages };
  const after = { ...before, max_tokens: 5, messages: [...messages] };
  assert.deepEqual(diffJson(before, after), [{ path: ["max_tokens"], value: 5 }]);
});

Deno.test("a string ends at its quote, wherever escapes stand before it", () => {
  for (let size = 0; size < 70; size++) {
    for (const escape of ['\\"', "\\\\", '\\\\\\"', "\\u0022"]) {
      const value = "x".repeat(size) + escape;
      for (const text of [value, value + escape, `${value}y${escape}`]) {
        const body = `{"a":"${text}","b":1,"c":["${text}"],"d":2}`;
        assert.equal(
          edited(body, [{ path: ["b"], value: 3 }, { path: ["d"], remove: true }]),
          `{"a":"${text}","b":3,"c":["${text}"]}`,
        );
      }
    }
  }
});
