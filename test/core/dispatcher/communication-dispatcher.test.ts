import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  CommunicationDispatcher,
  type Communicator,
  ConfigError,
  FallbackCommunicator,
  FunctionalEventSubscriber,
  IncomingPublisher,
  noOp,
  NoOpCommunicator,
  NotRunningError,
  type OutgoingMessage,
  QueueEventSubscriber,
  type Receipt,
  RoutingError,
  type SendContext,
  TrackingEventSubscriber,
  ValidationError,
} from "../../../core/mod.ts";
import { LOST, REFUSED, said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

async function dispatcherWith(
  ...routes: readonly (readonly [Communicator, readonly string[]])[]
): Promise<CommunicationDispatcher> {
  const dispatcher = new CommunicationDispatcher();
  for (const [communicator, labels] of routes) dispatcher.register(communicator, labels);
  await dispatcher.startAll();
  return dispatcher;
}

describe("CommunicationDispatcher.emit", () => {
  it("reaches every backend of the label, and no other", async () => {
    const [a, b, c] = [new ScriptedCommunicator("a"), new ScriptedCommunicator("b"), new ScriptedCommunicator("c")];
    const dispatcher = await dispatcherWith([a, ["alerts"]], [b, ["alerts", "default"]], [c, ["other"]]);
    const report = await dispatcher.emit({ message: "fire", label: "alerts" });
    assert.deepEqual(report.deliveries.map((entry) => [entry.backendName, entry.status]), [["a", "accepted"], [
      "b",
      "accepted",
    ]]);
    assert.deepEqual([a.texts, b.texts, c.texts], [["fire"], ["fire"], []]);
  });

  it("says why a label reaches nobody, with the nearest known one (P1)", async () => {
    const dispatcher = await dispatcherWith([new ScriptedCommunicator("a"), ["alerts"]]);
    const report = await dispatcher.emit({ message: "fire", label: "alert" });
    assert.deepEqual(report.deliveries, []);
    assert.equal(report.undelivered[0]?.reason, "unknown-label");
    assert.match(report.undelivered[0]?.detail ?? "", /did you mean "alerts"/);
  });

  it("takes * for every label", async () => {
    const all = new ScriptedCommunicator("all");
    const dispatcher = await dispatcherWith([all, ["*"]]);
    await dispatcher.emit({ message: "x", label: "whatever" });
    assert.deepEqual(all.texts, ["x"]);
  });

  it("keeps milder messages from a backend with a minimum, and says so", async () => {
    const dispatcher = new CommunicationDispatcher();
    const pager = new ScriptedCommunicator("pager");
    dispatcher.register(pager, { labels: ["alerts"], minSeverity: "error" });
    await dispatcher.startAll();
    const mild = await dispatcher.emit({ message: "m", label: "alerts", severity: "warning" });
    assert.equal(mild.undelivered[0]?.reason, "severity");
    const bad = await dispatcher.emit({ message: "b", label: "alerts", severity: "critical" });
    assert.deepEqual(bad.undelivered, []);
    assert.deepEqual(pager.texts, ["b"]);
  });

  it("gives one entry per recipient, with the outcome of each", async () => {
    const a = new ScriptedCommunicator("a");
    const byRecipient = (_message: OutgoingMessage, { recipient }: SendContext): Promise<Receipt> => {
      if (recipient === "r3") return Promise.reject(new Error("boom"));
      return Promise.resolve(recipient === "r1" ? REFUSED : recipient === "r2" ? LOST : { outcome: "accepted" });
    };
    a.script.push(byRecipient, byRecipient, byRecipient, byRecipient);
    const dispatcher = await dispatcherWith([a, ["default"]]);
    const report = await dispatcher.emit({ message: "x", metadata: { recipients: ["r1", "r2", "r3", "r4"] } });
    assert.deepEqual(report.deliveries.map((entry) => [entry.recipient, entry.status]), [
      ["r1", "rejected"],
      ["r2", "unknown"],
      ["r3", "unknown"],
      ["r4", "accepted"],
    ]);
    assert.equal(new Set(report.deliveries.map((entry) => entry.deliveryId)).size, 4);
  });

  it("reports a backend that is not started, and one whose start failed keeps nobody else from starting", async () => {
    class Broken extends ScriptedCommunicator {
      override start(): Promise<void> {
        return Promise.reject(new Error("no network"));
      }
    }
    const dispatcher = new CommunicationDispatcher();
    dispatcher.register(new Broken("broken"));
    dispatcher.register(new ScriptedCommunicator("fine"));
    const started = await dispatcher.startAll();
    assert.deepEqual(started.started, ["fine"]);
    assert.deepEqual(started.failed.map((each) => each.backendName), ["broken"]);
    const report = await dispatcher.emit({ message: "x" });
    assert.deepEqual(report.deliveries.map((entry) => entry.status), ["rejected", "accepted"]);
  });

  it("sends to all at the same time: a slow one delays nobody (P2)", async () => {
    let release: () => void = () => {};
    const slow = new ScriptedCommunicator("slow");
    slow.script.push(() => new Promise((resolve) => release = () => resolve({ outcome: "accepted" })));
    const quick = new ScriptedCommunicator("quick");
    const dispatcher = await dispatcherWith([slow, ["default"]], [quick, ["default"]]);
    const emitted = dispatcher.emit({ message: "x" });
    await Promise.resolve();
    assert.deepEqual(quick.texts, ["x"]);
    release();
    await emitted;
  });

  it("refuses what is no message, naming the field and its kind", async () => {
    const dispatcher = new CommunicationDispatcher();
    const wrong: readonly (readonly [string, unknown])[] = [
      ["message", { message: 7 }],
      ["message", { message: "" }],
      ["message", { message: "a\u0000b" }],
      ["label", { message: "x", label: 7 }],
      ["severity", { message: "x", severity: "bad" }],
      ["subject", { message: "x", subject: "a\r\nBcc: eve@example.com" }],
      ["recipients", { message: "x", recipients: 5 }],
      ["recipients[0]", { message: "x", recipients: [5] }],
      ["metadata", { message: "x", metadata: [] }],
      ["metadata.f", { message: "x", metadata: { f: () => {} } }],
      ["notBefore", { message: "x", notBefore: "soon" }],
      ["attachments[0]", { message: "x", attachments: [{ filename: "a", contentType: "b" }] }],
      ["colour", { message: "x", colour: "red" }],
    ];
    for (const [argument, init] of wrong) {
      await assert.rejects(dispatcher.emit(init as never), (error: unknown) => {
        assert.ok(error instanceof ValidationError, argument);
        assert.equal(error.argument, argument);
        return true;
      });
    }
  });

  it("refuses a name that is taken (P3)", () => {
    const dispatcher = new CommunicationDispatcher();
    dispatcher.register(new NoOpCommunicator("a"));
    assert.throws(() => dispatcher.register(new NoOpCommunicator("a")), RoutingError);
  });
});

describe("CommunicationDispatcher.explain", () => {
  it("says which backends a message would reach, and why not the others, and sends nothing", async () => {
    const a = new ScriptedCommunicator("a");
    const dispatcher = await dispatcherWith([a, ["alerts"]], [new ScriptedCommunicator("b"), ["other"]]);
    const explanation = dispatcher.explain({ message: "x", label: "alerts", recipients: ["r"] });
    assert.deepEqual(explanation.reaches, [{ backendName: "a", isStarted: true, destinations: [{ recipient: "r" }] }]);
    assert.deepEqual(explanation.others.map((other) => [other.backendName, other.reason]), [["b", "label"]]);
    assert.deepEqual(a.texts, []);
  });

  it("shows the channels of a group in their order, what would be left out and why, and groups within", async () => {
    const [chat, mail, pager] = ["chat", "mail", "pager"].map((name) => new ScriptedCommunicator(name));
    assert.ok(chat && mail && pager);
    const inner = new FallbackCommunicator("inner", { channels: [mail, pager], policy: "parallel", confirm: "read" });
    const group = new FallbackCommunicator("reach", { channels: [chat, inner], withinMs: 60_000 });
    const dispatcher = await dispatcherWith([group, ["page"]]);
    const { reaches: [reach] } = dispatcher.explain({
      message: "x",
      label: "page",
      recipients: ["mail:a@example.com", "mail:b@example.com", "chat:7"],
    });
    assert.deepEqual(reach?.group, {
      policy: "ordered",
      confirm: "accepted",
      withinMs: 60_000,
      channels: [
        { backendName: "chat", isStarted: false, destinations: [{ recipient: "7" }] },
        {
          backendName: "inner",
          isStarted: false,
          destinations: [],
          group: {
            policy: "parallel",
            confirm: "read",
            channels: [
              {
                backendName: "mail",
                isStarted: false,
                destinations: [{ recipient: "a@example.com" }, { recipient: "b@example.com" }],
              },
              {
                backendName: "pager",
                isStarted: false,
                destinations: [],
                skip: "no recipient is meant for this channel",
              },
            ],
          },
        },
      ],
    });
    const nobody = dispatcher.explain({ message: "x", label: "page", recipients: ["a@example.com"] });
    assert.deepEqual(nobody.reaches, []);
    assert.deepEqual(nobody.others.map(({ reason, detail }) => [reason, detail]), [[
      "no-recipient",
      'none of its channels has a recipient for this message; name one as "backend:address"',
    ]]);
    assert.deepEqual(chat.texts, []);
  });
});

describe("Application.create", () => {
  it("starts nothing when communications are not enabled", async () => {
    const backends = { a: { type: "noop" } };
    for (const communications of [{ backends }, { enabled: false, backends }]) {
      const app = await Application.create({ communications }, { backends: [noOp] });
      assert.equal(app.communicators.size, 0);
      const report = await app.emit({ message: "x" });
      assert.equal(report.undelivered[0]?.reason, "unknown-label");
      await app.stop();
    }
  });

  it("refuses an unknown type with the nearest known, everything wrong at once (P5)", async () => {
    const config = {
      communications: {
        enabled: true,
        backends: { a: { type: "nop" }, b: { type: "zzz" }, c: { type: "noop", retry: 3 } },
      },
    };
    await assert.rejects(Application.create(config, { backends: [noOp] }), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.issues.map((issue) => issue.path), [
        "communications.backends.a.type",
        "communications.backends.b.type",
        "communications.backends.c.retry",
      ]);
      assert.match(error.issues[0]?.message ?? "", /did you mean "noop"/);
      return true;
    });
  });

  it("leaves a backend out that says enabled: false", async () => {
    const config = {
      communications: { enabled: true, backends: { a: { type: "noop", enabled: false }, b: { type: "noop" } } },
    };
    const app = await Application.create(config, { backends: [noOp] });
    assert.deepEqual([...app.communicators.keys()], ["b"]);
    await app.stop();
  });
});

