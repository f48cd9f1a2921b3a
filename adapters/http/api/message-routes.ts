/**
 * Saying messages over HTTP, and looking at what became of them.
 *
 * @module
 */
import { type DeliveryEvent, NotRunningError, PosthornError, type StoredMessage } from "../../../core/mod.ts";
import { encodeEvent } from "../event-frame.ts";
import { problem } from "../problem.ts";
import { parseJsonObject } from "../read-body.ts";
import type { Api } from "./api.ts";
import { readMessage } from "./api-input.ts";
import { lookUpKey } from "./idempotency.ts";
import { isRecipientAllowed } from "./recipient-policy.ts";

/**
 * Adds `POST /messages`, `GET /messages/stream` and `GET /messages/{id}`.
 *
 * @param api What serves them.
 */
export function addMessageRoutes(api: Api): void {
  const { application, options } = api;
  const { store, ledger } = application;
  const stream = api.streamOf(ledger.channel.key, encodeDelivery);

  async function emit(request: Request): Promise<Response> {
    // Taken now, it would wait for a start that may never come.
    if (!application.isRunning) throw new NotRunningError("Cannot emit: the application is not running");
    const body = await api.readBody(request);
    const init = readMessage(parseJsonObject(body));
    const reached = application.explain(init).reaches.map(({ backendName }) => backendName);
    for (const recipient of init.recipients ?? []) {
      const refusing = reached.find((name) => !isRecipientAllowed(options.allowRecipients ?? {}, name, recipient));
      if (refusing === undefined) continue;
      return problem("forbidden", {
        detail: `Callers of the API may not name this recipient on backend "${refusing}"`,
        argument: "recipients",
      });
    }
    const { id, isMismatch } = await lookUpKey(store, "messages", request, body);
    if (isMismatch) return problem("idempotency-mismatch");
    const { messageId, deliveries, undelivered } = await application.emit({
      ...init,
      ...(id === undefined ? {} : { id }),
    });
    const report = {
      messageId,
      deliveries: deliveries.map(({ deliveryId, backendName, recipient, status }) => ({
        deliveryId,
        backendName,
        recipient,
        status,
      })),
      undelivered,
    };
    if (deliveries.length === 0) return problem("routing", { undelivered });
    return api.json(report, 202, { location: `/messages/${encodeURIComponent(messageId)}` });
  }

  async function show(messageId: string): Promise<Response> {
    const events = await ledger.eventsOf(messageId);
    if (events.length === 0) {
      throw new PosthornError("unknown-message", "Cannot show the message: the ledger has no such message");
    }
    const deliveries = new Map<string, DeliveryEvent[]>();
    for (const event of events) {
      const known = deliveries.get(event.deliveryId);
      if (known === undefined) deliveries.set(event.deliveryId, [event]);
      else known.push(event);
    }
    return api.json({
      messageId,
      deliveries: Array.from(deliveries, ([deliveryId, steps]) => ({
        deliveryId,
        backendName: steps[0]?.backendName,
        recipient: steps[0]?.recipient,
        status: steps.at(-1)?.status,
        events: steps,
      })),
    });
  }

  api.route("/messages", { POST: emit });
  api.route("/messages/stream", { GET: stream });
  api.route("/messages/:id", { GET: (_request, { id = "" }) => show(id) });
}

function encodeDelivery(message: StoredMessage): Uint8Array {
  return encodeEvent({ id: message.seq, event: "delivery", data: message.content });
}
