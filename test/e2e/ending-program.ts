// A program that uses every kind of backend, stops, and must then end by itself: nothing may keep it alive.
//
//   all      stops by itself after everything was used once
//   hung     the same with a backend that ignores what it is told, and a handler too
//   signal   waits for a signal; the handler of the first message never ends
import process from "node:process";
import { createApplication } from "../../adapters/app/mod.ts";
import { EmulatorCommunicator } from "../../adapters/emulator/mod.ts";
import { SmtpStandIn } from "../../adapters/emulator/smtp-stand-in.ts";
import { TelegramStandIn } from "../../adapters/emulator/telegram-stand-in.ts";
import { createHttpApp } from "../../adapters/http/mod.ts";
import { serve, stopOnSignal } from "../../adapters/serve/mod.ts";
import { Communicator, MemoryStore, type Receipt } from "../../core/mod.ts";

const kind = process.argv[2];

/** A backend of the careless sort: it neither ends its sends when told to, nor its own stop. */
class Careless extends Communicator {
  override send(): Promise<Receipt> {
    return new Promise(() => {});
  }

  override stop(): Promise<void> {
    return new Promise(() => {});
  }
}

const mailbox = await SmtpStandIn.start();
const network = await TelegramStandIn.start();
const store = new MemoryStore();
const emulator = new EmulatorCommunicator("emulator", { store });
const app = await createApplication({
  outbox: { drain_timeout: kind === "hung" ? 1 : 10 },
  channels: { jobs: { type: "work_queue" }, news: { type: "broadcast" } },
  communications: {
    enabled: true,
    backends: {
      mail: {
        type: "email",
        host: "127.0.0.1",
        port: mailbox.port,
        allow_insecure: true,
        from_address: "noreply@example.com",
        default_recipients: ["ops@example.com"],
      },
      bot: {
        type: "telegram",
        token: network.api.token,
        api_root: network.url,
        listen_to_commands: true,
        chats: { default: { chat_id: "-100", command_authorized: true } },
      },
    },
  },
}, {
  env: {},
  store,
  closeStore: true,
  communicators: [
    { communicator: emulator },
    ...(kind === "hung" ? [{ communicator: new Careless("careless"), labels: ["careless"] }] : []),
  ],
});
app.messenger.route(({ message }) => message.text === "hold" ? new Promise(() => {}) : undefined);
const server = await serve(createHttpApp(app, { emulator: true }), { port: 0 });
await (await fetch(`${server.url}/healthz`)).text();
const report = await app.emit({ message: "hello" });
const settled = await report.settled();
console.log(settled.map(({ status }) => status).join(" "));
await emulator.openConversation("anna");
if (kind === "hung") await app.emit({ message: "never", label: "careless" });
if (kind === "hung" || kind === "signal") {
  await emulator.type({ conversation: "anna", text: "hold" });
  while ((await app.inbox.queue.stats()).claimed === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}
if (kind === "signal") {
  const stopping = stopOnSignal({ stop: () => console.log("stopping") }, app, server, mailbox, network);
  console.log("waiting");
  await stopping;
} else {
  await app.stop().catch((error: unknown) => {
    if (kind !== "hung" || !(error instanceof AggregateError)) throw error;
    console.log(error.errors.map((each: Error) => /"[a-z]+"/.exec(each.message)?.[0]).join(" "));
  });
  await server.stop();
  await mailbox.stop();
  await network.stop();
}
console.log("stopped");
