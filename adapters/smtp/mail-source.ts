/**
 * Hands the mail to nodemailer's connection, and notes how much of it has left.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { Readable } from "node:stream";

/**
 * The bytes of one mail as nodemailer wants them, a stream. It asks for them (`pipe`) when the server said 354, so that
 * moment and the end of what it pipes into tell the stages `body` and `dot` apart.
 */
export class MailSource extends Readable {
  readonly #bytes: Buffer;
  readonly #onStage: (stage: "body" | "dot") => void;

  /**
   * @param bytes The mail, without dot-stuffing: the connection does that.
   * @param onStage Hears that the body starts, and that its final dot is on its way.
   */
  constructor(bytes: Buffer, onStage: (stage: "body" | "dot") => void) {
    super();
    this.#bytes = bytes;
    this.#onStage = onStage;
  }

  /** Writes everything at once: there is nothing to wait for. */
  override pipe<Destination extends NodeJS.WritableStream>(destination: Destination): Destination {
    this.#onStage("body");
    // A destination that can be read from ends when the last of it, the dot, was handed to the socket. For any other
    // we cannot know, and must take it for sent.
    if (isReadable(destination)) {
      destination.once("end", () => this.#onStage("dot"));
    } else this.#onStage("dot");
    destination.end(this.#bytes);
    return destination;
  }

  /** For a connection that reads instead of piping: nobody can say any more what has left. */
  override _read(): void {
    this.#onStage("dot");
    this.push(this.#bytes);
    this.push(null);
  }
}

function isReadable(stream: NodeJS.WritableStream): boolean {
  return "read" in stream && typeof stream.read === "function";
}
