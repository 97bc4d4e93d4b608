/** A sum that replicas share: never exceeded, never lost, and without the store where it need not be asked. */
import assert from "node:assert/strict";
import { asyncProperty, integer } from "fast-check";
import type { Pool } from "../../src/sharing/pool.ts";
import { between, seededRandom } from "../../src/simulator/random.ts";
import type { StoreWrite } from "../../src/storage/store.ts";
import { checkAsyncProperty } from "../seed.ts";
import { openReplicas, Replica, settled } from "./replicas.ts";

function two() {
  const shared = openReplicas(2);
  const [a, b] = shared.replicas as [Replica, Replica];
  return { ...shared, a, b };
}

Deno.test("replicas together take no more than the sum, and what one gives back another can take", async () => {
  const { a, b, pass } = two();
  const capacity = 10;
  assert.equal(await a.pool.take(4, { capacity }), 4);
  assert.equal(await b.pool.take(6, { capacity }), 6);
  assert.equal(await a.pool.take(1, { capacity }), "held");
  assert.equal(await b.pool.take(1, { capacity }), "held");
  a.pool.give(4);
  await pass(1_000); // what is idle goes back soon, where nothing is left for others
  assert.equal(await b.pool.take(4, { capacity }), 4);
  assert.equal(await a.pool.take(1, { capacity }), "held");
});

Deno.test("a hundred takers at once get as much as there is, first come first served", async () => {
  const { a } = two();
  const takes = Array.from({ length: 100 }, () => a.pool.take(3, { capacity: 31 }));
  const grants = await Promise.all(takes);
  assert.deepEqual(
    grants.map((grant, at) => [grant, at]).filter(([grant]) => grant === 3).length,
    10,
  );
  assert.ok(grants.slice(0, 10).every((grant) => grant === 3));
  assert.ok(grants.slice(10).every((grant) => grant === "held"));
  assert.ok(a.calls < 10, `${a.calls} calls of the store`);
});

Deno.test("in the steady state the store is not asked: a thousand requests cost a few calls", async () => {
  const { a, pass } = two();
  const capacity = 1_000_000;
  for (let turn = 0; turn < 100; turn++) {
    const grants = await Promise.all(
      Array.from({ length: 10 }, () => a.pool.take(100, { capacity })),
    );
    assert.ok(grants.every((grant) => grant === 100));
    for (const grant of grants) a.pool.give(Number(grant));
    await pass(100);
  }
  assert.ok(a.calls <= 12, `${a.calls} calls of the store`);
});

Deno.test("spending costs a call of the store now and then, not one a request", async () => {
  const { a, pass, post, stored } = two();
  const capacity = 1_000_000_000;
  for (let turn = 0; turn < 1_000; turn++) {
    assert.equal(await a.pool.take(1_000, { capacity }), 1_000);
    await post(a.pool.spend(1_000, 300));
    await pass(10);
  }
  assert.equal((await stored())["spent"], 300_000);
  assert.ok(a.calls < 60, `${a.calls} calls of the store`);
});

Deno.test("what is spent but not yet posted is still held, and then spent: once", async () => {
  const { a, b, pass, post, stored } = two();
  const capacity = 100;
  assert.equal(await a.pool.take(60, { capacity }), 60);
  const write = a.pool.spend(60, 50);
  await pass(1_000); // the ten that were left over go back
  assert.equal(await b.pool.take(51, { capacity }), "held");
  assert.equal(await b.pool.take(50, { capacity }), 50);
  b.pool.give(50);
  await post(write);
  await pass(1_000);
  assert.equal((await stored())["spent"], 50);
  assert.equal(await b.pool.take(51, { capacity }), "held"); // nobody holds it: it is too much
  assert.equal(await b.pool.take(50, { capacity }), 50);
  await post(b.pool.spend(50, 50));
  await pass(1_000);
  assert.equal(await a.pool.take(1, { capacity }), "spent");
});

Deno.test("what is too little for a request is of use elsewhere: whoever is refused gives it back at once", async () => {
  const { a, b, post } = two();
  const capacity = 20;
  for (const { pool } of [a, b]) {
    assert.equal(await pool.take(10, { capacity }), 10);
    await post(pool.spend(10, 4)); // six are free in each, and nothing is left beside them
  }
  assert.equal(await a.pool.take(10, { capacity }), "held");
  assert.equal(await b.pool.take(10, { capacity }), 10); // no time has passed: requests may come without a pause
});

