/**
 * A process of its own on a file: what the tests of crashes and of several processes start.
 *
 * `child.ts <role> <file> <log> <name> <hours> <count>`: see {@link ROLES}. `hours` sets the clock ahead, so that what
 * an earlier round left claimed is due again at once. What it does it appends to the log, line by line; the order of
 * lines is the order of what happened, whichever process wrote them.
 *
 * @module
 */
import { openSync, writeSync } from "node:fs";
import process from "node:process";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { type ClaimedMessage, type Clock, systemClock } from "../../../core/mod.ts";
import { envelope } from "./support.ts";

const [role = "", file = "", log = "", name = "", hours = "0", count = "0"] = process.argv.slice(2);
const descriptor = openSync(log, "a");
const aheadMs = Number(hours) * 3_600_000;
const clock: Clock = {
  now: () => systemClock.now() + aheadMs,
  monotonic: () => systemClock.monotonic() + aheadMs,
  setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
  sleep: (delayMs, options) => systemClock.sleep(delayMs, options),
};
const synchronous = name === "NORMAL" ? "NORMAL" : "FULL";
const store = new SqliteStore({ path: file, clock, busyTimeoutMs: 60_000, synchronous });

const ROLES: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Writes until it is killed. */
  produce: () => Promise.all([1, 2, 3, 4].map((part) => produce(part))),
  /** Claims and acknowledges until it is killed. */
  work: () => Promise.all([1, 2, 3, 4].map((part) => work(part))),
  /** Writes so often, one after the other and several in one turn, then claims and acknowledges it all. */
  promise: () => promise(Number(count)),
  /** Claims, releases now and then, and acknowledges until all is done. */
  share: () => Promise.all([1, 2, 3, 4].map((part) => share(part))),
};

say("ready", name);
await ROLES[role]?.();
await store.close();

function say(...words: readonly string[]): void {
  writeSync(descriptor, `${words.join(" ")}\n`);
}

async function produce(part: number): Promise<never> {
  for (let index = 0;; index += 3) {
    const ids = [0, 1, 2].map((offset) => `${name}.${part}.${index + offset}`);
    const lane = index % 2 === 0 ? {} : { orderingKey: `lane${index % 10}` };
    say("try", ...ids);
    await store.append("q", ids.map((id) => envelope(id, lane)), { mode: "queue" });
    say("stored", ...ids);
  }
}

async function promise(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const ids = Array.from({ length: 1 + round % 3 }, (_, index) => `${round}.${index}`);
    say("try", "append", ...ids);
    await Promise.all(ids.map((id) => store.append("q", [envelope(id)], { mode: "queue" })));
    say("did", "append", ...ids);
  }
  for (;;) {
    say("try", "claim");
    const claimed = await claim(1, 5);
    if (claimed.length === 0) return;
    say("did", "claim");
    say("try", "ack");
    await store.commit(
      claimed.map(({ seq, lease }) => ({ type: "ack", channel: "q", seq, token: lease.token }) as const),
    );
    say("did", "ack");
  }
}

function claim(part: number, limit: number): Promise<readonly ClaimedMessage[]> {
  return store.claim({ channel: "q", workerId: `${name}.${part}`, limit, leaseMs: 60_000 });
}

async function work(part: number): Promise<never> {
  for (;;) {
    const claimed = await claim(part, 5);
    if (claimed.length === 0) {
      await systemClock.sleep(1);
      continue;
    }
    const ids = claimed.map(({ id }) => id);
    say("got", name, ...ids);
    const { committed } = await store.commit(
      claimed.map(({ seq, lease }) => ({ type: "ack", channel: "q", seq, token: lease.token }) as const),
    );
    if (!committed) say("lost", name, ...ids);
    say("done", name, ...ids);
  }
}

async function share(part: number): Promise<void> {
  for (let round = part; (await store.stats("q")).stored > 0; round++) {
    const claimed = await claim(part, 3);
    if (claimed.length === 0) await systemClock.sleep(1);
    for (const { id, seq, lease, orderingKey = "-" } of claimed) {
      say("start", id, orderingKey, lease.token);
      if (round % 7 === 0) await systemClock.sleep(1);
      say("end", id, orderingKey, lease.token);
      const delivery = { channel: "q", seq, token: lease.token } as const;
      const { committed } = round % 5 === 0 && lease.attempt < 3
        ? await store.commit([{ type: "release", ...delivery }])
        : await store.commit([{ type: "ack", ...delivery }]);
      if (!committed) say("lost", id, orderingKey, lease.token);
    }
  }
  say("finished", name, count);
}
