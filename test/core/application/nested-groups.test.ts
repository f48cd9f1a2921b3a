import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, fallback, ManualClock, MemoryStore } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { LOST, REFUSED, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

const RECIPIENT = { chat: "ann", phone: "+4912345", mail: "ann@example.com" };

async function scene(group: Record<string, unknown>) {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const [chat, phone, mail] = ["chat", "phone", "mail"].map((name) => new ScriptedCommunicator(name)) as [
    ScriptedCommunicator,
    ScriptedCommunicator,
    ScriptedCommunicator,
  ];
  const own = Object.fromEntries([chat, phone, mail].map(({ name }) => [name, { type: name }]));
  const app = await Application.create(
    { communications: { enabled: true, backends: { ...own, both: { type: "fallback", ...group } } } },
    {
      backends: [fallback, ...[chat, phone, mail].map((each) => ({ type: each.name, create: () => each }))],
      clock,
      store,
      closeStore: true,
      random: () => 0.5,
    },
  );
  const stop = async (): Promise<void> => {
    let stopped = false;
    const done = app.stop().then(() => stopped = true);
    await eventually(clock, () => stopped, 1_000);
    await done;
  };
  return { clock, app, chat, phone, mail, stop };
}

describe("a fallback group among the channels of a notification", () => {
  it("Application.deliver() keeps the group's own policy", async () => {
    const { clock, app, chat, phone, mail, stop } = await scene({ channels: ["chat", "phone"], policy: "parallel" });
    const delivered = app.deliver({
      notificationId: "n",
      recipient: RECIPIENT,
      textContent: "fire",
      channels: ["both", "mail"],
    });
    await eventually(clock, () => chat.seen.length === 1 && phone.seen.length === 1);
    assert.equal((await delivered).delivered, true);
    assert.deepEqual(mail.seen, []);
    await stop();
  });

  it("Application.deliver() keeps the group's own confirmation and time, and its own for the others", async () => {
    const group = { channels: ["chat", "phone"], confirm: "read", within: 60 };
    const { clock, app, chat, phone, mail, stop } = await scene(group);
    const delivered = app.deliver({
      notificationId: "n",
      recipient: RECIPIENT,
      textContent: "fire",
      channels: ["both", "mail"],
    });
    await eventually(clock, () => chat.seen.length === 1);
    await clock.advance(59_000);
    assert.deepEqual([phone.seen.length, mail.seen.length], [0, 0]);
    await clock.advance(60_000);
    assert.deepEqual([phone.seen.length, mail.seen.length], [1, 0]);
    await eventually(clock, () => mail.seen.length === 1, 1_000);
    assert.equal((await delivered).channel, "mail");
    await stop();
  });

  it("Application.ask() takes nothing less than an answer, whatever the group says", async () => {
    const { clock, app, chat, phone, stop } = await scene({
      channels: ["chat", "phone"],
      confirm: "accepted",
      within: 60,
    });
    const asked = app.ask({ notificationId: "q", recipient: RECIPIENT, textContent: "?", channels: ["both"] });
    await eventually(clock, () => chat.seen.length === 1);
    await clock.advance(30_000);
    assert.deepEqual(phone.seen, []);
    await eventually(clock, () => phone.seen.length === 1, 1_000);
    await phone.receive([{
      id: "m1",
      kind: "text",
      text: "here",
      chatLabel: "default",
      backendName: "phone",
      timestamp: clock.now(),
      conversation: "+4912345",
      attachments: [],
      metadata: {},
    }]);
    assert.equal((await asked).text, "here");
    await stop();
  });

  it("Application.deliver() says whether it may have arrived", async () => {
    const { clock, app, chat, stop } = await scene({ channels: ["chat", "phone"] });
    chat.script.push(LOST, LOST, LOST);
    const one = (notificationId: string, channel: string) =>
      app.deliver({ notificationId, recipient: RECIPIENT, textContent: "fire", channels: [channel] });
    const lost = one("lost", "chat");
    await eventually(clock, () => chat.seen.length === 3, 1_000);
    const { delivered, possiblyDelivered, attempts } = await lost;
    assert.deepEqual([delivered, possiblyDelivered], [false, true]);
    assert.equal(attempts.filter(({ status }) => status === "unknown").length, 3);
    chat.script.push(REFUSED);
    const refused = one("refused", "chat");
    await eventually(clock, () => chat.seen.length === 4);
    const outcome = await refused;
    assert.deepEqual([outcome.delivered, outcome.possiblyDelivered], [false, false]);
    await stop();
  });
});
