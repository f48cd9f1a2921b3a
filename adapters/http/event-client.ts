/**
 * One client of an event stream.
 *
 * @module
 */
import type { SharedPage, StoredMessage } from "../../core/mod.ts";
import { encodeEvent, OPENING } from "./event-frame.ts";

/** What one client wants. */
export interface OpenOptions {
  /** Go on behind this place. `-1` is a place nobody knows. Absent: only what is new. */
  readonly after?: number;
  /** Whether a place before the first message kept is a loss the client should hear of. @default `true` */
  readonly tellGap?: boolean;
  /** Which messages. Absent: all. */
  readonly filter?: (message: StoredMessage) => boolean;
  /** Sent first, as soon as the client reads. */
  readonly greeting?: Uint8Array;
}

/** What a client needs of its hub. */
export interface EventClientSource {
  /** What the client asked for. */
  readonly open: OpenOptions;
  /** How much may wait. */
  readonly maxBufferBytes: number;
  /** How many messages are read at a time at most. */
  readonly pageSize: number;
  /** The event of a message. */
  readonly encode: (message: StoredMessage) => Uint8Array | undefined;
  /** Reads the log. */
  readonly read: (after: number, limit: number) => Promise<SharedPage>;
  /** The latest place of the log. */
  readonly lastSeq: () => Promise<number>;
  /** The client reads for the first time. */
  readonly onOpen: (client: EventClient) => void;
  /** The client has read to the end: `true` when it gets everything behind `cursor` from the hub from now on. */
  readonly tryJoin: (client: EventClient, cursor: number) => boolean;
  /** The client does not keep up and reads for itself again. */
  readonly onLag: (client: EventClient) => void;
  /** The client is gone. */
  readonly onEnd: (client: EventClient) => void;
}

/**
 * One client: a queue of a bounded size in front of a stream that is only filled when it is read. Runtimes read it when
 * the connection takes more, so a full queue is a connection that does not.
 */
export class EventClient {
  /** What the connection is sent. */
  readonly stream: ReadableStream<Uint8Array>;
  /** Since when it has left waiting data alone; the hub keeps it. */
  stalledSince: number | undefined;
  readonly #source: EventClientSource;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Looked at up to here. */
  #cursor = 0;
  /** Handed to the connection up to here. */
  #handedOver = 0;
  #isLive = false;
  #isOpen = false;
  #isEnded = false;
  #tellGap: boolean;
  #pageSize: number;
  #wake: (() => void) | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  /** @param source What it needs of its hub. */
  constructor(source: EventClientSource) {
    this.#source = source;
    this.#tellGap = source.open.tellGap ?? true;
    this.#pageSize = Math.min(32, source.pageSize);
    this.stream = new ReadableStream<Uint8Array>({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#finish(),
    }, { highWaterMark: 0 });
  }

  /** Where it is in the log. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Whether the connection would take something and there is nothing. */
  get isWaiting(): boolean {
    return this.#wake !== undefined && this.#queue.length === 0;
  }

  /** Whether it wants a message. */
  wants(message: StoredMessage): boolean {
    return message.seq > this.#cursor && (this.#source.open.filter?.(message) ?? true);
  }

  /** Takes a message of the hub: its place and, unless it is not for this client, its event. */
  deliver(seq: number, bytes: Uint8Array | undefined): void {
    if (seq <= this.#cursor) return;
    if (bytes === undefined) {
      this.#cursor = seq;
      // Nothing waits, so everything up to here is handed over.
      if (this.#queue.length === 0) this.#handedOver = seq;
      return;
    }
    if (this.#queuedBytes + bytes.byteLength > this.#source.maxBufferBytes && this.#queue.length > 0) {
      this.#lag();
      return;
    }
    this.#cursor = seq;
    this.send(bytes);
  }

  /** Sends something that has no place in the log. */
  send(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.byteLength;
    this.#wake?.();
  }

  /** Ends the stream well. */
  end(): void {
    if (this.#isEnded) return;
    this.#finish();
    this.#controller?.close();
  }

  /** Breaks the connection off. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#finish();
    this.#controller?.error(error);
  }

  #finish(): void {
    this.#isEnded = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#wake?.();
    this.#source.onEnd(this);
  }

  /** Forgets what waits and goes back to the log, where it is kept anyway. */
  #lag(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#cursor = this.#handedOver;
    this.#isLive = false;
    this.#tellGap = true;
    this.#source.onLag(this);
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#controller = controller;
    this.stalledSince = undefined;
    try {
      if (!this.#isOpen) await this.#begin();
      for (;;) {
        if (this.#isEnded) return;
        if (this.#queue.length > 0) {
          controller.enqueue(this.#takeAll());
          return;
        }
        if (this.#isLive) await this.#wait();
        else await this.#catchUp();
      }
    } catch (error) {
      if (!this.#isEnded) this.#finish();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    this.#isOpen = true;
    this.#source.onOpen(this);
    this.send(OPENING);
    const { after, greeting } = this.#source.open;
    if (greeting !== undefined) this.send(greeting);
    const lastSeq = await this.#source.lastSeq();
    if (after === undefined) {
      this.#cursor = lastSeq;
    } else if (after < 0 || after > lastSeq) {
      // A place of another log: of a run before, whose store is gone. Say so, and begin at the beginning.
      this.send(encodeEvent({ id: 0, event: "reset", data: { fromSeq: 0, toSeq: 0 } }));
      this.#tellGap = false;
    } else {
      this.#cursor = after;
    }
    this.#handedOver = this.#cursor;
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  /** Reads a page of the log, and joins the live ones when that was all. */
  async #catchUp(): Promise<void> {
    const { read, encode, open, pageSize, maxBufferBytes } = this.#source;
    const limit = this.#pageSize;
    const page = await read(this.#cursor, limit);
    if (this.#isEnded) return;
    if (page.gap !== undefined && this.#tellGap) {
      this.send(encodeEvent({ id: page.gap.toSeq, event: "reset", data: page.gap }));
    }
    this.#tellGap = true;
    for (const message of page.messages) {
      const bytes = open.filter?.(message) === false ? undefined : encode(message);
      if (bytes !== undefined) this.send(bytes);
    }
    this.#cursor = page.cursor;
    if (this.#queue.length === 0) this.#handedOver = this.#cursor;
    // Pages are small where messages are large.
    this.#pageSize = this.#queuedBytes > maxBufferBytes ? Math.max(1, limit >> 1) : Math.min(pageSize, limit * 2);
    // What was read is handed over first: a live client's queue may be thrown away and read again, a page may not.
    if (this.#queue.length === 0 && page.messages.length < limit) {
      this.#isLive = this.#source.tryJoin(this, this.#cursor);
    }
  }

  /** Everything that waits as one chunk: a system call costs more than a copy. */
  #takeAll(): Uint8Array {
    this.#handedOver = this.#cursor;
    const queue = this.#queue;
    const [first] = queue;
    const length = this.#queuedBytes;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (queue.length === 1 && first !== undefined) return first;
    const whole = new Uint8Array(length);
    let offset = 0;
    for (const bytes of queue) {
      whole.set(bytes, offset);
      offset += bytes.byteLength;
    }
    return whole;
  }
}
