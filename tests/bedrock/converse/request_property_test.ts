import assert from "node:assert/strict";
import fc from "fast-check";
import { checkAsyncProperty, checkProperty } from "../../seed.ts";
import { asked, conversation, withFourMarks } from "./bodies.ts";
import { build, faultsOf, messagesOf } from "./build.ts";
import { serialized } from "./sdk.ts";

Deno.test("buildConverseRequest() makes of any conversation what Converse takes, in every family", () => {
  checkProperty(
    fc.property(asked, ({ model, body }) => {
      assert.deepEqual(faultsOf(build(model, body).body), []);
    }),
    1_500,
  );
});

Deno.test("buildConverseRequest() says nothing that the AWS SDK does not know", async () => {
  await checkAsyncProperty(
    fc.asyncProperty(asked, async ({ model, body }) => {
      const built = build(model, body).body;
      assert.deepEqual(await serialized(built), JSON.parse(JSON.stringify(built)));
    }),
    150,
  );
});

Deno.test("buildConverseRequest() keeps what comes first the same when a conversation goes on", () => {
  checkProperty(
    fc.property(conversation, conversation, (first, more) => {
      const [begun, rest] = withFourMarks([first, more]) as [typeof first, typeof more];
      const goingOn = [...begun, { role: "assistant", content: "answer" }, ...rest];
      const before = messagesOf(build("amazon.nova-pro-v1:0", { messages: begun }));
      const after = messagesOf(build("amazon.nova-pro-v1:0", { messages: goingOn }));
      assert.deepEqual(after.slice(0, before.length), before);
    }),
    300,
  );
});
