import assert from "node:assert/strict";
import { afterAll, it } from "bun:test";
import { Agent, request } from "node:http";
import process from "node:process";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { serve } from "../../../adapters/serve/mod.ts";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { Application } from "../../../core/mod.ts";
import { SignedNetwork, signedRequest } from "../http/signed-network.ts";
import { describeLong } from "../../support/require.ts";
import { Folder } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const SECRET = "a-secret-for-the-load";
const PER_SECOND = 500;
const SECONDS = 60;
const HANDLERS = 100;
const HANDLING_MS = 30_000;

describeLong("webhooks on SQLite", () => {
  it(`are all taken at ${PER_SECOND} a second, while ${HANDLERS} handlers are busy for ${HANDLING_MS} ms`, async () => {
    const store = new SqliteStore({ path: folder.newFile() });
    const config = { inbox: { concurrency: HANDLERS }, outbox: { drain_timeout: 0.1 } };
    const app = await Application.create(config, {
      store,
      communicators: [{ communicator: new SignedNetwork("wire", SECRET) }],
    });
    let handling = 0;
    app.messenger.route(async (context) => {
      handling++;
      await app.clock.sleep(HANDLING_MS, { signal: context.signal });
    });
    const server = await serve(createHttpApp(app), { port: 0 });
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    const statuses = new Map<number, number>();
    const latencies: number[] = [];

    async function post(number: number, dueAt: number): Promise<void> {
      const item = { id: `m${number}`, from: `c${number % 1_000}`, text: "What is the time?" };
      const { path, headers, body } = await signedRequest("wire", SECRET, [item]);
      const status = await new Promise<number>((resolve, reject) => {
        const options = { agent, method: "POST", headers: Object.fromEntries(headers) };
        request(server.url + path, options, (response) => {
          response.resume().once("end", () => resolve(response.statusCode ?? 0));
        }).once("error", reject).end(body);
      });
      // From when it was due, not from when a busy machine came to send it.
      latencies.push(performance.now() - dueAt);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }

    const posts: Promise<void>[] = [];
    const begin = performance.now();
    while (posts.length < PER_SECOND * SECONDS) {
      const due = Math.min((performance.now() - begin) * PER_SECOND / 1_000, PER_SECOND * SECONDS);
      while (posts.length < due) posts.push(post(posts.length, begin + posts.length * 1_000 / PER_SECOND));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(posts);
    const { stored } = await store.stats(app.inbox.queue.key);
    agent.destroy();
    await server.stop();
    await app.stop();
    await store.close();

    latencies.sort((left, right) => left - right);
    const [p50, p99, max] = [0.5, 0.99, 1].map((part) =>
      latencies[Math.ceil(latencies.length * part) - 1] ?? Number.NaN
    );
    process.stderr.write(
      `p50 ${p50?.toFixed(1)} ms, p99 ${p99?.toFixed(1)} ms (wanted: below 250), max ${max?.toFixed(1)} ms\n`,
    );
    assert.deepEqual([...statuses], [[200, PER_SECOND * SECONDS]]);
    assert.ok(handling >= HANDLERS, `${handling} handlers were busy, not ${HANDLERS}`);
    assert.ok(stored >= PER_SECOND * SECONDS - handling, "what was answered 200 was not kept");
  }, 300_000);
});
