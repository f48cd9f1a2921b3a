/**
 * Ten times more than a slow receiver can take, through the whole application and a real socket.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { WebhookStandIn } from "../../adapters/emulator/stand-ins.ts";
import { webhook } from "../../adapters/webhook/mod.ts";
import { Application, type MessageStore, QueueFullError } from "../../core/mod.ts";

const SECRET = `whsec_${btoa("a secret of the overload, long enough")}`;
/** What the receiver takes: so many at once, each in so long. */
const AT_ONCE = 16;
const ANSWER_MS = 100;
const CAPACITY = AT_ONCE * 1_000 / ANSWER_MS;

/** What came of it. */
export interface OverloadResult {
  readonly accepted: number;
  readonly refused: number;
  /** The most memory the process had beyond what it began with, in bytes. */
  readonly grownBytes: number;
  /** The most that waited. */
  readonly mostQueued: number;
}

/**
 * Emits ten times what the receiver takes, and checks that every message was taken exactly once or refused with a typed
 * error and never sent.
 *
 * @param options For how long, into which store, and how many may wait.
 */
export async function overload(
  options: { readonly seconds: number; readonly store?: MessageStore; readonly maxQueued: number },
): Promise<OverloadResult> {
  const { seconds, store, maxQueued } = options;
  const receiver = new WebhookStandIn({ secret: SECRET });
  receiver.inject({ fault: "slow", delayMs: ANSWER_MS }, { times: Infinity });
  const url = `${await receiver.start()}/hook`;
  const app = await Application.create({
    outbox: { max_queued: maxQueued, concurrency: AT_ONCE, drain_timeout: 60 },
    communications: {
      enabled: true,
      backends: {
        hook: { type: "webhook", url, secret: SECRET, allow_private: true, allow_http: true, labels: ["*"] },
      },
    },
  }, { backends: [webhook], ...(store === undefined ? {} : { store, closeStore: true }) });
  const accepted = new Set<string>();
  const refused = new Set<string>();
  const emitOne = async (number: number): Promise<void> => {
    const id = `m${number}`;
    try {
      // As many lanes as the receiver answers at once, and more: the lanes are not what holds things up.
      const report = await app.emit({ id, message: `Event ${number}`, orderingKey: `lane-${number % 97}` });
      assert.deepEqual(report.undelivered, []);
      accepted.add(report.deliveries[0]?.deliveryId ?? "");
    } catch (error) {
      assert.ok(error instanceof QueueFullError && error.retryable, String(error));
      refused.add(id);
    }
  };
  let mostQueued = 0;
  let emitted = 0;
  const emits: Promise<void>[] = [];
  const emitTo = (count: number): void => {
    while (emitted < count) emits.push(emitOne(emitted++));
  };
  const begin = performance.now();
  const rssAtFirst = process.memoryUsage().rss;
  let rss = rssAtFirst;
  const queue = await app.outbox.queue("hook");
  for (let lastLook = 0, now = 0; now < seconds * 1_000; now = performance.now() - begin) {
    emitTo(Math.floor(now * CAPACITY / 100));
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (now - lastLook < 250) continue;
    lastLook = now;
    rss = Math.max(rss, process.memoryUsage().rss);
    mostQueued = Math.max(mostQueued, (await queue.stats()).stored);
    await Promise.all(emits.splice(0));
  }
  emitTo(seconds * CAPACITY * 10);
  await Promise.all(emits);
  while ((await queue.stats()).stored > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  rss = Math.max(rss, process.memoryUsage().rss);
  const ids = receiver.taken.map(({ id }) => id ?? "");
  assert.equal(receiver.requests.length, ids.length, "the receiver refused nothing");
  assert.deepEqual([...ids].sort(), [...accepted].sort(), "what was accepted arrived once, and nothing else did");
  for (const id of [...refused].slice(0, 100)) {
    assert.deepEqual(await app.ledger.eventsOf(id), [], "nothing is recorded of what was refused");
  }
  assert.equal(accepted.size + refused.size, emitted);
  await app.stop();
  await receiver.stop();
  return { accepted: accepted.size, refused: refused.size, grownBytes: rss - rssAtFirst, mostQueued };
}
