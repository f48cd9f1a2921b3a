import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type CommitOptions,
  type CommitResult,
  fallback,
  ManualClock,
  MemoryStore,
  type Receipt,
  type StateEntry,
  StoreError,
  type StoreOperation,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { ScriptedCommunicator, type ScriptStep } from "../../support/scripted-communicator.ts";

/** A store in memory that fails when it is told to, as a disk or a network would. */
class FailingStore extends MemoryStore {
  failCommit: (operations: readonly StoreOperation[]) => boolean = () => false;
  failGetState: (key: string) => boolean = () => false;

  override commit(operations: readonly StoreOperation[], options?: CommitOptions): Promise<CommitResult> {
    if (this.failCommit(operations)) return Promise.reject(new StoreError("Cannot write: busy"));
    return super.commit(operations, options);
  }

  override getState(key: string): Promise<StateEntry | undefined> {
    if (this.failGetState(key)) return Promise.reject(new StoreError("Cannot read: busy"));
    return super.getState(key);
  }
}

interface Scene {
  readonly clock: ManualClock;
  readonly store: FailingStore;
  readonly chat: ScriptedCommunicator;
  readonly app: Application;
}

async function scene(script: readonly ScriptStep[] = [], config: Record<string, unknown> = {}): Promise<Scene> {
  const clock = new ManualClock();
  const store = new FailingStore({ clock });
  const chat = new ScriptedCommunicator("chat", { now: () => clock.now(), script });
  const app = await Application.create({
    communications: {
      enabled: true,
      backends: {
        chat: { type: "chat", labels: ["default"], ...config },
        reach: { type: "fallback", channels: ["chat"], labels: ["page"] },
      },
    },
  }, { clock, store, random: () => 0.5, backends: [fallback, { type: "chat", create: () => chat }] });
  return { clock, store, chat, app };
}

async function stop({ app, clock }: Scene): Promise<void> {
  let over = false;
  void app.stop().then(() => over = true);
  await eventually(clock, () => over, 1_000, 100);
}

describe("SenderWorker", () => {
  it("does not take a store that fails before anything was sent for a message that may have been sent", async () => {
    const it = await scene([], { on_unknown: "hold" });
    let failures = 0;
    it.store.failCommit = (operations) =>
      operations.some((each) =>
        each.type === "append" && JSON.stringify(each.message.content).includes('"attempting"')
      ) && ++failures === 1;
    const report = await it.app.emit({ message: "hello" });
    await eventually(it.clock, () => it.chat.seen.length > 0, 100, 200);
    assert.equal(it.chat.seen[0]?.possibleDuplicate, false);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await stop(it);
  });

  it("does not send again because the store failed when the plan was read after the sending", async () => {
    const it = await scene();
    let failures = 0;
    it.store.failGetState = (key) => key.startsWith("plan/") && it.chat.seen.length > 0 && ++failures <= 2;
    const report = await it.app.emit({ message: "fire", label: "page" });
    await it.clock.advance(200_000);
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.equal(it.chat.seen.length, 1);
    await stop(it);
  });

  it("takes a backend that gives no receipt for an unknown", async () => {
    const none: ScriptStep = () => Promise.resolve(JSON.parse("null") as Receipt);
    const it = await scene([none]);
    const report = await it.app.emit({ message: "hello" });
    await eventually(it.clock, () => it.chat.seen.length === 2, 100, 100);
    await it.clock.advance(1);
    const events = await it.app.ledger.eventsOf(report.messageId);
    assert.deepEqual(events.map((event) => event.status), [
      "queued",
      "attempting",
      "unknown",
      "attempting",
      "accepted",
    ]);
    assert.equal(it.chat.seen[1]?.possibleDuplicate, true);
    await stop(it);
  });

  it("leaves an attempt behind whose backend ignores the signal, as an unknown", async () => {
    const it = await scene([() => new Promise(() => {})], { send_timeout: 10 });
    const report = await it.app.emit({ message: "hello" });
    await it.clock.advance(30_000);
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.equal(it.chat.seen[1]?.possibleDuplicate, true);
    await stop(it);
  });
});
