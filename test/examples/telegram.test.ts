import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { startAlertBot } from "../../examples/telegram.ts";
import { TelegramStandIn } from "../../adapters/emulator/telegram-stand-in.ts";

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("examples/telegram", () => {
  it("startAlertBot() sends an alert and answers who presses its button", async () => {
    const telegram = await TelegramStandIn.start();
    const app = await startAlertBot({ token: telegram.api.token, chatId: "-1001234567890", apiRoot: telegram.url });
    try {
      await until(() => telegram.api.messages.length === 1);
      const [alert] = telegram.api.messages;
      assert.ok(alert);
      assert.equal(alert.text, "Disk usage at 95% on <db-1>");
      telegram.api.press(alert, "take:db-1");
      await until(() => telegram.api.messages.length === 2);
      assert.deepEqual(telegram.api.messages.map(({ chatId, text }) => [chatId, text])[1], [
        "-1001234567890",
        "ada takes care of it.",
      ]);
      assert.ok(telegram.api.calls.some(({ method }) => method === "answerCallbackQuery"));
    } finally {
      await app.stop();
      await telegram.stop();
    }
  });
});
