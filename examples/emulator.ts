// The emulator with an echo bot behind it: a bot in the browser, without an account anywhere.
//
//   npx --yes deno@2 task emulator            the bot of echo-bot.ts
//   npx --yes deno@2 task emulator --route    the bot of echo-route.ts
//
// PORT names another port than 8787. After `npm install` it runs on Bun and Node 24 too:
// `node examples/emulator.ts`.
import process from "node:process";
import { EmulatorCommunicator } from "../adapters/emulator/mod.ts";
import { createHttpApp } from "../adapters/http/mod.ts";
import { serve, stopOnSignal } from "../adapters/serve/mod.ts";
import { init, MemoryStore, PosthornError } from "../mod.ts";
import { echoBot } from "./echo-bot.ts";
import { echoRoute } from "./echo-route.ts";

const wantedPort = process.env["PORT"];
const store = new MemoryStore();
const emulator = new EmulatorCommunicator("emulator", { store });
const app = await init({ store, closeStore: true, communicators: [{ communicator: emulator }] });
const ended = new AbortController();

try {
  const server = await serve(createHttpApp(app, { emulator: true }), {
    port: wantedPort === undefined ? 8_787 : Number(wantedPort),
    // A port that was asked for is the port that is meant.
    tryNext: wantedPort === undefined ? 20 : 0,
  });
  console.log(`The emulator is at ${server.url}/emulator?token=${emulator.token}\n`);
  console.log("Open it in a browser and say something: the echo bot answers. Ctrl-C ends it.");
  const stopped = stopOnSignal({ stop: () => ended.abort() }, app, server);
  if (process.argv.includes("--route")) echoRoute(app);
  else await echoBot(ended.signal);
  await stopped;
} catch (error) {
  if (!(error instanceof PosthornError)) throw error;
  console.error(`${error.message}${error.code === "address-in-use" ? "; set PORT to another one" : ""}`);
  process.exitCode = 1;
} finally {
  await app.stop();
}
