/**
 * A client of server-sent events as the standard has it (WHATWG HTML, 9.2.5 and 9.2.6), apart from anything of ours.
 *
 * @module
 */

/** One event as a browser would dispatch it. */
export interface ReceivedEvent {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/** Takes bytes, gives events. */
export class EventParser {
  /** What a browser would send as `Last-Event-ID`. */
  lastEventId = "";
  /** The wait the server asked for. */
  retryMs: number | undefined;
  /** How many comments came. */
  comments = 0;
  readonly #decoder = new TextDecoder();
  #rest = "";
  #type = "";
  #data: string[] = [];
  #id = "";

  /** Takes a chunk of the body. */
  push(chunk: Uint8Array): readonly ReceivedEvent[] {
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    const events: ReceivedEvent[] = [];
    for (;;) {
      const end = /\r\n|\n|\r(?=[^])/.exec(this.#rest);
      if (end === null) return events;
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      const event = this.#line(line);
      if (event !== undefined) events.push(event);
    }
  }

  #line(line: string): ReceivedEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) {
      this.comments++;
      return undefined;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#type = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) {
      this.retryMs = Number(value);
    }
    return undefined;
  }

  #dispatch(): ReceivedEvent | undefined {
    this.lastEventId = this.#id;
    const type = this.#type === "" ? "message" : this.#type;
    const data = this.#data;
    this.#type = "";
    this.#data = [];
    return data.length === 0 ? undefined : { type, data: data.join("\n"), lastEventId: this.lastEventId };
  }
}

/** Reads a stream of events, one at a time. */
export class EventReader {
  /** The parser, for what is not an event. */
  readonly parser: EventParser = new EventParser();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #ready: ReceivedEvent[] = [];

  /** @param stream The body of the answer. */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** The next event; `undefined` at the end of the stream. */
  async next(): Promise<ReceivedEvent | undefined> {
    while (this.#ready.length === 0) {
      if (!await this.chunk()) return undefined;
    }
    return this.#ready.shift();
  }

  /** The next `count` events. */
  async take(count: number): Promise<readonly ReceivedEvent[]> {
    const events: ReceivedEvent[] = [];
    while (events.length < count) {
      const event = await this.next();
      if (event === undefined) return events;
      events.push(event);
    }
    return events;
  }

  /** Reads one chunk. @returns Whether there was one. */
  async chunk(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (done) return false;
    this.#ready = [...this.#ready, ...this.parser.push(value)];
    return true;
  }

  /** Leaves. */
  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
