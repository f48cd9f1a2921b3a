/**
 * Work in short bursts, for places where nothing runs between requests.
 *
 * @module
 */
import type { Inbox } from "../inbox/inbox.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PlanRunner } from "../outbox/plan-runner.ts";
import type { SenderWorker } from "../outbox/sender-worker.ts";
import type { MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import type { Messenger } from "./messenger.ts";

/** How much one round of `Application.pump` does at most. */
export interface PumpLimits {
  /** How long it may take, in milliseconds. @default `10_000` */
  readonly budgetMs?: number;
  /** How many sends on each backend. @default as many as are due */
  readonly maxSends?: number;
}

/** What one round of `Application.pump` did. */
export interface PumpReport {
  /** Messages handled. */
  readonly handled: number;
  /** Attempts to send. */
  readonly sent: number;
  /** When to pump again, in milliseconds since 1970; `undefined`: when something comes in. */
  readonly nextDueAt: number | undefined;
}

/** What a round works on. */
export interface PumpParts {
  /** Where everything is kept. */
  readonly store: MessageStore;
  /** Handles what came in. */
  readonly messenger: Messenger;
  /** Follows plans. */
  readonly plans: PlanRunner;
  /** Send, by the name of their backend. */
  readonly senders: ReadonlyMap<string, SenderWorker>;
  /** Messages on their way in. */
  readonly inbox: Inbox;
  /** Messages on their way out. */
  readonly outbox: Outbox;
  /** Time. */
  readonly clock: Clock;
}

/** Handles what came in, follows the plans that are due, sends what is due. */
export async function pumpOnce(
  parts: PumpParts,
  { budgetMs = 10_000, maxSends = Infinity }: PumpLimits,
): Promise<PumpReport> {
  const { store, messenger, plans, senders, inbox, outbox, clock } = parts;
  const deadline = clock.monotonic() + budgetMs;
  const left = (): number => Math.max(0, deadline - clock.monotonic());
  const handled = await messenger.pump({ budgetMs: left() });
  await plans.pump({ budgetMs: left() });
  const counts = await Promise.all(
    Array.from(senders.values(), (sender) => sender.pump({ budgetMs: left(), maxMessages: maxSends })),
  );
  const sent = counts.reduce((sum, count) => sum + count, 0);
  const queues = await Promise.all(Array.from(senders.keys(), (name) => outbox.queue(name)));
  const keys = [inbox.queue.key, plans.channelKey, ...queues.map((queue) => queue.key)];
  return { handled, sent, nextDueAt: await store.nextDueAt(keys) };
}