describe("IncomingPublisher", () => {
  it("is an EventTarget whose throwing listeners end nothing", () => {
    const publisher = new IncomingPublisher();
    const heard: string[] = [];
    publisher.addEventListener("message", () => {
      throw new Error("bad");
    });
    publisher.addEventListener("message", (event) => void heard.push("data" in event ? "data" : "none"), {
      once: true,
    });
    publisher.publish(said("1", "a", "x"));
    publisher.publish(said("2", "a", "y"));
    assert.deepEqual(heard, ["data"]);
  });

  it("lets a listener subscribe and end while it publishes", () => {
    const publisher = new IncomingPublisher();
    const heard: string[] = [];
    const end = publisher.subscribe(() => {
      heard.push("first");
      end();
      publisher.subscribe(() => void heard.push("second"));
    });
    publisher.publish(said("1", "a", "x"));
    publisher.publish(said("2", "a", "y"));
    assert.deepEqual(heard, ["first", "second"]);
  });
});

describe("subscribers", () => {
  it("FunctionalEventSubscriber calls its functions, a throwing one hurting no other", async () => {
    const publisher = new IncomingPublisher();
    const subscriber = new FunctionalEventSubscriber({ name: "f" });
    const heard: string[] = [];
    subscriber.onEvent(() => {
      throw new Error("bad");
    });
    subscriber.onEvent((event) => void heard.push(event.data.text));
    subscriber.subscribe(publisher);
    subscriber.subscribe(publisher);
    publisher.publish(said("1", "a", "x"));
    await Promise.resolve();
    assert.deepEqual(heard, ["x"]);
    subscriber.unsubscribe();
    publisher.publish(said("2", "a", "y"));
    assert.deepEqual(heard, ["x"]);
  });

  it("TrackingEventSubscriber keeps the latest", () => {
    const publisher = new IncomingPublisher();
    const tracker = new TrackingEventSubscriber({ name: "t", maxEvents: 3 });
    tracker.subscribe(publisher);
    for (let index = 0; index < 10; index++) publisher.publish(said(`${index}`, "a", `${index}`));
    assert.deepEqual(tracker.events.map((event) => event.data.text), ["7", "8", "9"]);
  });

  it("QueueEventSubscriber hands over in order, bounded, with the overflow it was told", async () => {
    for (const overflow of ["error", "drop-oldest", "drop-newest"] as const) {
      const publisher = new IncomingPublisher();
      const queue = new QueueEventSubscriber({ name: "q", maxSize: 2, overflow });
      queue.subscribe(publisher);
      for (let index = 0; index < 4; index++) publisher.publish(said(`${index}`, "a", `${index}`));
      assert.equal(queue.dropped, 2);
      const kept = [(await queue.get()).data.text, (await queue.get()).data.text];
      assert.deepEqual(kept, overflow === "drop-oldest" ? ["2", "3"] : ["0", "1"]);
      const waiting = queue.get();
      publisher.publish(said("9", "a", "9"));
      assert.equal((await waiting).data.text, "9");
    }
  });

  it("QueueEventSubscriber.get() can be called off without losing a message", async () => {
    const publisher = new IncomingPublisher();
    const queue = new QueueEventSubscriber({ name: "q" });
    queue.subscribe(publisher);
    const controller = new AbortController();
    const waiting = queue.get({ signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    publisher.publish(said("1", "a", "x"));
    for await (const event of queue) {
      assert.equal(event.data.text, "x");
      break;
    }
  });

  it("QueueEventSubscriber lets nobody wait once it is unsubscribed, and gives first what waits in it", async () => {
    const [one, two] = [new IncomingPublisher(), new IncomingPublisher()];
    const queue = new QueueEventSubscriber({ name: "q" });
    const early = queue.get(); // before anybody is listened to
    queue.subscribe(one);
    queue.subscribe(two);
    one.publish(said("1", "a", "1"));
    assert.equal((await early).data.text, "1");
    const seen: string[] = [];
    const loop = (async () => {
      for await (const event of queue) seen.push(event.data.text);
    })();
    two.publish(said("2", "a", "2"));
    queue.unsubscribe(one);
    two.publish(said("3", "a", "3"));
    queue.unsubscribe();
    await loop;
    assert.deepEqual(seen, ["2", "3"]);
    await assert.rejects(queue.get(), NotRunningError);
    queue.subscribe(one);
    const again = queue.get();
    one.publish(said("4", "a", "4"));
    assert.equal((await again).data.text, "4");
    const waiting = queue.get();
    queue.unsubscribe();
    await assert.rejects(waiting, NotRunningError);
  });
});
