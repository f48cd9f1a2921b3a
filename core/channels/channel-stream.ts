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
  /** Reads behind a place, or behind the reader's own. */
  readonly read: (after: number | undefined, limit: number) => Promise<ReadPage<T>>;
  /** Where a gap goes when the caller gave no `onGap`. */
  readonly onGap: (gap: Gap) => void;
}

/**
 * Makes the stream. With `after` the reader's own place is left alone; without it the place moves page by page, as each
 * page is handed over: a message that was read ahead and not taken is read again next time.
 */
export function channelStream<T>(source: ChannelStreamSource<T>): ReadableStream<StoredMessage<T>> {
  const { store, key, readerId, options, clock } = source;
  const { signal, highWaterMark = 100 } = options;
  const gate = new WakeGate();
  const ended = new AbortController();
  const unwatch = store.watch(key, () => gate.wake());
  let position = options.after;
  let page: readonly StoredMessage<T>[] = [];
  let taken = 0;
  let started = false;

  async function fill(): Promise<void> {
    const read = await source.read(position, Math.max(1, highWaterMark));
    if (read.gap !== undefined) (options.onGap ?? source.onGap)(read.gap);
    position = read.cursor;
    page = read.messages;
    taken = 0;
  }

  /** The first page starts at the reader's durable place without moving it: only what is taken moves it. */
  async function begin(): Promise<void> {
    started = true;
    if (position !== undefined) return;
    const place = await store.readShared({ channel: key, readerId, limit: 1, advance: false });
    const [first] = place.messages;
    position = first === undefined ? place.cursor : first.seq - 1;
    if (place.gap !== undefined) (options.onGap ?? source.onGap)(place.gap);
  }

  async function remember(seq: number): Promise<void> {
    if (options.after === undefined) await store.commit([{ type: "set-cursor", channel: key, readerId, seq }]);
  }

  function end(): void {
    unwatch();
    ended.abort();
    signal?.removeEventListener("abort", end);
  }

  return new ReadableStream<StoredMessage<T>>({
    start(): void {
      if (signal?.aborted === true) end();
      else signal?.addEventListener("abort", end, { once: true });
    },
    async pull(controller): Promise<void> {
      try {
        if (!started) await begin();
        while (!ended.signal.aborted) {
          const next = page[taken];
          if (next !== undefined) {
            taken++;
            if (taken === page.length) await remember(next.seq);
            controller.enqueue(next);
            return;
          }
          await fill();
          if (page.length === 0) await gate.wait(clock, undefined, ended.signal);
        }
        controller.close();
      } catch (error) {
        end();
        throw error;
      }
    },
    cancel(): Promise<void> {
      const last = page[taken - 1];
      end();
      return last === undefined ? Promise.resolve() : remember(last.seq);
    },
  }, { highWaterMark: 0 });
}
