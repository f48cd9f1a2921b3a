/**
 * Webhooks of every backend that has a receiver: verify, commit, answer, written once.
 *
 * @module
 */
import type { Hono } from "hono";
import {
  type Communicator,
  encodeHex,
  errorFields,
  type IncomingMessage,
  type JsonValue,
  NotRunningError,
  SchemaError,
  type StoreOperation,
  TooLargeError,
  ValidationError,
  type WebhookBatch,
  type WebhookReceiver,
} from "../../core/mod.ts";
import type { HttpApplication } from "./http-application.ts";
import { problem } from "./problem.ts";
import { bodyDeadlines, readBody } from "./read-body.ts";
import { addRoute } from "./router.ts";

const NOTHING = new Uint8Array(0);
const RETRY_AFTER_SECONDS = 10;
const PREVIEW_BYTES = 65_536;

/**
 * Adds `GET` and `POST /webhooks/<name of the backend>`.
 *
 * A request is read up to the receiver's limit, verified from its raw bytes, and only then parsed. It is answered 200
 * once all of it is committed; 503 when that cannot be done now, or the application is stopping, so that the provider comes
 * again. What is authentic is never refused: a provider would repeat it for days.
 *
 * @param app The app.
 * @param application Whose backends they are. They are looked up when a request comes.
 */
export function addWebhookRoutes(app: Hono, application: HttpApplication): void {
  const { clock, logger } = application;
  const deadlines = bodyDeadlines(clock);

  async function take(request: Request, name: string): Promise<Response> {
    const communicator = application.communicators.get(name);
    const receiver = communicator?.webhook;
    if (communicator === undefined || receiver === undefined) return problem("not-found");
    if (!application.isRunning) return problem("not-running", { retryAfterSeconds: RETRY_AFTER_SECONDS });
    const isEarly = receiver.provesByHeaders === true;
    if (isEarly && !await isAuthentic(receiver, request.headers, NOTHING)) return problem("unauthorized");
    const body = await readBody(request, { maxBytes: receiver.maxBodyBytes, deadlines });
    if (!isEarly && !await isAuthentic(receiver, request.headers, body)) return problem("unauthorized");
    const batch = parse(receiver, body, request.headers);
    try {
      if (isOnlyMessages(batch)) await receiveAll(communicator, batch.messages);
      else await commit(communicator, batch);
    } catch (error) {
      if (error instanceof NotRunningError) return problem("not-running", { retryAfterSeconds: RETRY_AFTER_SECONDS });
      logger.error("cannot take in a webhook", { backend: name, ...errorFields(error) });
      return problem("store", { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    return new Response(null, { status: 200 });
  }

  async function isAuthentic(receiver: WebhookReceiver, headers: Headers, body: Uint8Array): Promise<boolean> {
    try {
      return await receiver.verify(headers, body);
    } catch (error) {
      logger.error("a webhook receiver threw while verifying", errorFields(error));
      return false;
    }
  }

  function parse(receiver: WebhookReceiver, body: Uint8Array, headers: Headers): WebhookBatch {
    try {
      return receiver.parse(body, headers);
    } catch (error) {
      logger.error("a webhook receiver threw while parsing", errorFields(error));
      return { messages: [], receipts: [], quarantined: [previewOf(body)] };
    }
  }

  async function commit(communicator: Communicator, batch: WebhookBatch): Promise<void> {
    const { messages, receipts, quarantined } = batch;
    if (quarantined.length > 0) await keepAside(communicator, quarantined);
    if (messages.length > 0) await receiveAll(communicator, messages);
    if (receipts.length > 0) await communicator.receiveReceipts(receipts);
  }

  /** A message that can never be taken in must not keep the others of its batch out, nor come again for days. */
  async function receiveAll(communicator: Communicator, messages: readonly IncomingMessage[]): Promise<void> {
    try {
      await communicator.receive(messages);
    } catch (error) {
      if (!isForGood(error)) throw error;
      for (const message of messages) await receiveOne(communicator, message);
    }
  }

  async function receiveOne(communicator: Communicator, message: IncomingMessage): Promise<void> {
    try {
      await communicator.receive([message]);
    } catch (error) {
      if (!isForGood(error)) throw error;
      logger.warn("a message cannot be taken in and is quarantined", {
        backend: communicator.name,
        messageId: message.id,
        ...errorFields(error),
      });
      await keepAside(communicator, [summaryOf(message)]);
    }
  }

  /** What a provider sends twice is kept once: its id is made from what it is. */
  async function keepAside(communicator: Communicator, items: readonly JsonValue[]): Promise<void> {
    const operations = application.inbox.quarantineOperations(communicator.name, items);
    const named = operations.map(async (operation): Promise<StoreOperation> => {
      if (operation.type !== "append") return operation;
      const { message } = operation;
      return { ...operation, message: { ...message, id: await digestOf(message.senderId, message.content) } };
    });
    await application.store.commit(await Promise.all(named));
  }

  async function prove(request: Request, name: string): Promise<Response> {
    const receiver = application.communicators.get(name)?.webhook;
    if (receiver === undefined) return problem("not-found");
    if (receiver.handshake === undefined) return problem("method-not-allowed", { headers: { allow: "POST" } });
    return await receiver.handshake(new URL(request.url));
  }

  addRoute(app, "/webhooks/:backend", {
    GET: (request, { backend = "" }) => prove(request, backend),
    POST: (request, { backend = "" }) => take(request, backend),
  }, logger);
}

/** Nearly always. */
function isOnlyMessages({ messages, receipts, quarantined }: WebhookBatch): boolean {
  return messages.length > 0 && receipts.length === 0 && quarantined.length === 0;
}

function isForGood(error: unknown): boolean {
  return error instanceof ValidationError || error instanceof TooLargeError || error instanceof SchemaError;
}

async function digestOf(backendName: string, item: JsonValue): Promise<string> {
  const bytes = new TextEncoder().encode(`${backendName}\n${JSON.stringify(item)}`);
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function previewOf(body: Uint8Array): JsonValue {
  return {
    unparsed: new TextDecoder().decode(body.subarray(0, PREVIEW_BYTES)),
    bytes: body.byteLength,
  };
}

/** What identifies a message that is too large or too odd to be kept whole. */
function summaryOf(message: IncomingMessage): JsonValue {
  const { id, kind, text, conversation, timestamp } = message;
  return { id, kind, conversation, timestamp, text: text.slice(0, 10_000) };
}
