/**
 * One connection to a mail server: nodemailer's SMTP client opens, secures and logs in; then mails go one after another,
 * and for each it is said how far it came.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import { type Clock, systemClock } from "../../core/mod.ts";
import type { ResolvedSmtpOptions } from "./check-options.ts";
import { readConnectionError, stageOfCommand } from "./connection-error.ts";
import { createConnection, TOKEN_METHOD } from "./create-connection.ts";
import {
  MailTransaction,
  readExtensions,
  type SmtpEnvelope,
  type SmtpExtensions,
  type TransactionEnd,
} from "./mail-transaction.ts";
import { errorCode, faultOf, openSocket } from "./open-socket.ts";
import type { SmtpFault, SmtpStage } from "./outcome.ts";
import { readServerMessageId } from "./server-message-id.ts";
import { parseServerReply } from "./server-text.ts";
import { SmtpWire } from "./smtp-wire.ts";

/** What a server that took a mail said. */
export interface SmtpAcceptance {
  /** Its reply, as it came. */
  readonly response: string;
  /** The `Message-ID` it gave the mail in the place of ours (Amazon SES, Microsoft 365). */
  readonly serverMessageId?: string;
}

/** What came of a mail. */
export type SmtpDelivery = { readonly accepted: SmtpAcceptance } | {
  readonly fault: SmtpFault;
};

/** An open session, or why there is none. */
export type OpenedSession = { readonly session: SmtpSession } | {
  readonly fault: SmtpFault;
};

/** What a session needs from its surroundings. */
export interface SmtpSessionContext {
  /** Time. @default the system's */
  readonly clock?: Clock;
  /** Makes a server's text fit for a receipt. */
  readonly clean: (text: string) => string;
}

/** One connection. It is used by one mail at a time. */
export class SmtpSession {
  readonly #connection: SMTPConnection;
  readonly #clock: Clock;
  readonly #options: ResolvedSmtpOptions;
  readonly #clean: (text: string) => string;
  #wire: SmtpWire | undefined;
  #extensions: SmtpExtensions | undefined;
  /** The mail under way. */
  #transaction: MailTransaction | undefined;
  /** Who waits for a reply that is about no mail. */
  #onReply: ((reply: string) => void) | undefined;
  #opening: "greeting" | "auth" | undefined = "greeting";
  #isUsable = true;
  #sent = 0;
  #onFault: ((fault: SmtpFault) => void) | undefined;
  #onClose: (() => void) | undefined;

  private constructor(connection: SMTPConnection, options: ResolvedSmtpOptions, context: SmtpSessionContext) {
    this.#connection = connection;
    this.#options = options;
    this.#clock = context.clock ?? systemClock;
    this.#clean = context.clean;
    connection.on("error", (error) => this.#fail(this.#faultOf(error)));
    // Later, because what the server said at last comes right before or after it.
    connection.once("end", () =>
      queueMicrotask(() => {
        this.#isUsable = false;
        this.#fail({ stage: this.#stage, kind: "cut" });
        this.#onClose?.();
      }));
  }

  /** How far it has come: with the mail under way, or with opening. */
  get #stage(): SmtpStage {
    return this.#transaction?.stage ?? (this.#opening === undefined ? "mail" : this.#openingStage(this.#opening));
  }

