/**
 * The emulator's page and what it talks to.
 *
 * @module
 */
import type { Hono } from "hono";
import { type Clock, kindOf, type Logger, type StoredMessage, ValidationError } from "../../core/mod.ts";
import type { EmulatorSource } from "./emulator-source.ts";
import { encodeEvent, EVENT_STREAM_HEADERS, placeOf } from "./event-frame.ts";
import { EventHub, type EventHubOptions } from "./event-hub.ts";
import { refuseStranger } from "./local-guard.ts";
import { emulatorPage, pagePolicy } from "./page.ts";
import { problem } from "./problem.ts";
import { bodyDeadlines, parseJsonObject, readBody } from "./read-body.ts";
import { addRoute, type RouteHandler } from "./router.ts";

/** What the emulator's routes are made of. */
export interface EmulatorRoutesOptions {
  /** The emulator. */
  readonly emulator: EmulatorSource;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Limits of its stream. */
  readonly events: Pick<EventHubOptions, "heartbeatMs" | "stallMs" | "maxBufferBytes" | "maxClients">;
}

/** Each conversation a page has open is named in the address of its stream. */
const MAX_CONVERSATIONS_A_STREAM = 100;

/**
 * Adds the page at `/emulator`, its stream at `/emulator/events`, its list at `/emulator/conversations`, and where it
 * sends what is typed: `/webhooks/<name of the backend>`. All of it is for the person at this machine only.
 *
 * @param app The app.
 * @param options The emulator.
 */
export function addEmulatorRoutes(app: Hono, options: EmulatorRoutesOptions): void {
  const { emulator, clock, logger } = options;
  const deadlines = bodyDeadlines(clock);
  const run = crypto.randomUUID();
  const hub = new EventHub({
    ...options.events,
    store: emulator.transcript.store,
    key: emulator.transcript.key,
    clock,
    logger,
    encode: encodeEntry,
  });
  const webhook = `/webhooks/${emulator.name}`;
  const config = {
    events: "/emulator/events",
    conversations: "/emulator/conversations",
    webhook,
    maxTextLength: emulator.maxTextLength,
  };
  // Six bytes are the most that JSON takes for one unit of text.
  const maxBodyBytes = emulator.maxTextLength * 6 + 1_024;

  function guarded(handler: RouteHandler): RouteHandler {
    return async function serveGuarded(request, params) {
      return await refuseStranger(request, emulator.token) ?? await handler(request, params);
    };
  }

  async function readInput(request: Request): Promise<Readonly<Record<string, unknown>>> {
    return parseJsonObject(await readBody(request, { maxBytes: maxBodyBytes, deadlines }));
  }

  function servePage(): Response {
    const nonce = randomNonce();
    return new Response(emulatorPage(config, nonce), {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": pagePolicy(nonce),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
      },
    });
  }

  function listConversations(): Response {
    return json({ names: emulator.conversations });
  }

  async function openConversation(request: Request): Promise<Response> {
    const { name } = await readInput(request);
    if (name !== undefined && typeof name !== "string") {
      throw new ValidationError("name", `Cannot accept 'name': it must be a text, not ${kindOf(name)}`);
    }
    return json({ name: await emulator.openConversation(name) });
  }

  async function takeTyped(request: Request): Promise<Response> {
    const { conversation, text, ...rest } = await readInput(request);
    if (typeof conversation !== "string") throw mustBeText("conversation", conversation);
    if (typeof text !== "string") throw mustBeText("text", text);
    const id = await emulator.type({ ...rest, conversation, text });
    return json({ id, conversation, state: "queued" });
  }

  function streamEvents(request: Request): Response {
    const names = new Set(new URL(request.url).searchParams.getAll("conversation"));
    if (names.size === 0 || names.size > MAX_CONVERSATIONS_A_STREAM) {
      throw new ValidationError(
        "conversation",
        `Cannot open the stream: it takes 1 to ${MAX_CONVERSATIONS_A_STREAM} conversations, not ${names.size}`,
      );
    }
    const known = new Set(emulator.conversations);
    if ([...names].some((name) => !known.has(name))) {
      return problem("unknown-conversation", { detail: "A conversation of the stream was not opened" });
    }
    if (!hub.hasRoom) return problem("busy", { retryAfterSeconds: 5 });
    const after = placeOf(request) ?? 0;
    const stream = hub.open({
      after,
      // A page that begins shows what is there; that there was more before is no loss of its own.
      tellGap: after !== 0,
      filter: (message) => names.has(conversationOf(message)),
      greeting: encodeEvent({ event: "hello", data: { run } }),
    });
    return new Response(stream, { headers: EVENT_STREAM_HEADERS });
  }

  addRoute(app, "/emulator", { GET: guarded(servePage) }, logger);
  addRoute(
    app,
    "/emulator/conversations",
    { GET: guarded(listConversations), POST: guarded(openConversation) },
    logger,
  );
  addRoute(app, "/emulator/events", { GET: guarded(streamEvents) }, logger);
  addRoute(app, webhook, { POST: guarded(takeTyped) }, logger);
}

function encodeEntry(message: StoredMessage): Uint8Array | undefined {
  const { content } = message;
  if (typeof content !== "object" || content === null || !("type" in content)) return undefined;
  if (content.type !== "message" && content.type !== "state" && content.type !== "edit") return undefined;
  return encodeEvent({ id: message.seq, event: content.type, data: content });
}

function conversationOf({ content }: StoredMessage): string {
  if (typeof content !== "object" || content === null || !("conversation" in content)) return "";
  return typeof content.conversation === "string" ? content.conversation : "";
}

function mustBeText(field: string, value: unknown): ValidationError {
  return new ValidationError(field, `Cannot accept '${field}': it must be a text, not ${kindOf(value)}`);
}

function json(value: unknown): Response {
  return new Response(JSON.stringify(value), {
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}

function randomNonce(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18))));
}
