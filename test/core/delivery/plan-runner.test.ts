import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, ManualClock, MemoryStore } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { scene, stop, texts } from "../../support/plan-scene.ts";
import {
  BUSY,
  LOST,
  REFUSED,
  said,
  ScriptedCommunicator,
  type ScriptStep,
} from "../../support/scripted-communicator.ts";

describe("a fallback group", () => {
  it("stops at the first channel that takes it", async () => {
    const it = await scene();
    const report = await it.app.emit({ message: "fire", label: "page" });
    assert.deepEqual(report.deliveries.map((entry) => [entry.backendName, entry.status]), [["reach", "queued"]]);
    await eventually(it.clock, () => it.chat.seen.length === 1);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await it.clock.advance(60_000);
    assert.deepEqual(texts(it), [["fire"], [], []]);
    await stop(it);
  });

  it("goes on after a definite failure, and not before it", async () => {
    const it = await scene({ chat: [REFUSED], mail: [BUSY, BUSY, BUSY] });
    const report = await it.app.emit({ message: "fire", label: "page" });
    await eventually(it.clock, () => it.phone.seen.length === 1, 100);
    assert.deepEqual(texts(it), [["fire"], ["fire", "fire", "fire"], ["fire"]]);
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.equal(
      (await it.app.outbox.deadLetters()).length,
      0,
      "a step that failed is no dead letter while the plan goes on",
    );
    await stop(it);
  });

  it("says so when all are exhausted", async () => {
    const it = await scene({ chat: [REFUSED], mail: [REFUSED], phone: [REFUSED] });
    const report = await it.app.emit({ message: "fire", label: "page" });
    await eventually(it.clock, () => it.phone.seen.length === 1);
    const [settled] = await report.settled();
    assert.deepEqual([settled?.status, settled?.reason], ["dead", "exhausted"]);
    await stop(it);
  });

  it("never goes to another channel after an unknown, unless told to", async () => {
    const it = await scene({ chat: [LOST, LOST, LOST] });
    const report = await it.app.emit({ message: "fire", label: "page" });
    await eventually(it.clock, () => it.chat.seen.length === 3, 1_000);
    await it.clock.advance(120_000);
    assert.deepEqual(texts(it), [["fire", "fire", "fire"], [], []]);
    const [settled] = await report.settled();
    assert.deepEqual([settled?.status, settled?.reason], ["dead", "unknown"]);
    await stop(it);
    const told = await scene({ chat: [LOST] }, {}, { on_unknown: "fallback" });
    await told.app.emit({ message: "fire", label: "page" });
    await eventually(told.clock, () => told.mail.seen.length === 1);
    assert.deepEqual(texts(told), [["fire"], ["fire"], []]);
    await stop(told);
  });

  it("sends to all at once with policy parallel, and calls off what has not been sent", async () => {
    const it = await scene({ chat: [BUSY], mail: [BUSY] }, { policy: "parallel" });
    await it.app.emit({ message: "fire", label: "page" });
    await eventually(it.clock, () => it.phone.seen.length === 1);
    await it.clock.advance(120_000);
    assert.deepEqual(texts(it), [["fire"], ["fire"], ["fire"]]);
    await stop(it);
  });

  it("escalates when no receipt comes in time, and a late receipt calls off what has not been sent", async () => {
    const it = await scene({ mail: [BUSY] }, { confirm: "delivered", within: 300 });
    const report = await it.app.emit({ message: "fire", label: "page" });
    await eventually(it.clock, () => it.chat.seen.length === 1);
    await it.clock.advance(299_000);
    assert.deepEqual(texts(it), [["fire"], [], []]);
    await eventually(it.clock, () => it.mail.seen.length === 1, 100);
    await it.chat.receiveReceipts([{ providerMessageId: "p1", status: "delivered", timestamp: it.clock.now() }]);
    await it.clock.advance(1_200_000);
    assert.deepEqual(texts(it), [["fire"], ["fire"], []]);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await stop(it);
  });

  it("takes a reply for a confirmation", async () => {
    const it = await scene({}, { confirm: "read", within: 60 });
    const report = await it.app.emit({
      message: "fire",
      label: "page",
      recipients: ["chat:ann", "mail:ann@example.com"],
    });
    await eventually(it.clock, () => it.chat.seen.length === 1);
    await it.clock.advance(1_000);
    await it.chat.receive([said("1", "ann", "on it")]);
    await it.clock.advance(600_000);
    assert.deepEqual(texts(it), [["fire"], [], []]);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await stop(it);
  });

  it("begins once, though the same message be emitted twice at once", async () => {
    const it = await scene();
    const reports = await Promise.all([1, 2, 3].map(() => it.app.emit({ id: "same", message: "fire", label: "page" })));
    assert.deepEqual(reports.map((report) => report.deliveries[0]?.status).sort(), [
      "duplicate",
      "duplicate",
      "queued",
    ]);
    await it.clock.advance(60_000);
    assert.deepEqual(texts(it), [["fire"], [], []]);
    await stop(it);
  });
});

