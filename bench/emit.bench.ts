// One message to ten backends: without an outbox against a bare Promise.all, and with the memory outbox by itself.
import { Application, CommunicationDispatcher, NoOpCommunicator } from "../core/mod.ts";
import { benchmark } from "./harness.ts";

const BACKENDS = 10;
const EMITS = 200;

const communicators = Array.from({ length: BACKENDS }, (_, index) => new NoOpCommunicator(`b${index}`));
const dispatcher = new CommunicationDispatcher();
for (const communicator of communicators) dispatcher.register(communicator, ["alerts"]);
await dispatcher.startAll();
const INIT = { message: "Disk usage at 95%", label: "alerts", severity: "warning" } as const;

// deno-lint-ignore require-await -- what it is compared with is awaited calls
async function bare(text: string): Promise<{ readonly outcome: string; readonly text: string }> {
  return { outcome: "accepted", text };
}

await benchmark(`emit to ${BACKENDS} no-op backends, without an outbox`, [
  {
    name: "dispatcher.emit",
    operations: EMITS,
    run: async () => {
      for (let count = 0; count < EMITS; count++) await dispatcher.emit(INIT);
    },
  },
  {
    name: "Promise.all over awaited calls",
    operations: EMITS,
    run: async () => {
      for (let count = 0; count < EMITS; count++) {
        await Promise.all(communicators.map(async () => await bare(INIT.message)));
      }
    },
  },
], { reference: "Promise.all over awaited calls", unit: "emits" });

/** Queued, sent, recorded and settled, after so many had gone the same way before. */
for (const before of [0, 1_000, 10_000]) {
  const app = await Application.create({ outbox: { concurrency: 64, max_queued: 1_000_000 } }, {
    communicators: communicators.map((communicator) => ({ communicator, labels: ["alerts"] })),
  });
  for (let count = 0; count < before; count += EMITS) {
    await Promise.all(Array.from({ length: EMITS }, () => app.emit(INIT).then((report) => report.settled())));
  }
  await benchmark(`emit to ${BACKENDS} no-op backends by the memory outbox, after ${before}`, [
    {
      name: "emit, committed",
      operations: EMITS,
      run: async () => {
        await Promise.all(Array.from({ length: EMITS }, () => app.emit(INIT)));
      },
    },
    {
      name: "emit, settled",
      operations: EMITS,
      run: async () => {
        await Promise.all(Array.from({ length: EMITS }, () => app.emit(INIT).then((report) => report.settled())));
      },
    },
  ], { reference: "emit, committed", unit: "emits", rounds: 5, sampleMs: 100 });
  await app.stop();
}
