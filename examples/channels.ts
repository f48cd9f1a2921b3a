// The channel types, one after the other, in memory.
//
//   npx --yes deno@2 run examples/channels.ts
//
// After `npm install` it runs on Bun and Node 24 too: `node examples/channels.ts`.
import {
  BroadcastChannel,
  DiscoveryChannel,
  MailboxChannel,
  PassthroughChannel,
  PeriodicChannel,
  type StoredMessage,
  WorkQueueChannel,
} from "../mod.ts";

/** Hears one line of what happens. */
export type Say = (line: string) => void;

/** Everybody hears everything, at once or later. */
export async function broadcast(say: Say): Promise<void> {
  const bus = new BroadcastChannel<{ celsius: number }>({ id: "telemetry" });
  await bus.start();
  await bus.subscribe("dashboard", ({ content }) => say(`dashboard: ${content.celsius} °C`));
  await bus.write("sensor", { celsius: 22.4 });
  await bus.write("sensor", { celsius: 22.6 });
  const history = await bus.read("late-reader", { limit: 100 });
  say(`late reader: ${history.length} messages`);
  await bus.stop();
}

/** Each job to one worker; what fails is tried again, and what keeps failing is put aside. */
export async function workQueue(say: Say): Promise<void> {
  const queue = new WorkQueueChannel<{ file: string }>({
    id: "jobs",
    maxDeliveries: 2,
    backoff: { baseDelayMs: 10 },
  });
  await queue.start();
  for (const file of ["a.png", "broken.png", "b.png"]) await queue.write("scheduler", { file });
  queue.consume("worker-1", ({ content }, { attempt }) => {
    if (content.file === "broken.png") throw new Error("not an image");
    say(`resized ${content.file} (delivery ${attempt})`);
  });
  while ((await queue.stats()).stored > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const { content, dead } of await queue.deadLetters()) {
    say(`given up: ${content.file}, ${dead.reason} after ${dead.failures.length} deliveries`);
  }
  await queue.stop();
}

/** A private inbox for each recipient. */
export async function mailbox(say: Say): Promise<void> {
  const mail = new MailboxChannel<string>({ id: "messages" });
  await mail.start();
  await mail.write("sys-a", "Hello, sys-b!", { recipientId: "sys-b" });
  await mail.write("sys-a", "Hello, all!");
  for (const reader of ["sys-b", "sys-c"]) {
    const messages = await mail.read(reader);
    say(`${reader}: ${messages.map(({ content }) => content).join(" ")}`);
  }
  await mail.stop();
}

/** Fetched on a schedule, shaped, kept. */
class Prices extends PeriodicChannel<{ price: number }> {
  #last = 16;

  protected override async pullFn(): Promise<void> {
    await this.write("stock-api", { price: ++this.#last });
  }
}

export async function periodic(say: Say): Promise<void> {
  const prices = new Prices({ id: "stocks", periodMs: 20 });
  await prices.start();
  const reader = prices.stream("me").getReader();
  for (let count = 0; count < 3; count++) say(`price: ${(await reader.read()).value?.content.price}`);
  await reader.cancel();
  await prices.stop();
}

/** Who is there, and what can they do. */
export async function discovery(say: Say): Promise<void> {
  const registry = new DiscoveryChannel({ id: "registry" });
  await registry.start();
  const announcement = await registry.announceSystem({ id: "resizer", capabilities: ["process_image"] });
  const found = await registry.findSystems({ capability: "process_image" });
  say(`can process images: ${found.map(({ id }) => id).join(", ")}`);
  await announcement.withdraw();
  say(`and then: ${(await registry.findSystems({ capability: "process_image" })).length}`);
  await registry.stop();
}

/** A channel of your own: override what differs. */
class AuditChannel extends PassthroughChannel<string> {
  readonly #say: Say;

  constructor(id: string, say: Say) {
    super({ id });
    this.#say = say;
  }

  protected override async onMessage(message: StoredMessage<string>): Promise<void> {
    this.#say(`[AUDIT] ${message.senderId} → ${message.content}`);
    await super.onMessage(message);
  }
}

export async function passthrough(say: Say): Promise<void> {
  const channel = new AuditChannel("audited", say);
  await channel.start();
  await channel.write("producer", "it is in the store now");
  await channel.stop();
}

/** All of them. */
export async function showChannels(say: Say): Promise<void> {
  for (const show of [broadcast, workQueue, mailbox, periodic, discovery, passthrough]) {
    say(`— ${show.name}`);
    await show(say);
  }
}

if (import.meta.main) await showChannels(console.log);
