/**
 * Commands to a mail server, and its replies.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type net from "node:net";

/** No reply of a server in use is near it. */
const MAX_REPLY_LENGTH = 65_536;

/** Who hears what the server says. */
export interface SmtpWireListener {
  /** A whole reply, of one line or several, without the line end. */
  readonly onReply: (reply: string) => void;
  /** What is no reply. */
  readonly onNonsense: () => void;
}

/**
 * The two ends of an open connection: what is written, and replies, each given as a whole. It takes the place of whoever
 * read from the socket before, and gives it back by {@link SmtpWire.release}.
 */
export class SmtpWire {
  readonly #socket: net.Socket;
  readonly #listener: SmtpWireListener;
  readonly #readers: readonly ((chunk: Buffer) => void)[];
  readonly #onData: (chunk: Buffer) => void;
  /** Of the line that has not ended. One character a byte, until a reply is whole. */
  #rest = "";
  /** The lines so far of the reply that has not ended. */
  #lines = "";

  /**
   * @param socket The connection, open and secured.
   * @param listener Who hears what the server says.
   */
  constructor(socket: net.Socket, listener: SmtpWireListener) {
    this.#socket = socket;
    this.#listener = listener;
    this.#onData = (chunk) => this.#read(chunk);
    this.#readers = socket.listeners("data") as ((chunk: Buffer) => void)[];
    socket.on("data", this.#onData);
    for (const reader of this.#readers) socket.removeListener("data", reader);
  }

  /** Lets the one read again who read before. */
  release(): void {
    for (const reader of this.#readers) this.#socket.on("data", reader);
    this.#socket.removeListener("data", this.#onData);
  }

  /** Writes. @returns Whether more may be written at once; otherwise wait for {@link SmtpWire.onceDrained}. */
  write(bytes: string | Uint8Array): boolean {
    // deno-lint-ignore no-control-regex -- plain text goes out twice as fast when it is said to be plain
    return typeof bytes === "string" && /^[\x00-\x7f]*$/.test(bytes)
      ? this.#socket.write(bytes, "latin1")
      : this.#socket.write(bytes);
  }

  /** Calls back when what was written has left, as far as this side can tell. */
  onceDrained(callback: () => void): void {
    this.#socket.once("drain", callback);
  }

  /** What the server said last, though it did not end the line: a 421 before it hung up. */
  flush(): void {
    if (/^[45]\d\d[ -]/.test(this.#rest)) this.#take(this.#rest);
    this.#rest = "";
  }

  #read(chunk: Buffer): void {
    const text = this.#rest + chunk.toString("latin1");
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#take(text.slice(start, end > start && text.charCodeAt(end - 1) === 13 ? end - 1 : end));
      start = end + 1;
    }
    this.#rest = text.slice(start);
    if (this.#rest.length + this.#lines.length > MAX_REPLY_LENGTH) {
      this.#rest = "";
      this.#listener.onNonsense();
    }
  }

  #take(line: string): void {
    if (line === "" && this.#lines === "") return;
    const reply = this.#lines === "" ? line : `${this.#lines}\n${line}`;
    if (line.charCodeAt(3) === 45 && /^\d{3}-/.test(line)) {
      this.#lines = reply;
      return;
    }
    this.#lines = "";
    // deno-lint-ignore no-control-regex -- everything that takes more than one byte
    this.#listener.onReply(/[^\x00-\x7f]/.test(reply) ? Buffer.from(reply, "latin1").toString("utf8") : reply);
  }
}
