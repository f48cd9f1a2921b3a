// Deno: deno run --allow-net --allow-env --allow-read --allow-write examples/deploy/deno/main.ts
// Deno Deploy keeps no files from one instance to the next: give it a store that is a server.
import { createApplication } from "../../../adapters/app/mod.ts";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { stopOnSignal } from "../../../adapters/serve/mod.ts";
import { CONFIG, route } from "../bot.ts";

const app = await createApplication(CONFIG, { env: Deno.env.toObject(), logger: console });
route(app);
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.env.get("PORT") ?? 8_787),
  onListen: ({ port }) => console.log(`Listening on http://127.0.0.1:${port}`),
}, createHttpApp(app).fetch);
await stopOnSignal(app, { stop: () => server.shutdown() });