  /**
   * Connects, secures and logs in.
   *
   * @param options Where and how.
   * @param context Time, and the cleaner of server texts.
   * @param signal Gives up early.
   */
  static async open(
    options: ResolvedSmtpOptions,
    context: SmtpSessionContext,
    signal: AbortSignal,
  ): Promise<OpenedSession> {
    if (signal.aborted) return { fault: { stage: "connect", kind: "aborted" } };
    const { clock = systemClock } = context;
    let socket: net.Socket | undefined;
    let session: SmtpSession | undefined;
    let ended: SmtpFault["kind"] | undefined;
    const giveUp = (kind: "aborted" | "timeout"): void => {
      ended = kind;
      if (session === undefined) socket?.destroy();
      else session.#fail({ stage: session.#stage, kind });
    };
    const onAbort = (): void => giveUp("aborted");
    const timer = clock.setTimer(options.connectTimeoutMs, () => giveUp("timeout"));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const opened = await openSocket(options, (each) => {
        socket = each;
      });
      if ("fault" in opened) {
        return { fault: ended === undefined ? opened.fault : { stage: opened.fault.stage, kind: ended } };
      }
      session = new SmtpSession(createConnection(options, opened.socket), options, context);
      const fault = await session.#handshake();
      return fault === undefined ? { session } : { fault };
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Whether another mail can be sent over it. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** How many mails were tried over it. */
  get sent(): number {
    return this.#sent;
  }

  /** Calls back once, when the connection has ended, whoever ended it. */
  onClose(callback: () => void): void {
    this.#onClose = callback;
  }

  /**
   * Sends one mail. Never rejects.
   *
   * @param envelope From whom and to whom.
   * @param text The mail, lines ended by CRLF.
   * @param signal Gives up early; after the final dot that leaves it open whether the server has the mail.
   */
  deliver(envelope: SmtpEnvelope, text: string, signal: AbortSignal): Promise<SmtpDelivery> {
    const wire = this.#wire;
    const extensions = this.#extensions;
    if (signal.aborted) return Promise.resolve({ fault: { stage: "queue", kind: "aborted" } });
    if (!this.#isUsable || wire === undefined || extensions === undefined) {
      return Promise.resolve({ fault: { stage: "mail", kind: "cut" } });
    }
    if (envelope.needsSmtpUtf8 && !extensions.smtpUtf8) {
      return Promise.resolve({ fault: { stage: "mail", kind: "no-smtputf8" } });
    }
    if (extensions.maxBytes !== undefined && Buffer.byteLength(text) > extensions.maxBytes) {
      return Promise.resolve({ fault: { stage: "mail", kind: "too-large" } });
    }
    this.#sent += 1;
    return new Promise((resolve) => {
      const finish = (delivery: SmtpDelivery): void => {
        this.#transaction?.abandon();
        this.#transaction = undefined;
        this.#onFault = undefined;
        timer.cancel();
        signal.removeEventListener("abort", onAbort);
        resolve(delivery);
      };
      const onAbort = (): void => this.#fail({ stage: this.#stage, kind: "aborted" });
      const onTimeout = (): void => this.#fail({ stage: this.#stage, kind: "timeout" });
      const { commandTimeoutMs, dataTimeoutMs } = this.#options;
      let timer = this.#clock.setTimer(commandTimeoutMs, onTimeout);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#onFault = (fault) => finish({ fault });
      const transaction = new MailTransaction(envelope, text, {
        wire,
        extensions,
        clean: this.#clean,
        onBody: () => {
          timer.cancel();
          timer = this.#clock.setTimer(dataTimeoutMs, onTimeout);
        },
        onEnd: (end) => this.#finish(end, finish),
      });
      this.#transaction = transaction;
      transaction.start();
    });
  }

  /** A server's no to one mail leaves the connection as it is, unless the two are out of step. */
  #finish(end: TransactionEnd, finish: (delivery: SmtpDelivery) => void): void {
    if ("fault" in end) {
      if (!end.isInStep) this.close();
      return finish({ fault: end.fault });
    }
    const { reply: response } = end;
    const serverMessageId = readServerMessageId(response, this.#options.host);
    finish({ accepted: { response, ...(serverMessageId === undefined ? {} : { serverMessageId }) } });
  }

  #take(reply: string): void {
    const onReply = this.#onReply;
    if (this.#transaction !== undefined) this.#transaction.take(reply);
    else if (onReply !== undefined) onReply(reply);
    else this.#fail({ stage: "mail", kind: "cut" }); // it speaks unasked: goodbye, or nonsense
  }

  /**
   * Makes the connection ready for the next mail after one was refused (RSET).
   *
   * @returns Whether it is.
   */
  reset(): Promise<boolean> {
    const wire = this.#wire;
    if (!this.#isUsable || wire === undefined) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (isReady: boolean): void => {
        timer.cancel();
        this.#onFault = undefined;
        this.#onReply = undefined;
        if (!isReady) this.close();
        resolve(isReady);
      };
      const timer = this.#clock.setTimer(this.#options.commandTimeoutMs, () => finish(false));
      this.#onFault = () => finish(false);
      this.#onReply = (reply) => finish(reply.startsWith("2"));
      wire.write("RSET\r\n");
    });
  }

  /** Says goodbye and closes; resolves when the connection has ended, within the time that connecting may take. */
  quit(): Promise<void> {
    if (!this.#isUsable) return Promise.resolve();
    this.#isUsable = false;
    this.#wire?.release();
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(Math.min(this.#options.connectTimeoutMs, 5_000), () => this.close());
      this.#connection.once("end", () => {
        timer.cancel();
        resolve();
      });
      this.#connection.quit();
    });
  }

  /** Closes at once. */
  close(): void {
    this.#isUsable = false;
    this.#connection.close();
  }

  #handshake(): Promise<SmtpFault | undefined> {
    return new Promise((resolve) => {
      const finish = (given?: SmtpFault): void => {
        this.#onFault = undefined;
        const fault = given ?? this.#takeOver();
        if (fault !== undefined) this.close();
        resolve(fault);
      };
      this.#onFault = finish;
      this.#connection.connect((error) => {
        if (error) return finish(this.#faultOf(error));
        const { lastServerResponse } = this.#connection;
        this.#extensions = readExtensions(lastServerResponse === false ? "" : lastServerResponse);
        const { username } = this.#options;
        if (username === undefined) return finish();
        this.#opening = "auth";
        // A server that suddenly takes mail without a password may not be ours.
        if (!this.#connection.allowsAuth) {
          return finish({ stage: "auth", kind: "no-auth" });
        }
        this.#logIn(username, finish);
      });
    });
  }

  /** From here on the mails are ours, and nodemailer hears of the connection only that it ended. */
  #takeOver(): SmtpFault | undefined {
    const { _socket: socket } = this.#connection;
    if (!socket) return { stage: "ehlo", kind: "protocol" };
    const wire = new SmtpWire(socket, {
      onReply: (reply) => this.#take(reply),
      onNonsense: () => this.#fail({ stage: this.#stage, kind: "protocol" }),
    });
    socket.once("close", () => wire.flush());
    this.#wire = wire;
    this.#opening = undefined;
    return undefined;
  }

  /** By callback, because nodemailer's word on the login comes just before it closes. */
  #logIn(username: string, finish: (fault?: SmtpFault) => void): void {
    const { password, accessToken } = this.#options;
    const done = (error: unknown): void => finish(error ? this.#faultOf(error) : undefined);
    if (accessToken === undefined) {
      this.#connection.login({ credentials: { user: username, pass: password } }, done);
      return;
    }
    accessToken().then(
      (token) => this.#connection.login({ user: username, pass: token, method: TOKEN_METHOD }, done),
      () => finish({ stage: "auth", kind: "no-token" }),
    );
  }

  #fail(fault: SmtpFault): void {
    if (!this.#isUsable && this.#onFault === undefined) return;
    const onFault = this.#onFault;
    this.#onFault = undefined;
    this.close();
    onFault?.(fault);
  }

  /** Where a session that is not open yet stands. */
  #openingStage(at: "greeting" | "auth"): SmtpStage {
    if (this.#connection.upgrading === true) return "tls";
    if (at === "auth") return "auth";
    return this.#connection.lastServerResponse === false ? "greeting" : "ehlo";
  }

  /** nodemailer's errors say which command a reply was to; of what is no reply, only our own stage tells how far it came. */
  #faultOf(error: unknown): SmtpFault {
    const stage = this.#stage;
    const isOpening = this.#opening !== undefined;
    const { response, command, code } = readConnectionError(error);
    const reply = response === undefined ? {} : parseServerReply(response);
    const isAnswer = code !== "EPROTOCOL" || isOpening;
    if (isAnswer && response !== undefined && reply.code !== undefined) {
      const place = stageOfCommand(command, stage);
      // What is said about a login may repeat the login.
      const shown = place === "auth" ? {} : { detail: this.#clean(response) };
      return { stage: place, kind: "reply", ...reply, ...shown };
    }
    if (code === "EMESSAGE" && command === "MAIL FROM") {
      return { stage: "mail", kind: "too-large" };
    }
    if (code === "ETIMEDOUT") return { stage, kind: "timeout" };
    if (code === "EPROTOCOL" || code === "EENVELOPE" || code === "EMESSAGE") {
      return { stage, kind: "protocol" };
    }
    if (code === "EAUTH") {
      return { stage, kind: response === undefined ? "no-auth" : "protocol" };
    }
    if (stage === "tls" || code === "ETLS") return faultOf(error, true);
    const system = errorCode(error);
    return { stage, kind: "cut", ...(system === undefined || system === "ECONNECTION" ? {} : { detail: system }) };
  }
}
