import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, fallback, ManualClock, MemoryStore } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { LOST, REFUSED, ScriptedCommunicator, type ScriptStep } from "../../support/scripted-communicator.ts";

/** `chat` and a `mail` that has to be read within a minute at once, then `phone`. */
async function scene(scripts: Readonly<Record<string, readonly ScriptStep[]>>) {
  const clock = new ManualClock();
  const [chat, mail, phone] = ["chat", "mail", "phone"].map((name) =>
    new ScriptedCommunicator(name, { script: scripts[name] ?? [] })
  ) as [ScriptedCommunicator, ScriptedCommunicator, ScriptedCommunicator];
  const app = await Application.create(
    {
      communications: {
        enabled: true,
        backends: {
          ...Object.fromEntries([chat, mail, phone].map(({ name }) => [name, { type: name }])),
          watched: { type: "fallback", channels: ["mail"], confirm: "read", within: 60 },
          pair: { type: "fallback", channels: ["chat", "watched"], policy: "parallel" },
          two: { type: "fallback", channels: ["chat", "mail"], policy: "parallel", labels: ["two"] },
          reach: { type: "fallback", channels: ["pair", "phone"], labels: ["page"] },
        },
      },
    },
    {
      backends: [fallback, ...[chat, mail, phone].map((each) => ({ type: each.name, create: () => each }))],
      clock,
      store: new MemoryStore({ clock }),
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
  const begin = async (label: string): Promise<string> => {
    const report = await app.emit({ message: "fire", label });
    return report.deliveries[0]?.deliveryId ?? "";
  };
  const outcome = async (planId: string) => (await app.plans.find(planId))?.outcome;
  return { clock, app, chat, mail, phone, begin, outcome, stop };
}

describe("Application.resolve() of a step in doubt", () => {
  it("with retry lets the times of the plan's other steps run on", async () => {
    const { clock, app, chat, phone, begin, outcome, stop } = await scene({ chat: [LOST, LOST, LOST, REFUSED] });
    const planId = await begin("page");
    await clock.advance(20_000);
    assert.equal(chat.seen.length, 3);
    assert.equal(await app.resolve(`${planId}_s0-0`, "retry"), true);
    await eventually(clock, () => chat.seen.length === 4);
    await clock.advance(60_000);
    assert.deepEqual(phone.texts, ["fire"], "mail was not read in time, and chat refused it");
    assert.equal(await outcome(planId), "delivered");
    await stop();
  });
});

describe("Application.resolve() of a plan with several steps in doubt", () => {
  it("tries all of them again", async () => {
    const lost = [LOST, LOST, LOST];
    const { clock, app, chat, mail, begin, outcome, stop } = await scene({
      chat: [...lost, REFUSED],
      mail: [...lost, REFUSED],
    });
    const planId = await begin("two");
    await clock.advance(20_000);
    assert.equal(await outcome(planId), "unknown");
    assert.equal(await app.resolve(planId, "retry"), true);
    await eventually(clock, () => chat.seen.length === 4 && mail.seen.length === 4);
    await clock.advance(20_000);
    assert.equal(await outcome(planId), "exhausted");
    await stop();
  });

  it("takes all of them for not arrived", async () => {
    const lost = [LOST, LOST, LOST];
    const { clock, app, begin, outcome, stop } = await scene({ chat: lost, mail: lost });
    const planId = await begin("two");
    await clock.advance(20_000);
    assert.equal(await app.resolve(planId, "next"), true);
    assert.equal(await outcome(planId), "exhausted");
    assert.equal(await app.resolve(planId, "next"), false);
    await stop();
  });
});
