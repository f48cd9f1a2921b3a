/**
 * One mail over a connection that is open: MAIL, RCPT, DATA, the mail, and what the server says to each.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { SmtpFault, SmtpStage } from "./outcome.ts";
import { parseServerReply } from "./server-text.ts";
import type { SmtpWire } from "./smtp-wire.ts";

/** So much of a mail is written at once. */
const PIECE_BYTES = 65_536;

/** The two addresses of a mail. Both are checked. */
export interface SmtpEnvelope {
  /** Where bounces go. */
  readonly from: string;
  /** Whom it goes to. */
  readonly to: string;
  /** One of them, or an address in a header, is not ASCII. */
  readonly needsSmtpUtf8: boolean;
}

/** What a server can do, as its answer to EHLO says. */
export interface SmtpExtensions {
  /** Takes commands in batches (RFC 2920). */
  readonly pipelining: boolean;
  /** Takes bodies that are not ASCII (RFC 6152). */
  readonly eightBit: boolean;
  /** Takes addresses that are not ASCII (RFC 6531). */
  readonly smtpUtf8: boolean;
  /** Wants to know the size of a mail before (RFC 1870). */
  readonly size: boolean;
  /** The size of the largest mail it takes, where it says so. */
  readonly maxBytes?: number;
}

/** Reads the answer to EHLO. */
export function readExtensions(reply: string): SmtpExtensions {
  const lines = reply.split("\n").slice(1).map((line) => line.slice(4).trim().toUpperCase());
  const words = new Set(lines.map((line) => line.split(/\s/, 1)[0]));
  const maxBytes = Number(
    lines.map((line) => /^SIZE\s+(\d{1,15})$/.exec(line)?.[1]).find((size) => size !== undefined),
  );
  return {
    pipelining: words.has("PIPELINING"),
    eightBit: words.has("8BITMIME"),
    smtpUtf8: words.has("SMTPUTF8"),
    size: words.has("SIZE"),
    ...(maxBytes > 0 ? { maxBytes } : {}),
  };
}

/** How a mail ended. */
export type TransactionEnd =
  | {
    /** The server took it: its reply. */
    readonly reply: string;
  }
  | {
    /** Why not. */
    readonly fault: SmtpFault;
    /** Whether the connection can be used for the next mail. */
    readonly isInStep: boolean;
  };

/** What a transaction is made from. */
export interface TransactionOptions {
  /** The connection. */
  readonly wire: SmtpWire;
  /** What the server can do. */
  readonly extensions: SmtpExtensions;
  /** Makes a server's text fit for a receipt. */
  readonly clean: (text: string) => string;
  /** The mail begins to leave. */
  readonly onBody: () => void;
  /** It has ended. Called once at most. */
  readonly onEnd: (end: TransactionEnd) => void;
}

type Command = "mail" | "rcpt" | "data";

/** See the module. */
export class MailTransaction {
  readonly #options: TransactionOptions;
  readonly #commands: readonly (readonly [Command, string])[];
  readonly #mail: Buffer;
  /** The commands whose replies have not come, in order. */
  readonly #awaited: (Command | "end of nothing" | "mail itself")[] = [];
  /** The first no: the server's answers to what was sent along with it are still to come. */
  #refusal: SmtpFault | undefined;
  #stage: SmtpStage = "mail";
  #hasEnded = false;

