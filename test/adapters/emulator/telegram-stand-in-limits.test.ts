import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  TelegramStandInApi,
  type TelegramStandInApiOptions,
} from "../../../adapters/emulator/telegram-stand-in-api.ts";
import { ManualClock } from "../../../core/mod.ts";

interface Bench {
  readonly clock: ManualClock;
  /** Sends a message. Gives how many seconds it is told to wait, 0 when it was taken. */
  readonly send: (chatId: string) => Promise<number>;
}

function bench(limits: NonNullable<TelegramStandInApiOptions["limits"]>): Bench {
  const clock = new ManualClock();
  const api = new TelegramStandInApi({ clock, limits });
  return {
    clock,
    send: async (chatId) => {
      const answer = await api.fetch(`http://stand-in/bot${api.token}/sendMessage`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ chat_id: chatId, text: "hello" }),
      });
      if (answer.ok) return 0;
      assert.equal(answer.status, 429);
      const { parameters } = await answer.json();
      return parameters.retry_after;
    },
  };
}

describe("TelegramStandInApi with limits", () => {
  it("takes 30 messages a second in all, and says when there is room again", async () => {
    const { clock, send } = bench("documented");
    for (let count = 0; count < 30; count++) assert.equal(await send(`${count + 1}`), 0);
    assert.equal(await send("99"), 1);
    await clock.advance(999);
    assert.equal(await send("99"), 1);
    await clock.advance(1);
    assert.equal(await send("99"), 0);
  });

  it("takes 20 messages a minute to a group, of which refused ones are none", async () => {
    const { clock, send } = bench("documented");
    for (let count = 0; count < 20; count++) {
      assert.equal(await send("-100123"), 0);
      await clock.advance(1_000);
    }
    assert.equal(await send("-100123"), 40);
    assert.equal(await send("-100124"), 0, "another group is another matter");
    await clock.advance(40_000);
    assert.equal(await send("-100123"), 0);
    assert.equal(await send("-100123"), 1);
  });

  it("takes what a limit of one's own says, and is not limited otherwise", async () => {
    const { clock, send } = bench({ person: { count: 1, perMs: 2_000 } });
    assert.equal(await send("1"), 0);
    assert.equal(await send("1"), 2);
    for (let count = 0; count < 100; count++) assert.equal(await send("-100123"), 0);
    await clock.advance(2_000);
    assert.equal(await send("1"), 0);
  });
});