Deno.test("spent is told where nothing is left; held, where requests under way hold the rest", async () => {
  const { a, b, pass, post } = two();
  assert.equal(await a.pool.take(10, { capacity: 10 }), 10);
  assert.equal(await b.pool.take(1, { capacity: 10 }), "held");
  assert.equal(await a.pool.take(1, { capacity: 10 }), "held");
  const write = a.pool.spend(10, 12); // more than was granted
  assert.equal(await a.pool.take(1, { capacity: 10 }), "spent"); // it knows before the store does
  await post(write);
  await pass(100);
  assert.equal(await b.pool.take(1, { capacity: 10 }), "spent");
});

Deno.test("alone: what is larger than the rest is let in with all of it, one at a time in all replicas", async () => {
  const { a, b, pass, post } = two();
  const options = { capacity: 10, alone: true };
  const grants = await Promise.all([a, b, a, b].map(({ pool }) => pool.take(50, options)));
  assert.deepEqual(grants.filter((grant) => grant !== "held"), [10]);
  const [winner, loser] = grants.includes(10) && typeof grants[0] === "number" ? [a, b] : [b, a];
  assert.equal(await loser.pool.take(1, options), "held");
  await post(winner.pool.spend(10, 4));
  await pass(1_000);
  assert.equal(await loser.pool.take(2, options), 2);
  assert.equal(await loser.pool.take(50, options), "held"); // not alone: one of two is under way
  assert.equal(await winner.pool.take(50, options), "held");
  await post(loser.pool.spend(2, 2));
  await pass(1_000);
  assert.equal(await winner.pool.take(50, options), 4);
});

Deno.test("a changed sum counts from the next request on, in replicas that hold a part as well", async () => {
  const { a, b, pass } = two();
  for (let n = 0; n < 8; n++) assert.equal(await a.pool.take(10, { capacity: 1_000 }), 10);
  for (let n = 0; n < 8; n++) a.pool.give(10);
  assert.equal(await a.pool.take(10, { capacity: 15 }), 10); // from what it has, as far as that goes
  assert.equal(await a.pool.take(10, { capacity: 15 }), "held");
  assert.equal(await b.pool.take(6, { capacity: 15 }), "held");
  await pass(1_000); // five that are free go back
  assert.equal(await b.pool.take(10, { capacity: 20 }), 10);
  assert.equal(await a.pool.take(1, { capacity: 20 }), "held");
  assert.equal(await a.pool.take(1, { capacity: 21 }), 1);
});

Deno.test("the part of a replica that crashed falls back when its time is over", async () => {
  const { a, b, pass } = two();
  assert.equal(await a.pool.take(10, { capacity: 10 }), 10);
  a.fault = "down";
  await pass(30_000);
  assert.equal(await b.pool.take(1, { capacity: 10 }), "held");
  await pass(10_000);
  assert.equal(await b.pool.take(10, { capacity: 10 }), 10);
});

Deno.test("requests longer than a lease stay counted: it is renewed", async () => {
  const { a, b, pass } = two();
  assert.equal(await a.pool.take(10, { capacity: 10 }), 10);
  for (let minute = 0; minute < 60; minute++) {
    await pass(10_000);
    assert.equal(await b.pool.take(1, { capacity: 10 }), "held");
  }
  a.pool.give(10);
  await pass(1_000);
  assert.equal(await b.pool.take(10, { capacity: 10 }), 10);
});

Deno.test("a replica that was cut off begins anew: its free part is gone, its requests still count", async () => {
  const { a, b, pass, post, stored } = two();
  const capacity = 100;
  for (const amount of [10, 10, 10, 10]) {
    assert.equal(await a.pool.take(amount, { capacity }), amount);
  }
  for (let n = 0; n < 3; n++) a.pool.give(10);
  a.fault = "down";
  await assert.rejects(async () => await a.pool.take(90, { capacity }), /store is down/);
  await pass(40_000);
  assert.equal(await b.pool.take(95, { capacity }), 95); // nobody knows of the ten that are under way
  a.fault = "none";
  assert.equal(await a.pool.take(10, { capacity }), "held");
  await post(a.pool.spend(10, 10));
  await post(b.pool.spend(95, 70));
  await pass(1_000);
  assert.equal((await stored())["spent"], 80);
  assert.equal(await a.pool.take(21, { capacity }), "held");
  assert.equal(await a.pool.take(20, { capacity }), 20);
});

Deno.test("a write whose answer was lost costs its amount until the lease is over, not for ever", async () => {
  const { a, b, pass } = two();
  a.fault = "deaf";
  await assert.rejects(async () => await a.pool.take(10, { capacity: 10 }), /answer was lost/);
  a.fault = "none";
  assert.equal(await a.pool.take(1, { capacity: 10 }), "held");
  await pass(40_000);
  assert.equal(await b.pool.take(10, { capacity: 10 }), 10);
});

