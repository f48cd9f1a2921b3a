import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { createApplication, httpOptionsFrom, prepareApplication } from "../../adapters/app/mod.ts";
import { createHttpApp } from "../../adapters/http/mod.ts";
import { TelegramCommunicator } from "../../adapters/telegram/mod.ts";
import { NtfyCommunicator } from "../../adapters/webhook/mod.ts";
import {
  Application,
  type ApplicationConfig,
  type ApplicationOptions,
  type Communicator,
  ConfigError,
  type DispatchReport,
  type LogFields,
  type Logger,
  ManualClock,
  MemoryStore,
  PosthornError,
  QueueFullError,
  RoutingError,
} from "../../core/mod.ts";
import { ScriptedCommunicator, type ScriptStep } from "../support/scripted-communicator.ts";

const BEARER = { authorization: "Bearer a-token-of-the-api" };

interface Scene {
  readonly app: Application;
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly chat: ScriptedCommunicator;
  readonly log: readonly { readonly level: string; readonly text: string; readonly fields: LogFields | undefined }[];
  /** Asks over HTTP, with the token. */
  readonly ask: (path: string, body?: unknown) => Promise<Response>;
}

async function setUp(
  config: ApplicationConfig = {},
  communicators: readonly Communicator[] = [],
  more: ApplicationOptions = {},
): Promise<Scene> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const log: { readonly level: string; readonly text: string; readonly fields: LogFields | undefined }[] = [];
  const line = (level: string) => (text: string, fields?: LogFields): void => void log.push({ level, text, fields });
  const logger: Logger = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  const chat = new ScriptedCommunicator("chat", { now: () => clock.now() });
  const app = await Application.create(config, {
    clock,
    store,
    logger,
    communicators: [chat, ...communicators].map((communicator) => ({ communicator, labels: [communicator.name] })),
    ...more,
  });
  const http = createHttpApp(app, { token: "a-token-of-the-api" });
  const ask = async (path: string, body?: unknown): Promise<Response> =>
    await http.request(`http://127.0.0.1${path}`, {
      headers: BEARER,
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
  return { app, clock, store, chat, log, ask };
}

async function stop({ app, clock }: Scene): Promise<void> {
  const stopped = app.stop();
  for (let turn = 0; turn < 40; turn++) await clock.advance(1_000);
  await stopped;
}

/** What the ledger says of the only delivery of a report, step by step. */
async function stepsOf(app: Application, { messageId }: DispatchReport): Promise<readonly string[]> {
  return (await app.ledger.eventsOf(messageId)).map(({ status, reason }) =>
    reason === undefined ? status : `${status} ${reason}`
  );
}

describe("nothing is dropped in silence (G15)", () => {
  it("a label that nobody takes is in the report, in the log and in the answer (P1)", async () => {
    const scene = await setUp();
    const report = await scene.app.emit({ message: "x", label: "chatt" });
    assert.deepEqual(report.deliveries, []);
    assert.equal(report.undelivered[0]?.reason, "unknown-label");
    assert.match(report.undelivered[0]?.detail ?? "", /did you mean "chat"\?/);
    assert.deepEqual(scene.log.filter(({ level }) => level === "warn").map(({ text }) => text), [
      "message reached nobody",
    ]);
    const answer = await scene.ask("/messages", { message: "x", label: "chatt" });
    assert.equal(answer.status, 422);
    const { undelivered } = await answer.json();
    assert.equal(undelivered[0]?.reason, "unknown-label");
    await stop(scene);
  });

  it("a message that is too mild for every backend of its label says so", async () => {
    const scene = await setUp(
      {
        communications: { enabled: true, backends: { loud: { type: "x", labels: ["loud"], min_severity: "error" } } },
      },
      [],
      { backends: [{ type: "x", create: (name) => new ScriptedCommunicator(name) }] },
    );
    const report = await scene.app.emit({ message: "x", label: "loud" });
    assert.deepEqual([report.deliveries.length, report.undelivered[0]?.reason], [0, "severity"]);
    await stop(scene);
  });

  it("a backend of an unknown or misspelt type is refused before anything starts; none takes its place (P5)", async () => {
    const text =
      'communications: { enabled: true, backends: { a: { type: telegramm, token: "1:a" }, b: { type: noop } } }';
    await assert.rejects(createApplication(text, { env: {} }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /backends\.a\.type: unknown backend type; did you mean "telegram"\?/);
      return true;
    });
  });

  it("a message without a recipient says which backend has none (P16)", async () => {
    const text =
      "communications: { enabled: true, backends: { mail: { type: email, host: localhost, start_tls: true, " +
      "from_address: a@example.com, labels: [mail] } } }";
    const { config } = await prepareApplication(text, { env: {} });
    const app = await createApplication(text, { env: {} });
    const report = await app.emit({ message: "x", label: "mail" });
    assert.deepEqual(report.deliveries, []);
    assert.deepEqual(report.undelivered.map(({ reason, backendName }) => [reason, backendName]), [
      ["no-recipient", "mail"],
    ]);
    assert.equal(httpOptionsFrom(config).allowRecipients, undefined);
    await app.stop();
  });

  it("a chat that is not configured, or not active, is no success (P12)", async () => {
    const telegram = new TelegramCommunicator("tg", {
      token: "1:a",
      chats: { asleep: { chatId: "1", active: false } },
      fetch: () => assert.fail("nothing may be sent"),
    });
    const scene = await setUp({}, [], {
      communicators: [{ communicator: telegram, labels: ["*"] }],
    });
    const none = await scene.app.emit({ message: "x", label: "awake" });
    assert.deepEqual(none.undelivered.map(({ reason }) => reason), ["no-recipient"]);
    const asleep = await scene.app.emit({ message: "x", label: "asleep" });
    await scene.clock.advance(1_000);
    assert.deepEqual((await stepsOf(scene.app, asleep)).slice(-1), ["skipped"]);
    assert.deepEqual((await asleep.settled()).map(({ status }) => status), ["skipped"]);
    await stop(scene);
  });

  it("a backend that is not started keeps its messages, is not ready, and is started again and again (P4)", async () => {
    let starts = 0;
    class Late extends ScriptedCommunicator {
      override start(): Promise<void> {
        return ++starts < 4 ? Promise.reject(new Error("not yet")) : super.start();
      }
    }
    const late = new Late("late");
    const scene = await setUp({}, [late]);
    await scene.clock.advance(10);
    const report = await scene.app.emit({ message: "x", label: "late" });
    await scene.clock.advance(10);
    assert.deepEqual(await stepsOf(scene.app, report), ["queued"]);
    assert.deepEqual(scene.app.health().filter(({ isHealthy }) => !isHealthy).map(({ name }) => name), ["late"]);
    assert.equal((await scene.ask("/readyz")).status, 503);
    for (let second = 0; second < 60; second++) await scene.clock.advance(1_000);
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.equal((await scene.ask("/readyz")).status, 200);
    await stop(scene);
  });

  it("without an outbox, a backend that is not started, or throws, is in the report (P1)", async () => {
    class Broken extends ScriptedCommunicator {
      override start(): Promise<void> {
        return Promise.reject(new Error("never"));
      }
    }
    const scene = await setUp({ outbox: { enabled: false } }, [new Broken("broken")]);
    scene.chat.script.push(new Error("a fault"));
    const broken = await scene.app.emit({ message: "x", label: "broken" });
    assert.deepEqual(broken.deliveries.map(({ status }) => status), ["rejected"]);
    const threw = await scene.app.emit({ message: "x", label: "chat" });
    assert.deepEqual(threw.deliveries.map(({ status }) => status), ["unknown"]);
    await stop(scene);
  });

  it("a queue that is full refuses with a typed error, and over HTTP with 429 and Retry-After; half of it is never queued (P6)", async () => {
    const never: ScriptStep = () => new Promise(() => {});
    const scene = await setUp({ outbox: { max_queued: 3, concurrency: 1, send_timeout: 100 } });
    scene.chat.script.push(never);
    for (let count = 0; count < 2; count++) await scene.app.emit({ message: "x", label: "chat" });
    const four = { message: "x", label: "chat", recipients: ["a", "b"] };
    await assert.rejects(scene.app.emit({ ...four, id: "full" }), QueueFullError);
    assert.deepEqual(await scene.app.ledger.eventsOf("full"), []);
    await scene.app.emit({ message: "x", label: "chat" });
    const answer = await scene.ask("/messages", { message: "x", label: "chat" });
    assert.equal(answer.status, 429);
    assert.ok(Number(answer.headers.get("retry-after")) >= 1);
    await stop(scene);
  });

  it("a file that a network cannot carry is refused, and kept with the reason (L9)", async () => {
    const ntfy = new NtfyCommunicator("ntfy", { topic: "t", fetch: () => assert.fail("nothing may be sent") });
    const scene = await setUp({}, [ntfy]);
    const file = { filename: "a", contentType: "text/plain", bytes: Uint8Array.of(1) };
    const report = await scene.app.emit({ message: "x", label: "ntfy", attachments: [file] });
    await scene.clock.advance(10);
    assert.deepEqual((await stepsOf(scene.app, report)).slice(-2), ["rejected unsupported", "dead unsupported"]);
    const [dead] = await scene.app.outbox.deadLetters();
    assert.equal(dead?.letter.dead.reason, "unsupported");
    await stop(scene);
  });

  it("an address on no backend is an error, with or without an application around it (L6, L7)", async () => {
    const scene = await setUp({}, [new ScriptedCommunicator("other")]);
    await assert.rejects(scene.app.messenger.sendMsg("x", "whatsapp:4711"), RoutingError);
    await assert.rejects(scene.app.messenger.sendMsg("x", "4711"), RoutingError);
    await assert.rejects(scene.app.messenger.sendMsg("x"), RoutingError);
    assert.equal(scene.chat.seen.length, 0);
    await stop(scene);
  });

  it("a message that has expired is a dead letter", async () => {
    const scene = await setUp();
    const at = scene.clock.now();
    const report = await scene.app.emit({ message: "x", label: "chat", notBefore: at + 2_000, expiresAt: at + 1_000 });
    await scene.clock.advance(5_000);
    assert.deepEqual((await stepsOf(scene.app, report)).slice(-1), ["dead expired"]);
    assert.equal((await scene.app.outbox.deadLetters()).length, 1);
    assert.deepEqual(scene.chat.seen, []);
    await stop(scene);
  });

  it("a row of the outbox that nobody can read is kept as it is", async () => {
    const scene = await setUp();
    const queue = await scene.app.outbox.queue("chat");
    await Reflect.apply(queue.write, queue, ["somebody", { not: "a row" }, { id: "odd" }]);
    await scene.clock.advance(1_000);
    const dead = await queue.deadLetters();
    assert.deepEqual(dead.map(({ id, dead: { reason } }) => [id, reason]), [["odd", "unreadable"]]);
    assert.ok(scene.log.some(({ level, text }) => level === "error" && text === "outbox row cannot be read"));
    await stop(scene);
  });

  it("deliveries of a backend that was taken out of the configuration are shown, and sent once it is back", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const backends = [{ type: "x", create: (name: string) => new ScriptedCommunicator(name) }];
    const config = { communications: { enabled: true, backends: { gone: { type: "x" } } } };
    const options = { clock, store, backends, closeStore: false, mode: "pump" as const };
    const before = await Application.create(config, options);
    const report = await before.emit({ message: "x" });
    await before.stop();
    const without = await setUp({}, [], { ...options, store });
    assert.deepEqual(without.app.health().filter(({ name }) => name === "gone").map(({ reason }) => reason), [
      "not-configured",
    ]);
    assert.ok(without.log.some(({ text }) => text === "deliveries wait for a backend that is not configured"));
    await without.app.stop();
    const back = await Application.create(config, options);
    await back.pump();
    assert.deepEqual((await stepsOf(back, report)).slice(-1), ["accepted"]);
    await back.stop();
    await store.close();
  });

  it("what a store in memory still holds when the application stops is said, with its number (P7, L1)", async () => {
    const scene = await setUp({ outbox: { drain_timeout: 1 } });
    await scene.app.emit({ message: "x", label: "chat", notBefore: scene.clock.now() + 3_600_000 });
    await stop(scene);
    const [line] = scene.log.filter(({ text }) => text === "messages were not sent and end with the process");
    assert.deepEqual([line?.level, line?.fields?.["count"]], ["error", 1]);
  });

  it("an application that has stopped says so: a typed error, and 503 with Retry-After, not 429 (S33)", async () => {
    for (const closeStore of [true, false]) {
      const scene = await setUp({ channels: { jobs: { type: "work_queue" } } }, [], { closeStore });
      await stop(scene);
      if (closeStore) await assert.rejects(scene.app.emit({ message: "x", label: "chat" }), PosthornError);
      const asked: readonly (readonly [string, unknown])[] = [
        ["/messages", { message: "x", label: "chat" }],
        ["/channels/jobs/messages", { content: 1 }],
      ];
      for (const [path, body] of asked) {
        const answer = await scene.ask(path, body);
        assert.equal(answer.status, 503, path);
        assert.ok(Number(answer.headers.get("retry-after")) >= 1, path);
      }
    }
  });
});