describe("Application.deliver", () => {
  it("gives each channel the address of its own kind, and skips those without, with the reason", async () => {
    const it = await scene({ mail: [REFUSED] });
    const delivered = it.app.deliver({
      notificationId: "n1",
      recipient: { mail: "ann@example.com", phone: "+4912345" },
      htmlContent: "<p>Disk &amp; fire</p>",
      channels: ["chat", "mail", "phone"],
    });
    await eventually(it.clock, () => it.phone.seen.length === 1);
    const outcome = await delivered;
    assert.equal(outcome.delivered, true);
    assert.equal(outcome.channel, "phone");
    assert.deepEqual(outcome.skipped.map((each) => each.channel), ["chat"]);
    assert.equal(it.mail.seen[0]?.recipient, "ann@example.com");
    assert.equal(it.phone.seen[0]?.recipient, "+4912345");
    assert.equal(it.phone.seen[0]?.text, "Disk & fire");
    const again = await it.app.deliver({ notificationId: "n1", recipient: { phone: "+4912345" }, textContent: "x" });
    assert.equal(again.delivered, true);
    assert.equal(it.phone.seen.length, 1);
    await stop(it);
  });

  it("goes on at the right step after a crash", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const make = (script: readonly ScriptStep[] = []) => {
      const chat = new ScriptedCommunicator("chat", { script });
      const mail = new ScriptedCommunicator("mail");
      const options = {
        clock,
        store,
        mode: "pump" as const,
        communicators: [{ communicator: chat }, { communicator: mail }],
      };
      return { chat, mail, app: Application.create({}, options) };
    };
    const first = make([REFUSED]);
    const app = await first.app;
    app.deliver({ notificationId: "n", recipient: { chat: "a", mail: "b" }, textContent: "x" }).catch(() => {});
    await eventually(clock, () => clock.pending >= 0, 1, 20);
    await clock.advance(50);
    await app.pump();
    assert.equal(first.chat.seen.length, 1);
    // The process dies here: nothing of it is stopped in order.
    const second = make();
    const next = await second.app;
    const outcome = next.deliver({ notificationId: "n", recipient: { chat: "a", mail: "b" }, textContent: "x" });
    await next.pump();
    assert.equal((await outcome).channel, "mail");
    assert.equal(second.chat.seen.length, 0);
    assert.equal(first.mail.seen.length + second.mail.seen.length, 1);
    await next.stop();
    await app.stop();
  });
});

describe("Application.ask", () => {
  it("resolves with the first answer and where it came from, and the others are told", async () => {
    const it = await scene();
    const asked = it.app.ask({ notificationId: "q", recipient: { chat: "ann", mail: "bob" }, textContent: "Deploy?" });
    await eventually(it.clock, () => it.chat.seen.length === 1 && it.mail.seen.length === 1);
    await it.clock.advance(10);
    await it.mail.receive([{ ...said("1", "bob", "yes", "mail"), sender: "Bob" }]);
    const answer = await asked;
    assert.deepEqual([answer.text, answer.backendName, answer.sender], ["yes", "mail", "Bob"]);
    await eventually(it.clock, () => it.chat.seen.length === 2);
    assert.deepEqual(it.chat.texts, ["Deploy?", "Answered by Bob on mail"]);
    assert.deepEqual(it.mail.texts, ["Deploy?"]);
    await stop(it);
  });

  it("rejects when nobody answers in time", async () => {
    const it = await scene();
    const asked = it.app.ask({
      notificationId: "q",
      recipient: { chat: "ann" },
      textContent: "Deploy?",
      channels: ["chat"],
    }, {
      timeoutMs: 60_000,
    });
    const rejected = assert.rejects(asked, { code: "unanswered" });
    await eventually(it.clock, () => it.chat.seen.length === 1);
    await it.clock.advance(60_000);
    await rejected;
    await stop(it);
  });
});
