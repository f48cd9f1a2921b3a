// An echo bot as a route: many conversations at once, each in order. `deno task emulator --route` runs it.
import type { Application } from "../mod.ts";

/** Says everything back. What is replied is committed together with the word that the message was handled. */
export function echoRoute(app: Application): void {
  app.messenger.route((context) => {
    context.reply(`You said: ${context.message.text}`);
  });
}
