import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type ApplicationConfig,
  type ApplicationOptions,
  getApplication,
  init,
  type LogFields,
  ManualClock,
  MemoryStore,
  NotRunningError,
  PosthornError,
  type Receipt,
  setDefaultApplication,
  type StoreCapabilities,
  StoreError,
  type WorkQueueChannel,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

/** How long stopping may take in all (G18). */
const STOP_MS = 10_000;
const LEASE_MS = 60_000;

/** A store in memory that says it outlives the process, as it does here: the next application gets it. */
class LastingStore extends MemoryStore {
  override readonly capabilities: StoreCapabilities = { ...new MemoryStore().capabilities, durable: true };
}

interface Line {
  readonly level: string;
  readonly text: string;
  readonly fields: LogFields | undefined;
}

interface Scene {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly chat: ScriptedCommunicator;
  readonly mail: ScriptedCommunicator;
  readonly app: Application;
  readonly lines: Line[];
}

/** Two backends, chat and mail, each with a label of its name. */
function build(more: ApplicationOptions = {}, config: ApplicationConfig = {}): Scene {
  const clock = more.clock as ManualClock | undefined ?? new ManualClock();
  const store = more.store as MemoryStore | undefined ?? new MemoryStore({ clock });
  const chat = new ScriptedCommunicator("chat", { now: () => clock.now() });
  const mail = new ScriptedCommunicator("mail", { now: () => clock.now() });
  const lines: Line[] = [];
  const log = (level: string) => (text: string, fields?: LogFields): void => void lines.push({ level, text, fields });
  const app = Application.build(config, {
    clock,
    store,
    logger: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
    communicators: [{ communicator: chat, labels: ["chat"] }, { communicator: mail, labels: ["mail"] }],
    random: () => 0.5,
    ...more,
  });
  return { clock, store, chat, mail, app, lines };
}

const never = (): Promise<never> => new Promise(() => {});

/** How long a promise takes, on the virtual clock, and what it throws. */
async function timed(clock: ManualClock, work: Promise<unknown>): Promise<{ tookMs: number; error: unknown }> {
  const began = clock.monotonic();
  let over = false;
  let error: unknown;
  work.then(() => over = true, (reason: unknown) => {
    error = reason;
    over = true;
  });
  await eventually(clock, () => over, 50, 2_000);
  return { tookMs: clock.monotonic() - began, error };
}

function errorsOf(error: unknown): readonly unknown[] {
  assert.ok(error instanceof AggregateError);
  return error.errors;
}

describe("Application.start", () => {
  it("start() does not let a backend whose start hangs keep the others from sending, and says which it is", async () => {
    const { clock, chat, mail, app, lines } = build();
    let finish = (): void => {};
    const start = chat.start.bind(chat);
    chat.start = () => new Promise((resolve) => finish = () => void start().then(resolve));
    const starting = timed(clock, app.start());
    await app.emit({ message: "by chat", label: "chat" });
    await app.emit({ message: "by mail", label: "mail" });
    assert.ok((await starting).tookMs <= STOP_MS + 50);
    assert.deepEqual(mail.texts, ["by mail"]);
    assert.ok(mail.seen[0] !== undefined && mail.seen[0].at - 1_700_000_000_000 < 1_000, "mail did not wait for chat");
    assert.deepEqual(app.health().find(({ name }) => name === "chat"), {
      name: "chat",
      isStarted: false,
      isHealthy: false,
      reason: "timeout",
    });
    const line = lines.find(({ text }) => text === "backend did not start");
    assert.equal(line?.fields?.["backend"], "chat");
    // It starts after all: what waited for it is sent, and it was not started twice.
    finish();
    await eventually(clock, () => chat.texts.length === 1, 100);
    assert.equal(app.health().find(({ name }) => name === "chat")?.isHealthy, true);
    assert.equal((await timed(clock, app.stop())).error, undefined);
    assert.equal(clock.pending, 0);
  });

  it("start() called twice starts each backend once", async () => {
    const { clock, chat, app } = build();
    let starts = 0;
    const start = chat.start.bind(chat);
    chat.start = () => {
      starts++;
      return start();
    };
    await Promise.all([app.start(), app.start()]);
    await app.start();
    assert.equal(starts, 1);
    await timed(clock, app.stop());
  });

  it("create() that fails closes what it had opened, the store too", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const chat = new ScriptedCommunicator("chat");
    store.watch = () => {
      throw new StoreError("Cannot watch: busy");
    };
    const created = Application.create({}, {
      clock,
      store,
      closeStore: true,
      communicators: [{ communicator: chat }],
    });
    const { error } = await timed(clock, created);
    assert.ok(error instanceof StoreError);
    await assert.rejects(store.stats("x"), StoreError, "the store is closed");
    assert.equal(chat.isStarted, false);
    assert.equal(clock.pending, 0);
  });
});

