import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import { Deadlines } from "../../../adapters/http/deadlines.ts";
import { type Clock, ManualClock } from "../../../core/mod.ts";

describe("Deadlines", () => {
  it("calls what is late, the earliest first, and nothing that has ended", async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock, 30_000);
    const late: string[] = [];
    deadlines.begin(() => late.push("first"));
    deadlines.end(deadlines.begin(() => late.push("ended")));
    await clock.advance(500);
    deadlines.begin(() => late.push("second"));
    await clock.advance(29_499);
    assert.deepEqual(late, []);
    await clock.advance(1_001);
    assert.deepEqual(late, ["first", "second"]);
    await clock.advance(60_000);
    assert.deepEqual(late, ["first", "second"]);
  });

  it("has one timer for all, and none when nothing is under way", async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock, 30_000);
    const open = Array.from({ length: 1_000 }, () => deadlines.begin(() => assert.fail("not late")));
    assert.equal(clock.pending, 1);
    for (const each of open) deadlines.end(each);
    await clock.advance(1_000);
    assert.equal(clock.pending, 0);
  });

  it("notices what is late although its timer was lost, as soon as another begins", async () => {
    const manual = new ManualClock();
    let isLost = true;
    const clock: Clock = {
      now: () => manual.now(),
      monotonic: () => manual.monotonic(),
      sleep: (delayMs) => manual.sleep(delayMs),
      setTimer: (delayMs, callback) => isLost ? { cancel: () => {} } : manual.setTimer(delayMs, callback),
    };
    const deadlines = new Deadlines(clock, 30_000);
    let late = 0;
    deadlines.begin(() => late++);
    await manual.advance(40_000);
    assert.equal(late, 0);
    isLost = false;
    deadlines.begin(() => late++);
    await manual.advance(1_000);
    assert.equal(late, 1);
  });
});
