/**
 * One log to many clients as server-sent events.
 *
 * @module
 */
import {
  type Clock,
  errorFields,
  type Logger,
  type MessageStore,
  type StoredMessage,
  type TimerHandle,
} from "../../core/mod.ts";
import { EventClient, type OpenOptions } from "./event-client.ts";
import { encodeEvent, encodeHeartbeat } from "./event-frame.ts";

/** What {@link EventHub} is made of. */
export interface EventHubOptions {
  /** Where the log is. */
  readonly store: MessageStore;
  /** The log's key in the store. */
  readonly key: string;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** The event of a message, or `undefined` for none. Called once a message, whatever the number of clients. */
  readonly encode: (message: StoredMessage) => Uint8Array | undefined;
  /** How often a quiet connection gets a comment. @default `7_000` */
  readonly heartbeatMs?: number;
  /** How long a client may leave waiting data alone before it is cut. @default `30_000` */
  readonly stallMs?: number;
  /** How much may wait for one client before it has to read from the log again. @default `262_144` */
  readonly maxBufferBytes?: number;
  /** How many clients at most. @default `20_000` */
  readonly maxClients?: number;
}

/** How many messages are read from the log at a time. */
const PAGE = 256;

/**
 * Follows one log for any number of clients: one read and one encoding a message, however many listen.
 *
 * A client is either *live*, and gets every message from here, or it reads from the log itself until it has caught up.
 * One that does not take what is sent is put back to reading: so the memory of a client is bounded, and a slow one loses
 * nothing that retention keeps. One that takes nothing at all is cut.
 */
export class EventHub {
  readonly #store: MessageStore;
  readonly #key: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #encode: (message: StoredMessage) => Uint8Array | undefined;
  readonly #heartbeatMs: number;
  readonly #stallMs: number;
  readonly #maxBufferBytes: number;
  readonly #maxClients: number;
  readonly #clients = new Set<EventClient>();
  readonly #live = new Set<EventClient>();
  /** What the live clients have been sent up to; only meaningful while there are any. */
  #position = 0;
  #unwatch: (() => void) | undefined;
  #heartbeat: TimerHandle | undefined;
  #isPumping = false;
  #isBehind = false;

  /** @param options The log, time, limits. */
  constructor(options: EventHubOptions) {
    const { heartbeatMs = 7_000, stallMs = 30_000, maxBufferBytes = 262_144, maxClients = 20_000 } = options;
    this.#store = options.store;
    this.#key = options.key;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#encode = options.encode;
    this.#heartbeatMs = heartbeatMs;
    this.#stallMs = stallMs;
    this.#maxBufferBytes = maxBufferBytes;
    this.#maxClients = maxClients;
  }

  /** How many clients are connected. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Whether another client may come. */
  get hasRoom(): boolean {
    return this.#clients.size < this.#maxClients;
  }

  /**
   * A stream of events for one client. Nothing happens before it is read, and everything ends when it is cancelled: an
   * answer that is thrown away unread (to `HEAD`, say) leaves nothing behind.
   *
   * @param options What the client wants.
   */
  open(options: OpenOptions = {}): ReadableStream<Uint8Array> {
    const client = new EventClient({
      open: options,
      maxBufferBytes: this.#maxBufferBytes,
      pageSize: PAGE,
      encode: this.#encode,
      read: (after, limit) =>
        this.#store.readShared({ channel: this.#key, readerId: "event-stream", after, limit, advance: false }),
      lastSeq: async () => (await this.#store.stats(this.#key)).lastSeq,
      onOpen: (opened) => this.#add(opened),
      tryJoin: (joining, cursor) => this.#join(joining, cursor),
      onLag: (lagging) => this.#leave(lagging),
      onEnd: (ended) => {
        this.#clients.delete(ended);
        this.#leave(ended);
        if (this.#clients.size === 0) this.#stopHeartbeat();
      },
    });
    return client.stream;
  }

  /** Ends every stream; clients will come back, wherever they can. */
  close(): void {
    for (const client of [...this.#clients]) client.end();
  }

  #add(client: EventClient): void {
    this.#clients.add(client);
    this.#heartbeat ??= this.#clock.setTimer(this.#heartbeatMs, () => this.#beat());
  }

  #stopHeartbeat(): void {
    this.#heartbeat?.cancel();
    this.#heartbeat = undefined;
  }

  #beat(): void {
    this.#heartbeat = this.#clock.setTimer(this.#heartbeatMs, () => this.#beat());
    for (const client of [...this.#clients]) {
      if (client.isWaiting) client.send(encodeHeartbeat(client.cursor));
      else if (client.stalledSince === undefined) client.stalledSince = this.#clock.monotonic();
      else if (this.#clock.monotonic() - client.stalledSince >= this.#stallMs) {
        client.fail(new Error("The client does not read"));
      }
    }
  }

  /** Takes a client that read to the end among the live ones, unless the log has moved on under it. */
  #join(client: EventClient, cursor: number): boolean {
    if (this.#live.size > 0) {
      if (cursor < this.#position) return false;
      this.#live.add(client);
      return true;
    }
    this.#live.add(client);
    this.#position = cursor;
    this.#unwatch ??= this.#store.watch(this.#key, () => void this.#pump());
    // Something may have been written between the client's last read and the watch.
    void this.#pump();
    return true;
  }

  #leave(client: EventClient): void {
    if (!this.#live.delete(client) || this.#live.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** Reads what is new and hands it out. Runs once at a time; a call meanwhile makes it look again. */
  async #pump(): Promise<void> {
    this.#isBehind = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#isBehind && this.#live.size > 0) {
        this.#isBehind = false;
        await this.#pumpOnce();
      }
    } catch (error) {
      this.#logger.error("event stream cannot read its log", { channel: this.#key, ...errorFields(error) });
      for (const client of [...this.#live]) client.fail(error);
    } finally {
      this.#isPumping = false;
    }
  }

  async #pumpOnce(): Promise<void> {
    for (;;) {
      const after = this.#position;
      const page = await this.#store.readShared({
        channel: this.#key,
        readerId: "event-stream",
        after,
        limit: PAGE,
        advance: false,
      });
      // Everybody left and somebody else came meanwhile: they read for themselves.
      if (this.#position !== after || this.#live.size === 0) return;
      if (page.gap !== undefined) {
        const reset = encodeEvent({ id: page.gap.toSeq, event: "reset", data: page.gap });
        for (const client of [...this.#live]) client.deliver(page.gap.toSeq, reset);
      }
      for (const message of page.messages) this.#handOut(message);
      this.#position = page.cursor;
      if (page.messages.length < PAGE) return;
    }
  }

  #handOut(message: StoredMessage): void {
    let bytes: Uint8Array | undefined;
    let isEncoded = false;
    for (const client of this.#live) {
      if (!client.wants(message)) {
        client.deliver(message.seq, undefined);
        continue;
      }
      if (!isEncoded) {
        bytes = this.#encode(message);
        isEncoded = true;
      }
      client.deliver(message.seq, bytes);
    }
  }
}
