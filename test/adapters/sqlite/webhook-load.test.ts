import assert from "node:assert/strict";
import { afterAll, describe, it } from "bun:test";
import process from "node:process";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { serve } from "../../../adapters/serve/mod.ts";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { Application } from "../../../core/mod.ts";
import { SignedNetwork } from "../http/signed-network.ts";
import { describeLong } from "../../support/require.ts";
import { Child } from "./processes.ts";
import { Folder } from "./support.ts";
import type { Sent } from "./webhook-sender.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const SECRET = "a-secret-for-the-load";
const HANDLERS = 100;
const HANDLING_MS = 30_000;

/** Sends so many webhooks a second to an application whose handlers are all busy. Every one must be taken and kept. */
async function load(perSecond: number, seconds: number): Promise<Sent["latencies"]> {
  const store = new SqliteStore({ path: folder.newFile() });
  const app = await Application.create({ inbox: { concurrency: HANDLERS }, outbox: { drain_timeout: 0.1 } }, {
    store,
    communicators: [{ communicator: new SignedNetwork("wire", SECRET) }],
  });
  let handled = 0;
  app.messenger.route(async (context) => {
    await app.clock.sleep(HANDLING_MS, { signal: context.signal });
    handled++;
  });
  const server = await serve(createHttpApp(app), { port: 0 });
  try {
    const parameters = [server.url, "wire", SECRET, String(perSecond), String(seconds)];
    const sender = new Child(parameters, "webhook-sender.ts");
    await sender.finished();
    const { statuses, latencies }: Sent = JSON.parse(sender.output);
    const { stored, claimed } = await store.stats(app.inbox.queue.key);
    assert.deepEqual(statuses, { 200: perSecond * seconds });
    assert.ok(stored + handled >= perSecond * seconds, `${stored} are kept and ${handled} handled`);
    assert.ok(claimed > HANDLERS / 2, `only ${claimed} handlers were busy`);
    return latencies;
  } finally {
    await server.stop();
    await app.stop();
    await store.close();
  }
}

/** The latency that this part of them does not pass. */
function percentile(latencies: readonly number[], part: number): number {
  return latencies.toSorted((left, right) => left - right)[Math.ceil(latencies.length * part) - 1] ?? Number.NaN;
}

describe("webhooks on SQLite", () => {
  it("are all taken and kept while every handler is busy", async () => {
    await load(200, 2);
  }, 120_000);
});

describeLong("webhooks on SQLite at length", () => {
  it("are answered within 250 ms at 500 a second for a minute, while 100 handlers take 30 s each (p99)", async () => {
    const latencies = await load(500, 60);
    const tenth = latencies.length / 10;
    const times = [0.5, 0.99, 1].map((part) => percentile(latencies, part).toFixed(1));
    const course = Array.from(
      { length: 10 },
      (_, index) => percentile(latencies.slice(index * tenth, (index + 1) * tenth), 0.99).toFixed(0),
    );
    process.stderr.write(
      `p50 ${times[0]} ms, p99 ${times[1]} ms (wanted: below 250), max ${times[2]} ms; p99 of each tenth: ${
        course.join(" ")
      }\n`,
    );
    assert.ok(percentile(latencies, 0.99) < 250, `p99 is ${times[1]} ms`);
  }, 300_000);
});
