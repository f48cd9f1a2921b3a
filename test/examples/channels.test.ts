import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { showChannels } from "../../examples/channels.ts";

describe("examples/channels", () => {
  it("showChannels() shows each type", async () => {
    const lines: string[] = [];
    await showChannels((line) => lines.push(line));
    assert.deepEqual(lines, [
      "— broadcast",
      "dashboard: 22.4 °C",
      "dashboard: 22.6 °C",
      "late reader: 2 messages",
      "— workQueue",
      "resized a.png (delivery 1)",
      "resized b.png (delivery 1)",
      "given up: broken.png, max-deliveries after 2 deliveries",
      "— mailbox",
      "sys-b: Hello, sys-b! Hello, all!",
      "sys-c: Hello, all!",
      "— periodic",
      "price: 17",
      "price: 18",
      "price: 19",
      "— discovery",
      "can process images: resizer",
      "and then: 0",
      "— passthrough",
      "[AUDIT] producer → it is in the store now",
    ]);
  });
});