  /**
   * @param envelope From whom and to whom.
   * @param text The mail, all lines ended by CRLF.
   * @param options The connection, and who hears of the end.
   */
  constructor(envelope: SmtpEnvelope, text: string, options: TransactionOptions) {
    this.#options = options;
    const { extensions } = options;
    this.#mail = Buffer.from(stuffed(text), "utf8");
    this.#commands = [
      ["mail", mailCommand(envelope, extensions.size ? Buffer.byteLength(text) : 0, extensions)],
      ["rcpt", `RCPT TO:<${envelope.to}>\r\n`],
      ["data", "DATA\r\n"],
    ];
  }

  /** How far it has come: the command whose reply is awaited, `body` while the mail is written, `dot` after that. */
  get stage(): SmtpStage {
    return this.#stage;
  }

  /** Begins. */
  start(): void {
    const { wire, extensions } = this.#options;
    if (!extensions.pipelining) return this.#command(0);
    this.#awaited.push("mail", "rcpt", "data");
    wire.write(this.#commands.map(([, line]) => line).join(""));
  }

  #command(index: number): void {
    const command = this.#commands[index];
    if (command === undefined) return;
    const [name, line] = command;
    this.#stage = name;
    this.#awaited.push(name);
    this.#options.wire.write(line);
  }

  /** Somebody else ended it: nothing more is written or reported. */
  abandon(): void {
    this.#hasEnded = true;
  }

  /** Takes the next reply of the server. */
  take(reply: string): void {
    if (this.#hasEnded) return;
    const awaited = this.#awaited.shift();
    const { code } = parseServerReply(reply);
    if (awaited === undefined || code === undefined) return this.#fail({ stage: this.#stage, kind: "protocol" }, false);
    if (awaited === "end of nothing") return this.#giveUp(true);
    if (code === 421) {
      this.#refusal ??= this.#fault(awaited, reply);
      return this.#giveUp(false);
    }
    if (awaited === "mail itself") return this.#takeVerdict(code, reply);
    const isYes = awaited === "data" ? code >= 200 && code < 400 : code >= 200 && code < 300;
    if (!isYes) this.#refusal ??= this.#fault(awaited, reply);
    if (awaited === "data") this.#afterData(code);
    else if (this.#awaited[0] !== undefined) this.#stage = awaited === "mail" ? "rcpt" : "data";
    else if (this.#refusal !== undefined) this.#giveUp(true);
    else this.#command(awaited === "mail" ? 1 : 2);
  }

  #afterData(code: number): void {
    if (this.#refusal === undefined) return this.#write(0);
    if (code >= 400) return this.#giveUp(true);
    // It refused somebody and wants a mail all the same. To nobody it gets an empty one; with its sender refused it is
    // not to be trusted with that either.
    if (this.#refusal.stage !== "rcpt") return this.#giveUp(false);
    this.#awaited.push("end of nothing");
    this.#options.wire.write(".\r\n");
  }

  /** The last piece has the final dot: from before it is written nobody can say that the server does not have it all. */
  #write(from: number): void {
    const { wire, onBody } = this.#options;
    if (from === 0) {
      this.#awaited.push("mail itself");
      this.#stage = "body";
      onBody();
    }
    for (let start = from; !this.#hasEnded; start += PIECE_BYTES) {
      const next = start + PIECE_BYTES;
      if (next >= this.#mail.length) {
        this.#stage = "dot";
        wire.write(start === 0 ? this.#mail : this.#mail.subarray(start));
        return;
      }
      if (!wire.write(this.#mail.subarray(start, next))) return wire.onceDrained(() => this.#write(next));
    }
  }

  #takeVerdict(code: number, reply: string): void {
    const isWhole = this.#stage === "dot";
    if (code >= 400 && code < 600) return this.#fail(this.#fault("mail itself", reply), isWhole);
    if (!isWhole || code < 200 || code >= 300) return this.#fail({ stage: this.#stage, kind: "protocol" }, false);
    this.#hasEnded = true;
    this.#options.onEnd({ reply });
  }

  /** What is said about the mail itself is said after its dot, or as if it were. */
  #fault(to: Command | "mail itself", reply: string): SmtpFault {
    const detail = this.#options.clean(reply);
    return { stage: to === "mail itself" ? "dot" : to, kind: "reply", ...parseServerReply(reply), detail };
  }

  #giveUp(isInStep: boolean): void {
    this.#fail(this.#refusal ?? { stage: this.#stage, kind: "protocol" }, isInStep);
  }

  #fail(fault: SmtpFault, isInStep: boolean): void {
    this.#hasEnded = true;
    this.#options.onEnd({ fault, isInStep });
  }
}

function mailCommand(
  { from, needsSmtpUtf8 }: SmtpEnvelope,
  bytes: number,
  { smtpUtf8, eightBit, size }: SmtpExtensions,
): string {
  const international = needsSmtpUtf8 && smtpUtf8 ? " SMTPUTF8" : "";
  const body = needsSmtpUtf8 && eightBit ? " BODY=8BITMIME" : "";
  return `MAIL FROM:<${from}>${international}${body}${size ? ` SIZE=${bytes}` : ""}\r\n`;
}

/** RFC 5321 4.5.2: a line that begins with a dot gets another; a dot by itself ends the mail. */
function stuffed(text: string): string {
  const lines = text.includes("\r\n.") ? text.replaceAll("\r\n.", "\r\n..") : text;
  const first = lines.startsWith(".") ? "." : "";
  return `${first}${lines}${lines.endsWith("\r\n") ? "" : "\r\n"}.\r\n`;
}
