import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, it } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { type Clock, systemClock } from "../../../core/mod.ts";
import { Child, isLong, linesOf, randomFrom, seedOf, waitForLines } from "./processes.ts";
import { Folder } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const ROUNDS = isLong() ? 200 : 20;
const WORKERS = 2;

function integrityOf(file: string): unknown {
  const database = new DatabaseSync(file);
  const row = database.prepare("PRAGMA integrity_check").get();
  database.close();
  return row?.["integrity_check"];
}

/** Gives out and acknowledges all that is left. */
async function drain(file: string, hours: number): Promise<string[]> {
  const clock: Clock = {
    now: () => systemClock.now() + hours * 3_600_000,
    monotonic: () => systemClock.monotonic() + hours * 3_600_000,
    setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
    sleep: (delayMs, options) => systemClock.sleep(delayMs, options),
  };
  const store = new SqliteStore({ path: file, clock });
  const ids: string[] = [];
  for (;;) {
    const claimed = await store.claim({ channel: "q", workerId: "drain", limit: 500, leaseMs: 60_000 });
    if (claimed.length === 0) break;
    ids.push(...claimed.map(({ id }) => id));
    await store.commit(
      claimed.map(({ seq, lease }) => ({ type: "ack", channel: "q", seq, token: lease.token }) as const),
    );
  }
  assert.equal((await store.stats("q")).stored, 0);
  await store.close();
  return ids;
}

describe("SqliteStore", () => {
  const seed = seedOf();

  it(`keeps what it acknowledged through ${ROUNDS} kills (POSTHORN_SEED=${seed})`, async () => {
    const random = randomFrom(seed);
    const file = folder.newFile();
    const log = `${file}.log`;
    for (let round = 0; round < ROUNDS; round++) {
      const children = ["produce", ...new Array<string>(WORKERS).fill("work")].map((role, index) =>
        new Child([role, file, log, `${role}${round}-${index}`, String(round)])
      );
      await waitForLines(log, "ready", (round + 1) * (WORKERS + 1), children);
      const delayMs = 50 + random() * 450;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      const order = random() < 0.5 ? children : children.toReversed();
      for (const child of order) await child.kill();
      assert.equal(children.map(({ errors }) => errors).join(""), "");
      assert.equal(integrityOf(file), "ok", `round ${round}`);
    }

    const tried = new Set<string>();
    const stored = new Set<string>();
    const deliveries = new Map<string, number>();
    const done = new Map<string, number>();
    /** Per process, what it was given and has not said to be done: at its end, its leases in flight. */
    const inFlight = new Map<string, Set<string>>();
    for (const [word, ...rest] of linesOf(log)) {
      if (word === "try") rest.forEach((id) => tried.add(id));
      if (word === "stored") rest.forEach((id) => stored.add(id));
      assert.notEqual(word, "lost", `a lease was lost: ${rest.join(" ")}`);
      if (word !== "got" && word !== "done") continue;
      const [name = "", ...ids] = rest;
      const held = inFlight.get(name) ?? new Set<string>();
      inFlight.set(name, held);
      for (const id of ids) {
        const counts = word === "got" ? deliveries : done;
        counts.set(id, (counts.get(id) ?? 0) + 1);
        if (word === "got") held.add(id);
        else held.delete(id);
      }
    }
    for (const id of await drain(file, ROUNDS)) deliveries.set(id, (deliveries.get(id) ?? 0) + 1);

    assert.ok(stored.size > ROUNDS * 10, `${stored.size} acknowledged writes are too few to show anything`);
    assert.deepEqual([...stored].filter((id) => !deliveries.has(id)), [], "acknowledged writes that were lost");
    assert.deepEqual([...deliveries.keys()].filter((id) => !tried.has(id)), [], "messages nobody wrote");
    assert.deepEqual([...done].filter(([, count]) => count > 1), [], "messages acknowledged twice");
    const extra = [...deliveries.values()].reduce((sum, count) => sum + count - 1, 0);
    const leases = [...inFlight.values()].reduce((sum, held) => sum + held.size, 0);
    assert.ok(extra <= leases, `${extra} duplicates with ${leases} leases in flight at kills`);
    assert.equal(integrityOf(file), "ok");
  }, isLong() ? 3_600_000 : 300_000);
});
