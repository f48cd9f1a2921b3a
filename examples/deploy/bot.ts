// The application that every one of these deployments runs: a Telegram bot that counts what each chat has said.
import { type Application, Router } from "../../mod.ts";

/** The configuration; variables come from the environment. */
export const CONFIG = `
store: { type: sqlite, path: "\${POSTHORN_DB:-./posthorn.db}" }
communications:
  enabled: true
  backends:
    bot:
      type: telegram
      token: "\${TELEGRAM_BOT_TOKEN}"
      webhook_secret: "\${TELEGRAM_WEBHOOK_SECRET}"
      api_root: "\${TELEGRAM_API_ROOT:-https://api.telegram.org}"
      listen_to_commands: true
      labels: [default]
      chats:
        default: { chat_id: "\${TELEGRAM_CHAT_ID}", command_authorized: true }
`;

/** What the bot does. */
export function route(app: Application): void {
  app.messenger.route(
    new Router()
      .command("start", (context) => void context.reply("Say something, and I count."))
      .otherwise(async (context) => {
        const count = Number(await context.state.get() ?? 0) + 1;
        context.state.set(count);
        context.reply(`${count}: ${context.message.text}`);
      }),
  );
}
