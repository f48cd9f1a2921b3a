/**
 * A channel as a `ReadableStream`.
 *
 * @module
 */
import type { StoredMessage } from "../message/channel-message.ts";
import type { Gap, MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { WakeGate } from "../support/wake-gate.ts";
import type { ReadPage, StreamOptions } from "./channel-options.ts";
import { GapMemory } from "./gap-memory.ts";
import { pollIntervalOf } from "./polling.ts";

/** What a stream is made of. */
export interface ChannelStreamSource<T> {
  /** Time. */
  readonly clock: Clock;
  /** Where the messages are. */
  readonly store: MessageStore;
  /** The channel's key. */
  readonly key: string;
  /** Who reads. */
  readonly readerId: string;
  /** What the caller asked for. */
  readonly options: StreamOptions;
  /** Reads behind a place, or behind the reader's own, and moves nothing. */
  readonly peek: (after: number | undefined, limit: number) => Promise<ReadPage<T>>;
  /** Where a gap goes when the caller gave no `onGap`. */
  readonly onGap: (gap: Gap) => void;
  /** Hears what goes wrong when nobody reads any more. */
  readonly onError: (error: unknown) => void;
  /** Called once it has ended. */
  readonly onEnd: () => void;
}

/** A stream, and what ends it from the side of the channel. */
export interface ChannelStream<T> {
  /** The stream. */
  readonly readable: ReadableStream<StoredMessage<T>>;
  /** Ends it after what was taken: whoever reads gets the end. */
  end(): Promise<void>;
}

/**
 * Makes the stream. With `after` the reader's own place is left alone; without it the place moves page by page, as pages
 * are taken, and once more when the stream ends: a message that was read ahead and not taken is read again next time.
 */
export function channelStream<T>(source: ChannelStreamSource<T>): ChannelStream<T> {
  const { store, key, readerId, options, clock } = source;
  const { signal, highWaterMark = 100, onGap = source.onGap } = options;
  const gate = new WakeGate();
  const gaps = new GapMemory();
  let hasEnded = false;
  let isCancelled = false;
  let position = options.after;
  let page: readonly StoredMessage<T>[] = [];
  let taken = 0;
  /** What was taken up to here, and what of it the store knows. */
  let takenTo = 0;
  let rememberedTo = 0;

  const unwatch = store.watch(key, () => gate.wake());

  /** Tells the store how far the reader came. */
  async function remember(): Promise<void> {
    if (options.after !== undefined || takenTo <= rememberedTo) return;
    rememberedTo = takenTo;
    await store.commit([{ type: "set-cursor", channel: key, readerId, seq: takenTo }]);
  }

  async function fill(): Promise<void> {
    await remember();
    const read = await source.peek(position, highWaterMark);
    const gap = gaps.news(read.gap);
    if (gap !== undefined) onGap(gap);
    page = read.messages;
    taken = 0;
    // Not before there was something: a reader without a place has no gap, one that names a place has.
    if (page.length > 0) position = read.cursor;
  }

  async function end(): Promise<void> {
    if (hasEnded) return;
    hasEnded = true;
    unwatch();
    signal?.removeEventListener("abort", onAbort);
    gate.wake();
    source.onEnd();
    await remember();
  }

  function onAbort(): void {
    end().catch(source.onError);
  }

  const readable = new ReadableStream<StoredMessage<T>>({
    async pull(controller): Promise<void> {
      try {
        while (!hasEnded && signal?.aborted !== true) {
          const next = page[taken];
          if (next !== undefined) {
            taken++;
            takenTo = next.seq;
            controller.enqueue(next);
            return;
          }
          await fill();
          if (page.length === 0 && !hasEnded) await gate.wait(clock, pollIntervalOf(store));
        }
        if (!isCancelled) controller.close();
      } catch (error) {
        await end().catch(source.onError);
        throw error;
      }
    },
    cancel(): Promise<void> {
      isCancelled = true;
      return end();
    },
  }, { highWaterMark: 0 });

  // Not at once: the caller does not have the stream yet.
  if (signal?.aborted === true) queueMicrotask(onAbort);
  else signal?.addEventListener("abort", onAbort, { once: true });
  return { readable, end };
}
