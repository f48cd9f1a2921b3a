/**
 * A handler at work on a queue.
 *
 * @module
 */
import { LeaseLostError, PosthornError } from "../errors.ts";
import type { ClaimedMessage, StoredMessage } from "../message/channel-message.ts";
import type { StoreOperation } from "../store/message-store.ts";
import { backoffDelayMs, type BackoffOptions } from "../support/backoff.ts";
import { describeError } from "../support/redact.ts";
import type { BurialInfo } from "./dead-letter.ts";
import { QueueConsumer } from "./queue-consumer.ts";
import type { QueueConsumerOptions, Settlement, WorkContext } from "./queue-consumer-options.ts";

/** How {@link WorkQueueChannel.consume} works. */
export interface ConsumeOptions {
  /** How many messages at once. @default `1` */
  readonly concurrency?: number;
  /** Ends the consumer, after what is being handled. */
  readonly signal?: AbortSignal;
}

/** What a handler of {@link WorkQueueChannel.consume} may use. */
export interface ConsumeContext extends WorkContext {
  /** Whether this is the last delivery before the message becomes a dead letter. */
  readonly isLast: boolean;
}

/** Does one piece of work. Returning acknowledges it, throwing gives it back. */
export type WorkHandler<T> = (message: ClaimedMessage<T>, context: ConsumeContext) => void | Promise<void>;

/** A running consumer. */
export interface Consumer {
  /**
   * Stops it: claims no more, and waits for what is being handled, at most `deadlineMs`; then its signal fires, and what
   * does not end within 5 seconds is left to its lease.
   */
  stop(deadlineMs?: number): Promise<void>;
  /** Resolves when it has stopped. */
  readonly finished: Promise<void>;
}

/** What a consumer needs of its queue. */
export interface ConsumerSource<T> {
  /** Who works, where, and for how long at a time. */
  readonly engine: Omit<QueueConsumerOptions, "work" | "settled" | "onError">;
  /** Does one piece of work. */
  readonly handler: WorkHandler<T>;
  /** How often a message is delivered at most. */
  readonly maxDeliveries: number;
  /** How long to wait after a failed delivery. */
  readonly backoff: BackoffOptions;
  /** What ends it. */
  readonly signal: AbortSignal | undefined;
  /** Gives a message its type. */
  readonly typed: (message: ClaimedMessage) => ClaimedMessage<T>;
  /** Why a message is given up before anybody works on it. */
  readonly deadReason: (message: StoredMessage, attempt: number) => string | undefined;
  /** What keeps a message among the dead letters. */
  readonly burial: (message: ClaimedMessage, info: Omit<BurialInfo, "at">) => readonly StoreOperation[];
  /** Hears what goes wrong. */
  readonly onError: (error: unknown, message?: StoredMessage<T>) => void;
  /** Called when it has stopped. */
  readonly onEnd: () => void;
}

/**
 * Starts a consumer.
 *
 * @param source Its queue.
 * @throws {StoreError} If the store is closed.
 */
export function startConsumer<T>(source: ConsumerSource<T>): Consumer {
  const { signal, onError } = source;
  const engine = new QueueConsumer({
    ...source.engine,
    work: (message, context) => handle(source, message, context),
    settled: (message, _settlement, committed) => {
      if (committed) return;
      const text = `Cannot settle message "${message.id}": its lease was lost, and it is delivered again`;
      onError(new LeaseLostError(text, message.id), source.typed(message));
    },
    onError,
  });
  engine.start();
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => finish = resolve);
  let ended = false;
  const stop = async (deadlineMs?: number): Promise<void> => {
    await engine.stop(deadlineMs);
    if (ended) return;
    ended = true;
    signal?.removeEventListener("abort", onAbort);
    source.onEnd();
    finish();
  };
  const onAbort = (): void => void stop().catch(onError);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  return { stop, finished };
}

async function handle<T>(
  source: ConsumerSource<T>,
  claimed: ClaimedMessage,
  context: WorkContext,
): Promise<Settlement> {
  const { handler, maxDeliveries, backoff, burial } = source;
  const { signal, attempt } = context;
  const dead = source.deadReason(claimed, attempt);
  if (dead !== undefined) return { kind: "ack", operations: burial(claimed, { reason: dead, failure: null }) };
  const isLast = attempt >= maxDeliveries;
  const message = source.typed(claimed);
  try {
    await handler(message, { signal, attempt, isLast });
    return { kind: "ack" };
  } catch (error) {
    if (wasTold(signal)) {
      // The stop interrupted the work, which is no fault of the message: the delivery does not count.
      return { kind: "release", release: { countAttempt: false, failure: { reason: "stopped" } } };
    }
    const detail = describeError(error);
    source.onError(
      new PosthornError("handler", `Cannot handle message "${message.id}": the handler threw`, { cause: error }),
      message,
    );
    const failure = "handler-error";
    if (isLast) return { kind: "ack", operations: burial(claimed, { reason: "max-deliveries", failure, detail }) };
    const delayMs = backoffDelayMs(attempt, backoff);
    return { kind: "release", release: { delayMs, failure: { reason: failure, detail } } };
  }
}

/** Whether work was told to end because its worker stops. */
function wasTold(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof PosthornError && signal.reason.code === "stopping";
}