describe("init", () => {
  it("init() called twice at once makes one application, and says so to the second", async () => {
    const { clock } = build();
    const first = init({ clock });
    await assert.rejects(init({ clock }), (error) => error instanceof PosthornError && error.code === "misuse");
    const app = await first;
    assert.equal(getApplication(), app);
    await timed(clock, app.stop());
    const again = await init({ clock });
    await timed(clock, again.stop());
    setDefaultApplication(undefined);
  });
});

describe("Application.stop", () => {
  it("stop() before start() closes the store, and is harmless twice", async () => {
    const { store, app } = build({ closeStore: true });
    await app.stop();
    await app.stop();
    await assert.rejects(store.stats("x"), StoreError);
  });

  it("stop() during a start that waits for a backend ends at once", async () => {
    const { clock, chat, mail, app } = build();
    chat.start = never;
    const starting = app.start();
    await clock.advance(1);
    assert.equal(mail.isStarted, true);
    const { tookMs, error } = await timed(clock, app.stop());
    assert.ok(tookMs < 1_000, `it took ${tookMs} ms`);
    assert.equal(error, undefined);
    await starting;
    assert.equal(mail.isStarted, false);
    assert.equal(app.isRunning, false);
    assert.equal(clock.pending, 0);
  });

  it("stop() right after start() was called stops what it starts", async () => {
    const { clock, chat, app } = build();
    const starting = app.start();
    await timed(clock, app.stop());
    await starting;
    await clock.advance(60_000);
    assert.equal(chat.isStarted, false);
    assert.equal(app.isRunning, false);
    assert.equal(clock.pending, 0);
  });

  it("stop() during a start that fails ends when everything is closed", async () => {
    const { clock, store, app } = build({ closeStore: true });
    app.inbox.start = () => clock.sleep(100).then(() => Promise.reject(new StoreError("Cannot open: busy")));
    const starting = assert.rejects(app.start(), StoreError);
    await clock.advance(1);
    const { error } = await timed(clock, app.stop());
    assert.equal(error, undefined);
    await starting;
    await assert.rejects(store.stats("x"), StoreError);
    assert.equal(clock.pending, 0);
  });

  it("[Symbol.asyncDispose]() stops", async () => {
    const { clock, chat, app } = build();
    await app.start();
    await timed(clock, app[Symbol.asyncDispose]());
    assert.equal(chat.isStarted, false);
  });

  it("stop() does not wait for ever for a backend whose stop hangs, and names it", async () => {
    const { clock, store, chat, mail, app, lines } = build({ closeStore: true });
    chat.stop = never;
    await app.start();
    const { tookMs, error } = await timed(clock, app.stop());
    assert.ok(tookMs <= STOP_MS, `it took ${tookMs} ms`);
    const [late, ...others] = errorsOf(error);
    assert.ok(late instanceof PosthornError && late.code === "timeout" && late.message.includes('"chat"'));
    assert.deepEqual(others, []);
    assert.equal(lines.find(({ text }) => text === "backend did not stop")?.fields?.["backend"], "chat");
    assert.equal(mail.isStarted, false);
    await assert.rejects(store.stats("x"), StoreError, "the store is closed all the same");
  });

  it("stop() takes 10 seconds in all, whatever hangs, and leaves what was not finished to the next start", async () => {
    const clock = new ManualClock();
    const store = new LastingStore({ clock });
    const first = build({ clock, store }, { channels: { jobs: { type: "work_queue" } } });
    const { chat, mail, app } = first;
    app.messenger.route(never);
    chat.script.push(never as () => Promise<Receipt>);
    mail.stop = never;
    await app.start();
    await app.emit({ message: "in flight", label: "chat" });
    await chat.receive([said("1", "ann", "hello")]);
    await eventually(clock, () => chat.seen.length === 1);
    await clock.advance(100);
    const { tookMs, error } = await timed(clock, app.stop());
    assert.ok(tookMs <= STOP_MS, `it took ${tookMs} ms`);
    assert.ok(errorsOf(error).some((each) => each instanceof PosthornError && each.message.includes('"mail"')));
    const waiting = first.lines.filter(({ text }) => text.includes("wait for the next start"));
    assert.deepEqual(waiting.map(({ fields }) => fields), [{ count: 1 }, { backend: "chat", count: 1 }]);
    const next = build({ clock, store });
    const heard: string[] = [];
    next.app.messenger.route(({ message }) => void heard.push(message.text));
    await next.app.start();
    await eventually(clock, () => heard.length === 1 && next.chat.seen.length === 1, 1_000);
    assert.deepEqual(heard, ["hello"]);
    assert.deepEqual(next.chat.seen.map(({ text, possibleDuplicate }) => [text, possibleDuplicate]), [[
      "in flight",
      true,
    ]]);
    assert.equal((await timed(clock, next.app.stop())).error, undefined);
    await clock.advance(LEASE_MS);
  });

  it("stop() tells the handlers of the program's own queues to end, and takes no longer for them", async () => {
    const { clock, app } = build({}, { channels: { jobs: { type: "work_queue" } } });
    await app.start();
    const jobs = app.channels.get("jobs") as WorkQueueChannel;
    await jobs.write("scheduler", 1);
    let toldAt = 0;
    let begun = false;
    jobs.consume("worker", (_job, { signal }) => {
      begun = true;
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          toldAt = clock.monotonic();
          reject(signal.reason);
        });
      });
    });
    await eventually(clock, () => begun);
    const began = clock.monotonic();
    const { tookMs, error } = await timed(clock, app.stop());
    assert.equal(error, undefined);
    assert.ok(toldAt - began <= STOP_MS / 2, `told after ${toldAt - began} ms`);
    assert.ok(tookMs <= STOP_MS, `it took ${tookMs} ms`);
    assert.equal(clock.pending, 0);
  });

  it("stop() obeys drain_timeout, in all", async () => {
    const { clock, chat, app } = build({}, { outbox: { drain_timeout: 2 } });
    app.messenger.route(never);
    chat.stop = never;
    await app.start();
    await chat.receive([said("1", "ann", "hello")]);
    await clock.advance(100);
    const { tookMs } = await timed(clock, app.stop());
    assert.ok(tookMs <= 2_000, `it took ${tookMs} ms`);
  });

  it("stop() takes nothing in any more, and handles what a store in memory has taken in", async () => {
    const { clock, store, chat, app } = build({}, { inbox: { concurrency: 1 } });
    const heard: string[] = [];
    app.messenger.route(async (context) => {
      await clock.sleep(100);
      heard.push(context.message.text);
      context.reply(`re: ${context.message.text}`);
    });
    await app.start();
    await chat.receive([said("1", "ann", "a"), said("2", "bob", "b"), said("3", "eve", "c")]);
    const stopping = timed(clock, app.stop());
    await assert.rejects(chat.receive([said("4", "dan", "d")]), NotRunningError);
    assert.equal((await stopping).error, undefined);
    assert.deepEqual(heard, ["a", "b", "c"]);
    assert.deepEqual(chat.texts, ["re: a", "re: b", "re: c"]);
    assert.equal((await store.stats("default:inbox")).stored, 0);
  });

  it("stop() waits for messages that are being taken in", async () => {
    const { clock, store, chat, app } = build();
    const heard: string[] = [];
    app.messenger.route(({ message }) => void heard.push(message.text));
    await app.start();
    const commit = store.commit.bind(store);
    store.commit = async (...parameters) => {
      await clock.sleep(200);
      return await commit(...parameters);
    };
    const received = chat.receive([said("1", "ann", "a")]);
    await clock.advance(1);
    await timed(clock, app.stop());
    await received;
    assert.deepEqual(heard, ["a"]);
  });

  it("stop() refuses what is emitted when nobody would send it any more", async () => {
    const { clock, chat, app } = build();
    const stop = chat.stop.bind(chat);
    let refused: unknown;
    chat.stop = async () => {
      await app.emit({ message: "too late", label: "mail" }).catch((error: unknown) => refused = error);
      await stop();
    };
    await app.start();
    await timed(clock, app.stop());
    assert.ok(refused instanceof NotRunningError);
  });

  it("stop() says what a store in memory loses", async () => {
    const { clock, chat, app, lines } = build();
    await app.start();
    app.messenger.route(() => Promise.reject(new Error("no")));
    await chat.receive([said("1", "ann", "a")]);
    await app.emit({ message: "tomorrow", label: "mail", notBefore: clock.now() + 86_400_000 });
    await clock.advance(10);
    await timed(clock, app.stop());
    const lost = lines.filter(({ level, text }) => level === "error" && text.includes("end with the process"));
    assert.deepEqual(lost.map(({ fields }) => fields), [{ count: 1 }, { backend: "mail", count: 1 }]);
  });
});
