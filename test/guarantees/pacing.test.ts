import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { describeLong } from "../support/require.ts";
import { mostIn, sendPaced } from "./pacing.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

async function check(messages: number, chats: number): Promise<void> {
  const waitSeconds = 50;
  const result = await sendPaced({ messages, chats, refuse: { chat: 3, seconds: waitSeconds } });
  const { arrivals, refusals, early, refused, begin } = result;
  const all = [...arrivals.values()].flat().map(({ at }) => at).sort((left, right) => left - right);
  assert.equal(all.length, messages);
  assert.ok(mostIn(all, SECOND) <= 30, `${mostIn(all, SECOND)} in a second`);
  for (const [chatId, list] of arrivals) {
    const times = list.map(({ at }) => at);
    // One a second and bursts of three to a person, 20 a minute to a group.
    const [most, allowed] = chatId.startsWith("-") ? [mostIn(times, MINUTE), 20] : [mostIn(times, 10 * SECOND), 13];
    assert.ok(most <= allowed, `${most} to ${chatId}`);
    assert.deepEqual(list.map(({ text }) => text), list.map((_, index) => `${index}`), `order in ${chatId}`);
  }
  assert.equal(refusals, 1, "the pace was never too fast: the one refusal was made");
  assert.equal(early, 0, "the chat that was told to wait was left alone");
  const others = [...arrivals].flatMap(([chatId, list]) => chatId === refused ? [] : list.map(({ at }) => at));
  // As fast as may be all the time, 25 a second and 17 a minute to a group: the chat that waited held up nobody else.
  const lastAt = others.reduce((latest, at) => Math.max(latest, at), 0) - begin;
  const neededMs = Math.max(messages / 25 * SECOND, messages / chats / 17 * MINUTE);
  assert.ok(lastAt <= neededMs, `the others took ${lastAt} ms, and needed ${neededMs} ms`);
  const pauses = (arrivals.get(refused) ?? []).map(({ at }, index, list) => at - (list[index - 1]?.at ?? at));
  assert.ok(Math.max(...pauses) >= waitSeconds * SECOND, "the chat that was told to wait waited");
}

describe("pacing through Telegram's documented limits (G28)", () => {
  it("keeps to them with 4,000 messages over 100 chats, and a 429 pauses its chat alone", async () => {
    await check(4_000, 100);
  }, 60_000);

  it("keeps to them with few chats that get much", async () => {
    await check(1_000, 10);
  }, 60_000);
});

describeLong("pacing through Telegram's documented limits (G28), at length", () => {
  it("keeps to them with 100,000 messages over 500 chats", async () => {
    await check(100_000, 500);
  }, 1_200_000);
});
