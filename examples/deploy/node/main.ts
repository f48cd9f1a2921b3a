// Node 24, after `npm install`: node examples/deploy/node/main.ts
import process from "node:process";
import { createApplication } from "../../../adapters/app/mod.ts";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { serve, stopOnSignal } from "../../../adapters/serve/mod.ts";
import { CONFIG, route } from "../bot.ts";

const app = await createApplication(CONFIG, { env: process.env, logger: console });
route(app);
const server = await serve(createHttpApp(app), { port: Number(process.env["PORT"] ?? 8_787) });
console.log(`Listening on ${server.url}`);
await stopOnSignal(app, server);
