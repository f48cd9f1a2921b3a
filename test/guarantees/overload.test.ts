import assert from "node:assert/strict";
import { afterAll, describe, it } from "bun:test";
import { SqliteStore } from "../../adapters/sqlite/mod.ts";
import { Folder } from "../adapters/sqlite/support.ts";
import { describeLong } from "../support/require.ts";
import { overload, type OverloadResult } from "./overload.ts";

const folder = new Folder();
afterAll(() => folder.remove());

function assertHeld({ accepted, refused, mostQueued, grownBytes }: OverloadResult, maxQueued: number): void {
  assert.ok(mostQueued <= maxQueued, `${mostQueued} waited`);
  assert.ok(accepted >= maxQueued && refused > accepted, `${accepted} were accepted, ${refused} refused`);
  assert.ok(grownBytes < 256 * 1024 * 1024, `memory grew by ${grownBytes} bytes`);
}

describe("ten times more than the receiver takes", () => {
  it("is refused or sent, never half done, and what waits is bounded", async () => {
    assertHeld(await overload({ seconds: 1.5, maxQueued: 100 }), 100);
  });
});

describeLong("ten times more than the receiver takes, for 60 s", () => {
  it("is refused or sent, with a store in memory", async () => {
    const result = await overload({ seconds: 60, maxQueued: 2_000 });
    assertHeld(result, 2_000);
  });

  it("is refused or sent, with SQLite", async () => {
    const result = await overload({
      seconds: 60,
      maxQueued: 2_000,
      store: new SqliteStore({ path: folder.newFile() }),
    });
    assertHeld(result, 2_000);
  });
});
