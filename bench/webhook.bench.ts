// Webhook requests per second: the HTTP app with the memory store against a bare Hono route that verifies the same signature.
import process from "node:process";
import { Hono } from "hono";
import { createHttpApp } from "../adapters/http/mod.ts";
import { createWebhookSecret, StandardWebhookSigner, WebhookCommunicator } from "../adapters/webhook/mod.ts";
import { Application } from "../core/mod.ts";
import { benchmark, type Contender } from "./harness.ts";

const AT_ONCE = 64;
const REQUESTS = 1_024;
const TEXT = "Disk usage at 95% on db-1 and rising: look at it before the night. ".repeat(12);
const secret = createWebhookSecret();
const signer = new StandardWebhookSigner([secret]);
let count = 0;

/** Signed beforehand: what is measured is the receiver. Each of another id, or the second would be no work. */
async function signedRequest(): Promise<Request> {
  const id = `w${++count}`;
  const body = new TextEncoder().encode(JSON.stringify({ id, conversation: `c${count % 100}`, text: TEXT }));
  const headers = { "content-type": "application/json", ...await signer.sign(id, body, Date.now()) };
  return new Request("http://127.0.0.1/webhooks/hook", { method: "POST", headers, body });
}

const application = await Application.create({ inbox: { dedupe: 60 } }, {
  communicators: [{ communicator: new WebhookCommunicator("hook", { secret }) }],
});
const ours = createHttpApp(application);

const bare = new Hono();
bare.post("/webhooks/:backend", async (context) => {
  const body = new Uint8Array(await context.req.arrayBuffer());
  if (!await signer.verify(context.req.raw.headers, body, Date.now())) return context.body(null, 401);
  return context.body(null, 200);
});
/** The same, and reads what it says: the least a receiver does that does anything. */
const reading = new Hono();
let characters = 0;
reading.post("/webhooks/:backend", async (context) => {
  const body = new Uint8Array(await context.req.arrayBuffer());
  if (!await signer.verify(context.req.raw.headers, body, Date.now())) return context.body(null, 401);
  const { text } = JSON.parse(new TextDecoder().decode(body));
  characters += text.length;
  return context.body(null, 200);
});

function contender(name: string, app: Hono, atOnce: number): Contender {
  let requests: Request[] = [];
  return {
    name,
    operations: REQUESTS,
    async prepare(): Promise<void> {
      await application.store.clear(application.inbox.queue.key);
      requests = await Promise.all(Array.from({ length: REQUESTS }, signedRequest));
    },
    async run(): Promise<void> {
      for (let next = 0; next < REQUESTS; next += atOnce) {
        const answers = await Promise.all(requests.slice(next, next + atOnce).map((request) => app.fetch(request)));
        for (const { status } of answers) if (status !== 200) throw new Error(`Cannot measure: ${status}`);
      }
    },
  };
}

for (const atOnce of [1, AT_ONCE]) {
  await benchmark(`webhook, ${atOnce} at once, in the process`, [
    contender("posthorn: verified, kept, answered", ours, atOnce),
    contender("bare Hono: verified", bare, atOnce),
    contender("bare Hono: verified, parsed", reading, atOnce),
  ], { reference: "bare Hono: verified", unit: "requests" });
}
await application.stop();
if (characters === 0) process.exitCode = 1;
