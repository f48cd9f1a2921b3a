// From "it came in" to "the handler has it": through inbox and router, against fastq and a bare awaited call.
//
// The peers keep nothing: no id is remembered, no lane kept, no lease, nothing to redeliver. The ratio is what that costs
// in memory; see the SQLite benchmark for what it costs on a disk.
import fastq from "fastq";
import { Application, Communicator, type IncomingMessage, type OutgoingMessage, type Receipt } from "../core/mod.ts";
import { benchmark } from "./harness.ts";

const MESSAGES = 2_000;
const CONVERSATIONS = 50;

class Source extends Communicator {
  override send(_message: OutgoingMessage): Promise<Receipt> {
    return Promise.resolve({ outcome: "accepted" });
  }
}

let serial = 0;
function batch(): readonly IncomingMessage[] {
  return Array.from({ length: MESSAGES }, (_, index): IncomingMessage => ({
    id: `m${serial++}`,
    kind: "text",
    text: "hello",
    chatLabel: "default",
    backendName: "source",
    timestamp: 0,
    conversation: `c${index % CONVERSATIONS}`,
    attachments: [],
    metadata: {},
  }));
}

let handled = 0;
let done: () => void = () => {};
// deno-lint-ignore require-await -- a handler is awaited whatever it does
async function handle(_text: string): Promise<void> {
  if (++handled === MESSAGES) done();
}

/** Runs something that leads to `MESSAGES` calls of the handler, and waits for the last. */
async function untilHandled(begin: () => unknown): Promise<void> {
  handled = 0;
  const last = new Promise<void>((resolve) => done = resolve);
  await begin();
  await last;
}

const source = new Source("source");
const app = await Application.create({ inbox: { dedupe: 1 } }, { communicators: [{ communicator: source }] });
app.messenger.route(({ message }) => handle(message.text));
const queue = fastq.promise(({ text }: IncomingMessage) => handle(text), 100);
let messages: readonly IncomingMessage[] = [];
const prepare = (): void => void (messages = batch());

await benchmark(`hand-off of ${MESSAGES} messages in ${CONVERSATIONS} conversations`, [
  {
    name: "inbox and router, one batch",
    operations: MESSAGES,
    prepare,
    run: () => untilHandled(() => source.receive(messages)),
  },
  {
    name: "inbox and router, one by one",
    operations: MESSAGES,
    prepare,
    run: () => untilHandled(() => Promise.all(messages.map((message) => source.receive([message])))),
  },
  {
    name: "fastq.promise",
    operations: MESSAGES,
    prepare,
    run: () =>
      untilHandled(() => {
        for (const message of messages) void queue.push(message);
      }),
  },
  {
    name: "bare awaited call",
    operations: MESSAGES,
    prepare,
    run: () =>
      untilHandled(async () => {
        for (const { text } of messages) await handle(text);
      }),
    close: () => app.stop(),
  },
], { reference: "fastq.promise", unit: "messages" });
