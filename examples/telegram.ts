// Alerts to a Telegram chat, and an answer to whoever presses the button, with no outbox to configure.
//
//   TELEGRAM_TOKEN=123456:… TELEGRAM_CHAT=-100… npx --yes deno@2 run --allow-net --allow-env examples/telegram.ts
//
// After `npm install` it runs on Bun and Node 24 too. TELEGRAM_API names another Bot API than Telegram's own. Ctrl-C ends it.
import process from "node:process";
import { stopOnSignal } from "../adapters/serve/mod.ts";
import { telegram, telegramButtons } from "../adapters/telegram/mod.ts";
import { Application } from "../mod.ts";

/** Where the bot works. */
export interface AlertBotOptions {
  readonly token: string;
  readonly chatId: string;
  readonly apiRoot?: string;
}

/** Starts the bot, sends one alert with a button, and answers every press of it. */
export async function startAlertBot({ token, chatId, apiRoot }: AlertBotOptions): Promise<Application> {
  const app = await Application.create({
    communications: {
      enabled: true,
      backends: {
        ops: {
          type: "telegram",
          token,
          labels: ["alerts"],
          listen_to_commands: true,
          chats: { default: { chat_id: chatId, command_authorized: true } },
          ...(apiRoot === undefined ? {} : { api_root: apiRoot }),
        },
      },
    },
  }, { backends: [telegram] });
  app.messenger.route((context) => {
    const { kind, sender = "Somebody" } = context.message;
    if (kind === "interactive") context.reply(`${sender} takes care of it.`);
  });
  await app.emit({
    message: "Disk usage at 95% on <db-1>",
    label: "alerts",
    severity: "warning",
    metadata: { telegram: telegramButtons([[{ title: "I take care of it", id: "take:db-1" }]]) },
  });
  return app;
}

if (import.meta.main) {
  const { TELEGRAM_TOKEN: token = "", TELEGRAM_CHAT: chatId = "", TELEGRAM_API: apiRoot } = process.env;
  if (token === "" || chatId === "") {
    console.error("Set TELEGRAM_TOKEN and TELEGRAM_CHAT, as the first lines of this file say.");
    process.exit(2);
  }
  const app = await startAlertBot({ token, chatId, ...(apiRoot === undefined ? {} : { apiRoot }) });
  await stopOnSignal(app);
}
