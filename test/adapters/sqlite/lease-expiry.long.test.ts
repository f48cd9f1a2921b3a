// In real time, as nothing else here is: what a dead worker held comes again when its lease has ended, and not before.
import assert from "node:assert/strict";
import { afterAll, it } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { MemoryStore, type MessageStore, WorkQueueChannel } from "../../../core/mod.ts";
import { describeLong } from "../../support/require.ts";
import { Folder } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const MESSAGES = 1_000;
const LEASE_MS = 5_000;
const LATEST_MS = 1_000;

/** How long after the beginning and the end of its claim each message was given again. */
async function redeliveries(store: MessageStore): Promise<readonly (readonly [earliest: number, latest: number])[]> {
  const queue = new WorkQueueChannel<number>({ id: "jobs", store, claimTimeoutMs: LEASE_MS });
  await queue.start();
  for (let number = 0; number < MESSAGES; number++) await queue.write("writer", number);
  const begun = new Map<string, number>();
  const claimed = new Map<string, number>();
  while (claimed.size < MESSAGES) {
    const before = performance.now();
    const messages = await queue.read("dead", { exclusive: true, limit: 10 });
    for (const { id } of messages) {
      begun.set(id, before);
      claimed.set(id, performance.now());
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  const waits: (readonly [number, number])[] = [];
  await new Promise<void>((resolve) => {
    queue.consume("living", ({ id }) => {
      const now = performance.now();
      waits.push([now - (begun.get(id) ?? 0), now - (claimed.get(id) ?? 0)]);
      if (waits.length === MESSAGES) resolve();
    }, { concurrency: 50 });
  });
  const { stored } = await settled(queue);
  assert.equal(stored, 0);
  await queue.stop();
  await store.close();
  return waits;
}

async function settled(queue: WorkQueueChannel<number>): Promise<{ readonly stored: number }> {
  for (let tries = 0; tries < 100; tries++) {
    const stats = await queue.stats();
    if (stats.stored === 0) return stats;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return await queue.stats();
}

describeLong("a lease of 5 seconds, in real time", () => {
  const stores: Readonly<Record<string, () => MessageStore>> = {
    MemoryStore: () => new MemoryStore(),
    SqliteStore: () => new SqliteStore({ path: folder.newFile() }),
  };
  for (const [name, open] of Object.entries(stores)) {
    it(`${name} gives none of ${MESSAGES} messages again before it ends, and 99 of 100 within a second`, async () => {
      const waits = await redeliveries(open());
      const earliest = Math.min(...waits.map(([sinceBegun]) => sinceBegun));
      assert.ok(earliest >= LEASE_MS, `one came after ${earliest} ms`);
      const late = waits.map(([, sinceClaimed]) => sinceClaimed - LEASE_MS).sort((left, right) => left - right);
      const p99 = late[Math.floor(late.length * 0.99)] ?? Infinity;
      assert.ok(p99 <= LATEST_MS, `99 of 100 came within ${p99} ms`);
    }, 60_000);
  }
});
