/**
 * Stopping an application: everything in its order, under one deadline.
 *
 * @module
 */
import type { ChannelCore } from "../channels/channel-core.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PlanRunner } from "../outbox/plan-runner.ts";
import type { MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import type { Backends } from "./backends.ts";
import type { IntakeGate } from "./intake-gate.ts";
import type { Messenger } from "./messenger.ts";
import type { StopDeadline } from "./stop-deadline.ts";

/** What stops. */
export interface ShutdownParts {
  /** Where everything is kept. */
  readonly store: MessageStore;
  /** By which messages come in. */
  readonly gate: IntakeGate;
  /** Handles them. */
  readonly messenger: Messenger;
  /** Follows plans. */
  readonly plans: PlanRunner;
  /** The program's own channels. */
  readonly channels: readonly ChannelCore[];
  /** Send. */
  readonly backends: Backends;
  /** Messages on their way in. */
  readonly inbox: Inbox;
  /** Messages on their way out. */
  readonly outbox: Outbox;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what was left. */
  readonly logger: Logger;
}

/** How much of the time is over when handlers are told to end, … */
const HANDLERS_TOLD = 0.5;
/** … when they are left behind, … */
const HANDLERS_LEFT = 0.6;
/** … when what is being sent is aborted, … */
const SENDS_TOLD = 0.75;
/** … when it is left behind, … */
const SENDS_LEFT = 0.85;
/** … when backends are, … */
const BACKENDS_LEFT = 0.95;
/** … and when everything is. */
const OVER = 1;
/** Who is told to end gets most of what is left of its share, so that being left behind is not being late. */
const GRACE = 0.8;
/** How often it is looked whether there is still something to handle, or to send. */
const LOOK_MS = 10;

/** How an application stops. */
export interface ShutdownOptions {
  /** Until when. */
  readonly deadline: StopDeadline;
  /** Whether what a store in memory holds is handled and sent first: it ends with the process. */
  readonly drains: boolean;
  /** Called when nobody sends any more. */
  readonly onSendersStop: () => void;
}

/**
 * Stops everything in its order: takes nothing in any more, finishes what is being handled, then what is being sent, then
 * stops the backends and closes the rest. What cannot be stopped, or not in time, keeps nothing else from it.
 *
 * @returns What went wrong.
 */
export async function shutDown(parts: ShutdownParts, options: ShutdownOptions): Promise<readonly unknown[]> {
  const { gate, messenger, plans, channels, backends, inbox, outbox, logger } = parts;
  const { deadline, drains, onSendersStop } = options;
  const errors: unknown[] = [];
  async function step(share: number, what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await deadline.within(share, what, work());
    } catch (error) {
      logger.error("part of the application did not stop", { part: what, ...errorFields(error) });
      errors.push(error);
    }
  }
  await step(HANDLERS_TOLD, "what is being taken in", () => gate.close());
  await step(HANDLERS_TOLD, "the tries to start backends", () => backends.giveUp());
  if (drains) await step(HANDLERS_LEFT, "what is to be handled", () => untilHandled(parts, deadline));
  const handlers = [
    deadline.leftMs(HANDLERS_TOLD),
    (HANDLERS_LEFT - HANDLERS_TOLD) * GRACE * deadline.totalMs,
  ] as const;
  await step(HANDLERS_LEFT, "handlers", () => messenger.stop(...handlers));
  await step(HANDLERS_LEFT, "fallback plans", () => plans.stop(...handlers));
  const leftMs = deadline.leftMs(HANDLERS_TOLD);
  await Promise.all(
    channels.map((channel) => step(HANDLERS_LEFT, `channel "${channel.id}"`, () => channel.stop(leftMs))),
  );
  if (drains) await step(SENDS_LEFT, "what is to be sent", () => untilSent(parts, deadline));
  onSendersStop();
  const sends = [deadline.leftMs(SENDS_TOLD), (SENDS_LEFT - SENDS_TOLD) * GRACE * deadline.totalMs] as const;
  await step(SENDS_LEFT, "sends", () => backends.stopSending(...sends));
  errors.push(...await backends.stop(deadline, BACKENDS_LEFT));
  await step(OVER, "the inbox", () => inbox.stop());
  await step(OVER, "the outbox", () => outbox.stop());
  await step(OVER, "the count of what is left", () => reportLeft(parts));
  return errors;
}

/** What a store in memory holds is gone with it: handle what is due, or will be in time. */
async function untilHandled({ messenger, inbox, ...parts }: ShutdownParts, deadline: StopDeadline): Promise<void> {
  while (messenger.isRouting && await isBusy(parts, inbox.queue.key, deadline.leftMs(HANDLERS_TOLD))) {
    await parts.clock.sleep(LOOK_MS);
  }
}

/** The same for what is to be sent, where it can be. */
async function untilSent({ backends, outbox, ...parts }: ShutdownParts, deadline: StopDeadline): Promise<void> {
  async function isSending(name: string): Promise<boolean> {
    return backends.isStarted(name) && await isBusy(parts, (await outbox.queue(name)).key, deadline.leftMs(SENDS_TOLD));
  }
  while ((await Promise.all(Array.from(backends.senders.keys(), isSending))).includes(true)) {
    await parts.clock.sleep(LOOK_MS);
  }
}

/** Whether a queue has something to do in the time that is left: now, or when what waits for its time or its pace is due. */
async function isBusy(
  { store, clock }: Pick<ShutdownParts, "store" | "clock">,
  channel: string,
  leftMs: number,
): Promise<boolean> {
  if (leftMs <= 0) return false;
  const { ready, claimed, delayed } = await store.stats(channel);
  if (ready + claimed > 0) return true;
  const dueAt = delayed === 0 ? undefined : await store.nextDueAt([channel]);
  return dueAt !== undefined && dueAt <= clock.now() + leftMs;
}

/** Says what was not finished: it waits for the next start, or ends with a store in memory. */
async function reportLeft({ store, backends, inbox, outbox, messenger, logger }: ShutdownParts): Promise<void> {
  function say(what: string, fields: { readonly count: number; readonly backend?: string }): void {
    if (fields.count === 0) return;
    if (store.capabilities.durable) logger.info(`messages were not ${what} and wait for the next start`, fields);
    else logger.error(`messages were not ${what} and end with the process`, fields);
  }
  if (messenger.isHandling) say("handled", { count: (await store.stats(inbox.queue.key)).stored });
  for (const backend of backends.senders.keys()) {
    const { stored } = await store.stats((await outbox.queue(backend)).key);
    say("sent", { backend, count: stored });
  }
}
