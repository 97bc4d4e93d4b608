/**
 * Watches that no key and no secret of a test reaches a log, an error or the store: every test that starts a
 * gateway is a test of that.
 * @module
 */
import assert from "node:assert/strict";
import type { Store } from "../src/storage/store.ts";

/** What an API key looks like, whichever it is: every key that a test makes is watched for. */
const ANY_KEY = /sk-oc-[0-9a-z]{10}-[0-9a-z]{42}/;

/** Fails if a text that anybody might read holds an API key. */
export function assertNoKey(where: string, text: string): void {
  const found = ANY_KEY.exec(text);
  if (found === null) return;
  const around = text.slice(Math.max(0, found.index - 100), found.index + 16);
  assert.fail(`an API key is in ${where}: …${around}…`);
}

/** Looks for secrets in what it is shown. */
export class SecretWatch {
  readonly #secrets = new Set<string>();
  readonly #seen: { readonly where: string; readonly text: string }[] = [];

  /** One more secret; what was shown before counts too. */
  add(secret: string | undefined): void {
    if (secret !== undefined && secret !== "") this.#secrets.add(secret);
  }

  /** Shows what anybody might read. */
  show(where: string, text: string): void {
    this.#seen.push({ where, text });
  }

  /** The store, every write of which is shown. */
  watched(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...given: unknown[]) => {
          if (name === "put" || name === "add" || name === "apply") {
            this.show("the store", JSON.stringify(given));
          }
          return Reflect.apply(member, target, given);
        };
      },
    });
  }

  /** The answer; the body of one that is an error is shown. */
  async answer(response: Response): Promise<Response> {
    if (response.status < 400) return response;
    const text = await response.text();
    this.show("an error", text);
    const { status, headers } = response;
    return new Response(text, { status, headers });
  }

  /** Fails if anything that was shown holds a secret, or any API key. */
  assertNone(): void {
    for (const { where, text } of this.#seen) assertNoKey(where, text);
    for (const secret of this.#secrets) {
      const leak = this.#seen.find(({ text }) => text.includes(secret));
      assert.equal(leak, undefined, `a secret is in ${leak?.where}: ${leak?.text.slice(0, 300)}`);
    }
  }
}
