/**
 * Serves one contender in a process of its own, for `webhook.bench.ts`. It says its port; for each line it reads, it
 * says how much processor time it has used, in microseconds; for the line `forget` it first forgets what it was sent.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { Hono } from "hono";
import { createHttpApp } from "../../adapters/http/mod.ts";
import { type Fetchable, serve } from "../../adapters/serve/mod.ts";
import { WebhookCommunicator } from "../../adapters/webhook/mod.ts";
import { Application } from "../../core/mod.ts";
import { SECRET } from "./standard-webhook.ts";

interface Contender {
  readonly app: Fetchable;
  readonly forget: () => unknown;
}

async function posthorn(handles: boolean): Promise<Contender> {
  const application = await Application.create({ inbox: { dedupe: 60, max_unhandled: 1_000_000 } }, {
    communicators: [{ communicator: new WebhookCommunicator("hook", { secret: SECRET }) }],
  });
  if (handles) application.messenger.route(() => {});
  return { app: createHttpApp(application), forget: () => application.store.clear(application.inbox.queue.key) };
}

/** A route as one writes it by hand: the key imported once, verified by Web Crypto, which every runtime has. */
async function bareHono(parses: boolean): Promise<Contender> {
  const secret = Uint8Array.from(atob(SECRET.slice("whsec_".length)), (character) => character.charCodeAt(0));
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const encoder = new TextEncoder();
  let characters = 0;
  const app = new Hono();
  app.post("/webhooks/:backend", async (context) => {
    const id = context.req.header("webhook-id") ?? "";
    const timestamp = context.req.header("webhook-timestamp") ?? "";
    const signature = context.req.header("webhook-signature") ?? "";
    const body = await context.req.text();
    if (Math.abs(Date.now() - Number(timestamp) * 1_000) > 300_000) return context.body(null, 401);
    const given = Uint8Array.from(atob(signature.slice("v1,".length)), (character) => character.charCodeAt(0));
    const isAuthentic = await crypto.subtle.verify("HMAC", key, given, encoder.encode(`${id}.${timestamp}.${body}`));
    if (!isAuthentic) return context.body(null, 401);
    if (parses) characters += JSON.parse(body).text.length;
    return context.body(null, 200);
  });
  return { app, forget: () => characters = 0 };
}

/** As the documentation of `@hono/node-server` has it: with its own Request and Response in the place of the global ones. */
async function onNodeServer(app: Fetchable): Promise<number> {
  const { serve: serveOnNode } = await import("@hono/node-server");
  return await new Promise((resolve) => {
    serveOnNode(
      { fetch: (request) => app.fetch(request), port: 0, hostname: "127.0.0.1" },
      ({ port }) => resolve(port),
    );
  });
}

const CONTENDERS: Readonly<Record<string, () => Promise<Contender>>> = {
  "posthorn": () => posthorn(false),
  "posthorn-handled": () => posthorn(true),
  "hono": () => bareHono(false),
  "hono-node-server": () => bareHono(false),
  "hono-parsed": () => bareHono(true),
};

const [, , name = ""] = process.argv;
const make = CONTENDERS[name];
if (make === undefined) throw new Error(`Cannot serve "${name}"`);
const { app, forget } = await make();
const port = name === "hono-node-server" ? await onNodeServer(app) : (await serve(app, { port: 0 })).port;
process.stdout.write(`${port}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "forget") await forget();
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${user + system}\n`);
}
process.exit();
