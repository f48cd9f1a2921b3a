/**
 * Sends one message from a process of its own, and waits for what becomes of it.
 *
 * @module
 */
import {
  Application,
  type BackendConfig,
  type DeliveryEvent,
  type DispatchEntry,
  type DispatchReport,
  type Logger,
  MemoryStore,
  type OutgoingMessageInit,
  type Undelivered,
} from "../../core/mod.ts";
import type { PreparedApplication } from "../app/prepare-application.ts";
import type { PosthornConfig } from "../config/config-types.ts";

/** How one delivery ended, or where it stood when the waiting did. */
export interface DeliveryEnd {
  readonly deliveryId: string;
  readonly backend: string;
  readonly recipient: string | undefined;
  readonly status: DeliveryEvent["status"] | DispatchEntry["status"];
  readonly reason: string | undefined;
  readonly code: string | undefined;
  readonly detail: string | undefined;
  /** What became of each channel of a fallback group that was tried, in the order they were. */
  readonly steps?: readonly DeliveryEnd[];
}

/** What became of a message. */
export interface Outcome {
  readonly messageId: string;
  readonly deliveries: readonly DeliveryEnd[];
  readonly undelivered: readonly Undelivered[];
}

/** How {@link deliver} goes about it. */
export interface DeliverOptions {
  /** The backends the message reaches. */
  readonly reached: readonly string[];
  /** How long to wait. */
  readonly timeoutMs: number;
  /** Where is said what happens. */
  readonly logger: Logger;
}

/**
 * Sends a message and waits.
 *
 * @param prepared The configuration and the kinds it needs.
 * @param message The message.
 * @param options Which backends, how long.
 */
export async function deliver(
  prepared: PreparedApplication,
  message: OutgoingMessageInit,
  options: DeliverOptions,
): Promise<Outcome> {
  const { reached, timeoutMs, logger } = options;
  const application = await Application.create(onlyForSending(prepared.config, reached), {
    backends: prepared.backends,
    store: new MemoryStore(),
    closeStore: true,
    logger,
  });
  try {
    const report = await application.emit(message);
    await waitFor(report, timeoutMs);
    const { messageId, undelivered } = report;
    return { messageId, undelivered, deliveries: await endsOf(report, application) };
  } finally {
    await application.stop();
  }
}

/**
 * The backends that the message reaches and no other, and none of them listening: the service that runs with the same
 * configuration goes on receiving.
 */
function onlyForSending(config: PosthornConfig, reached: readonly string[]): PosthornConfig {
  const all = config.communications?.backends ?? {};
  const wanted = new Set<string>();
  const waiting = [...reached];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (wanted.has(name)) continue;
    wanted.add(name);
    const channels = all[name]?.["channels"];
    if (Array.isArray(channels)) waiting.push(...channels.filter((channel) => typeof channel === "string"));
  }
  const backends = Object.entries(all).filter(([name]) => wanted.has(name)).map((
    [name, backend],
  ) => [name, silent(backend)]);
  return {
    communications: { enabled: true, backends: Object.fromEntries(backends) },
    outbox: { ...config.outbox, drain_timeout: 1 },
  };
}

function silent(backend: BackendConfig): BackendConfig {
  return backend["listen_to_commands"] === undefined ? backend : { ...backend, listen_to_commands: false };
}

/** Waits until all is settled, or for as long as was asked. */
async function waitFor(report: DispatchReport, timeoutMs: number): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    await report.settled({ signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** How each delivery stands now: its end, or the last that was heard of it. */
async function endsOf(report: DispatchReport, application: Application): Promise<readonly DeliveryEnd[]> {
  const events = await application.ledger.eventsOf(report.messageId);
  const told = events.filter(({ status }) => status !== "attempting");
  const last = new Map(told.map((event) => [event.deliveryId, event]));
  const known = new Set(report.deliveries.map(({ deliveryId }) => deliveryId));
  return report.deliveries.map((entry) => {
    const event = last.get(entry.deliveryId);
    const end = event === undefined ? endOfEntry(entry) : endOfEvent(event);
    const steps = [...last.values()].filter(({ deliveryId }) =>
      !known.has(deliveryId) && deliveryId.startsWith(entry.deliveryId)
    );
    return steps.length === 0 ? end : { ...end, steps: steps.map(endOfEvent) };
  });
}

function endOfEvent({ deliveryId, backendName, recipient, status, reason, code, detail }: DeliveryEvent): DeliveryEnd {
  return { deliveryId, backend: backendName, recipient, status, reason, code, detail };
}

/** Without an outbox there is no ledger either, but the receipt. */
function endOfEntry({ deliveryId, backendName, recipient, status, receipt }: DispatchEntry): DeliveryEnd {
  const end = {
    deliveryId,
    backend: backendName,
    recipient,
    status,
    reason: undefined,
    code: undefined,
    detail: undefined,
  };
  if (receipt === undefined || receipt.outcome === "accepted") return end;
  return receipt.outcome === "rejected"
    ? { ...end, reason: receipt.reason, code: receipt.code, detail: receipt.detail }
    : { ...end, detail: receipt.detail };
}