Deno.test("a store that hangs fails who waits within a second", async () => {
  const { a, pass } = two();
  a.fault = "hangs";
  const waiting = [a.pool.take(1, { capacity: 10 }), a.pool.take(1, { capacity: 10 })];
  const failed = Promise.all(
    waiting.map((take) => assert.rejects(Promise.resolve(take), /1000 ms/)),
  );
  await pass(1_000);
  await failed;
});

Deno.test("who spends without a grant is counted, from what is free first", async () => {
  const { a, pass, post, stored } = two();
  await post(a.pool.spend(0, 7));
  assert.deepEqual(await stored(), { spent: 7 });
  assert.equal(await a.pool.take(3, { capacity: 10 }), 3);
  await post(a.pool.spend(0, 1));
  await post(a.pool.spend(3, 1));
  await pass(1_000);
  assert.equal((await stored())["spent"], 9);
  assert.equal(await a.pool.take(1, { capacity: 10 }), 1);
  assert.equal(await a.pool.take(1, { capacity: 10 }), "held");
});

Deno.test("idle pools are given back and forgotten; closing gives back at once", async () => {
  const { a, b, clock, pass, stored } = two();
  for (let n = 0; n < 5; n++) a.pool.give(Number(await a.pool.take(1, { capacity: 1_000 })));
  await pass(10_000);
  await pass(10_000);
  await pass(10_000);
  assert.deepEqual(await stored(), { spent: 0 });
  assert.equal(clock.pending, 0);
  assert.equal(await b.pool.take(10, { capacity: 10 }), 10);
  b.pool.give(10);
  await b.sharing.close();
  assert.deepEqual(await stored(), { spent: 0 });
  assert.equal(clock.pending, 0);
});

/** Requests of eight replicas on one pool, in any order, with postings that come late and replicas that crash. */
async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const shared = openReplicas(8);
  const { clock, replicas } = shared;
  let capacity = 10_000;
  let spent = 0;
  let largest = 0;
  const running: { pool: Pool; granted: number; wanted: number }[] = [];
  const postings: StoreWrite[] = [];
  const outstanding = () => running.reduce((sum, { granted }) => sum + granted, 0);
  const refusals = new Set<string>();
  const some = <T>(list: T[]) => list.splice(between(random, 0, list.length - 1), 1)[0];
  for (let step = 0; step < 3_000; step++) {
    const dice = random();
    if (dice < 0.4) {
      const before = running.length;
      const takes = Array.from({ length: between(random, 1, 4) }, async () => {
        const { pool } = replicas[between(random, 0, 7)] as Replica;
        const wanted = between(random, 1, 400);
        return { pool, wanted, granted: await pool.take(wanted, { capacity, alone: true }) };
      });
      for (const { pool, wanted, granted } of await Promise.all(takes)) {
        if (typeof granted === "number") running.push({ pool, wanted, granted });
        else refusals.add(granted);
        if (granted === "spent") assert.ok(spent >= capacity, "told as spent, and it is not");
        largest = Math.max(largest, wanted);
      }
      const lessGranted = running.slice(before).some(({ wanted, granted }) => granted < wanted);
      assert.ok(!lessGranted || running.length === 1, "less than was wanted only alone");
      assert.ok(
        spent + outstanding() <= Math.max(capacity, spent),
        `${spent} spent and ${outstanding()} granted of ${capacity}`,
      );
    } else if (dice < 0.8) {
      const one = some(running);
      if (one === undefined) continue;
      if (random() < 0.1) one.pool.give(one.granted);
      else {
        const amount = between(random, 0, one.wanted); // more than was granted, where it was let in alone
        spent += amount;
        postings.push(one.pool.spend(one.granted, amount));
      }
    } else if (dice < 0.9) {
      const write = some(postings);
      if (write !== undefined) await shared.post(write);
    } else {
      if (random() < 0.02) capacity += 3_000;
      clock.advance(between(random, 0, 3_000));
      if (random() < 0.5) await settled();
    }
  }
  for (const { pool, granted } of running) pool.give(granted);
  for (const write of postings) await shared.post(write);
  await settled();
  for (const { sharing } of replicas) await sharing.close();
  // A lease that has lapsed is at 0 when its last posting has come; whoever next changes the pool takes it out.
  const left = Object.entries(await shared.stored() ?? {}).filter(([, amount]) => amount !== 0);
  assert.deepEqual(Object.fromEntries(left), { spent });
  assert.ok(refusals.has("held"), "nobody was refused: nothing is shown");
  assert.ok(spent <= capacity + largest);
  assert.equal(clock.pending, 0);
}

Deno.test("eight replicas at random: never more granted and spent than there is; nothing lost, nothing left over", () =>
  checkAsyncProperty(asyncProperty(integer({ min: 0 }), simulate), 20));
