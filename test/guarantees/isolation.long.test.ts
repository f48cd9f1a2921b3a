import assert from "node:assert/strict";
import { it } from "bun:test";
import { WebhookStandIn } from "../../adapters/emulator/webhook-stand-in.ts";
import { webhook } from "../../adapters/webhook/mod.ts";
import { Application } from "../../core/mod.ts";
import { describeLong } from "../support/require.ts";

const BACKENDS = 10;
const ROUNDS = 5;
const MESSAGES_PER_ROUND = 300;
const EVERY_MS = 20;

/** From the commit of each message to the acceptance by each backend that does not hang; the 99th of a hundred. */
async function p99(app: Application, watched: ReadonlySet<string>): Promise<number> {
  const queuedAt = new Map<string, number>();
  const times: number[] = [];
  const stop = app.outbox.observe(({ deliveryId, backendName, status }) => {
    if (!watched.has(backendName)) return;
    if (status === "queued") queuedAt.set(deliveryId, performance.now());
    if (status === "accepted") times.push(performance.now() - (queuedAt.get(deliveryId) ?? Number.NaN));
  });
  for (let count = 0; count < MESSAGES_PER_ROUND; count++) {
    await app.emit({ message: "x", label: "all", recipients: [`r${count % 50}`] });
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  const expected = MESSAGES_PER_ROUND * watched.size;
  for (let turn = 0; turn < 500 && times.length < expected; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop();
  assert.equal(times.length, expected, "the others got every message while one backend hung");
  assert.ok(times.every(Number.isFinite));
  return times.toSorted((left, right) => left - right)[Math.floor(expected * 0.99)] ?? assert.fail();
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? assert.fail();
}

describeLong("ten backends, one of which hangs for 30 seconds (G16)", () => {
  it(`the others' p99 is at most twice what it is without, over ${ROUNDS} rounds of each (G16)`, async () => {
    const servers = Array.from({ length: BACKENDS }, () => new WebhookStandIn());
    for (const server of servers) await server.start();
    const [hung = assert.fail()] = servers;
    const names = servers.map((_, index) => `b${index}`);
    const app = await Application.create({
      outbox: { drain_timeout: 0 },
      communications: {
        enabled: true,
        backends: Object.fromEntries(servers.map(({ origin }, index) => [
          `b${index}`,
          { type: "webhook", url: origin, allow_private: true, timeout: 30, labels: ["all"] },
        ])),
      },
    }, { backends: [webhook] });
    try {
      const watched = new Set(names.slice(1));
      await p99(app, watched); // warm
      const alone: number[] = [];
      const beside: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        hung.clearFaults();
        alone.push(await p99(app, watched));
        hung.inject({ fault: "hang" }, { times: Infinity });
        beside.push(await p99(app, watched));
      }
      const ratio = median(beside) / median(alone);
      console.log(`others' p99: ${median(alone).toFixed(1)} ms, beside a hung one ${median(beside).toFixed(1)} ms`);
      assert.ok(ratio <= 2, `ratio ${ratio.toFixed(2)}`);
    } finally {
      for (const server of servers) await server.stop();
      await app.stop();
    }
  }, 300_000);
});
