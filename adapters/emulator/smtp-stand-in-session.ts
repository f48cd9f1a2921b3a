/**
 * One connection to the stand-in mail server: reads lines, keeps the state of RFC 5321 4.1.4, answers.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import tls from "node:tls";
import type {
  SmtpStandInAction,
  SmtpStandInCore,
  SmtpStandInLog,
  SmtpStandInMail,
  SmtpStandInStage,
} from "./smtp-stand-in-contract.ts";

const MAX_LINE = 1_048_576;
const END_OF_MAIL = "\r\n.\r\n";
const VERBS: Readonly<Record<string, SmtpStandInStage>> = {
  EHLO: "ehlo",
  HELO: "ehlo",
  STARTTLS: "starttls",
  AUTH: "auth",
  MAIL: "mail",
  RCPT: "rcpt",
  DATA: "data",
  RSET: "rset",
  NOOP: "noop",
  QUIT: "quit",
};

/** One connection. */
export class SmtpStandInSession {
  readonly #core: SmtpStandInCore;
  readonly #number: number;
  readonly #commands: string[] = [];
  readonly #clear: string[] = [];
  readonly #secure: string[] = [];
  readonly #plain: net.Socket;
  #socket: net.Socket;
  #buffer = "";
  #isSecure: boolean;
  #isPaused = false;
  #isClosed = false;
  #isBody = false;
  #hasBody = false;
  /** Takes the next line in the place of the command parser: the parts of AUTH. */
  #onLine: ((line: string) => void) | undefined;
  #username: string | undefined;
  #from: string | undefined;
  #to: string[] = [];

  /**
   * @param number Its number.
   * @param socket The connection.
   * @param core The server's options, scripts and record.
   */
  constructor(number: number, socket: net.Socket, core: SmtpStandInCore) {
    this.#number = number;
    this.#core = core;
    this.#plain = socket;
    this.#socket = socket;
    this.#isSecure = core.options.implicitTls;
    this.#listen(socket);
  }

  /** What it said so far. */
  get log(): SmtpStandInLog {
    return {
      session: this.#number,
      clear: this.#clear.join(""),
      secure: this.#secure.join(""),
      commands: this.#commands,
      isClosed: this.#isClosed,
    };
  }

  /** Says the first word. */
  greet(): void {
    this.#run("connect", "", () => this.#reply(`220 ${this.#core.options.hostname} ESMTP stand-in`));
  }

  #listen(socket: net.Socket): void {
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#feed(chunk));
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      this.#isClosed = true;
    });
    // A client that resets the connection has been seen to do so by its log.
    socket.on("error", () => socket.destroy());
  }

  #feed(chunk: Buffer): void {
    const text = chunk.toString("latin1");
    (this.#isSecure ? this.#secure : this.#clear).push(text);
    this.#buffer += text;
    this.#pump();
  }

  #pump(): void {
    while (!this.#isPaused && !this.#isClosed) {
      if (this.#isBody ? !this.#takeMail() : !this.#takeLine()) return;
    }
  }

  #takeLine(): boolean {
    const end = this.#buffer.indexOf("\n");
    if (end < 0) {
      if (this.#buffer.length > MAX_LINE) this.#socket.destroy();
      return false;
    }
    const line = this.#buffer.slice(0, end).replace(/\r$/, "");
    this.#buffer = this.#buffer.slice(end + 1);
    this.#commands.push(line);
    const onLine = this.#onLine;
    if (onLine !== undefined) {
      this.#onLine = undefined;
      onLine(line);
      return true;
    }
    const stage = VERBS[line.slice(0, 8).split(" ", 1)[0]?.toUpperCase() ?? ""];
    if (stage === undefined) this.#reply("500 5.5.2 Command not recognised");
    else this.#run(stage, line, () => this.#obey(stage, line));
    return true;
  }

  /** Looks for the final dot, which may be all there is. */
  #takeMail(): boolean {
    if (!this.#hasBody && this.#buffer !== "") {
      this.#hasBody = true;
      this.#run("body", "", () => {});
      if (this.#isPaused || this.#isClosed) return false;
    }
    const isEmpty = this.#buffer.startsWith(".\r\n");
    const end = isEmpty ? 0 : this.#buffer.indexOf(END_OF_MAIL);
    if (end < 0) return false;
    const stuffed = isEmpty ? "" : this.#buffer.slice(0, end + 2);
    this.#buffer = this.#buffer.slice(isEmpty ? 3 : end + END_OF_MAIL.length);
    this.#isBody = false;
    const mail = this.#mailOf(stuffed.replace(/^\./gm, ""));
    this.#run("dot", "", () => {
      this.#core.accept(mail);
      this.#reply(`250 2.0.0 Accepted as ${mail.session}`);
    }, () => this.#core.accept(mail));
    this.#forgetEnvelope();
    return true;
  }

  #mailOf(raw: string): SmtpStandInMail {
    return {
      session: this.#number,
      from: this.#from ?? "",
      to: [...this.#to],
      raw,
      get text(): string {
        return Buffer.from(raw, "latin1").toString("utf8");
      },
      username: this.#username,
      isSecure: this.#isSecure,
    };
  }

  /** Does what a script says, or the usual. */
  #run(stage: SmtpStandInStage, command: string, usual: () => void, keep: () => void = usual): void {
    const action = this.#core.decide({ stage, command, session: this.#number, from: this.#from ?? "", to: this.#to });
    if (action === undefined) return usual();
    if (action.delayMs === undefined) return this.#act(action, usual, keep);
    this.#isPaused = true;
    const timer = setTimeout(() => {
      this.#isPaused = false;
      this.#act(action, usual, keep);
      this.#pump();
    }, action.delayMs);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  #act(action: SmtpStandInAction, usual: () => void, keep: () => void): void {
    if (action.keep === true) keep();
    const reply = action.reply === undefined ? "" : linesOf(action.reply);
    const text = reply + (action.inject ?? "");
    const cut = action.cut ?? false;
    if (cut !== false) {
      this.#isPaused = true;
      if (cut === "reset") this.#reset();
      // What was said before has to leave first.
      else if (text === "") this.#socket.end(() => this.#socket.destroy());
      else this.#socket.end(Buffer.from(text, "latin1"));
      return;
    }
    if (text !== "") this.#write(text);
    if (action.stopReading === true) {
      this.#isPaused = true;
      this.#socket.pause();
    }
    if (action.proceed === true) usual();
  }

  /** By a RST, which has to come from the socket below TLS, and needs a runtime that can. */
  #reset(): void {
    if (typeof this.#plain.resetAndDestroy === "function") {
      this.#plain.resetAndDestroy();
    } else this.#plain.destroy();
    this.#socket.destroy();
  }

  #obey(stage: SmtpStandInStage, line: string): void {
    const { hostname, users } = this.#core.options;
    switch (stage) {
      case "ehlo":
        this.#forgetEnvelope();
        return this.#reply(/^HELO/i.test(line) ? `250 ${hostname}` : linesOfEhlo(hostname, this.#extensions()));
      case "starttls":
        return this.#startTls();
      case "auth":
        return this.#authenticate(line);
      case "mail": {
        if (users !== undefined && this.#username === undefined) {
          return this.#reply("530 5.7.0 Log in first");
        }
        const from = /^MAIL FROM:<([^<>]*)>/i.exec(line)?.[1];
        if (from === undefined) {
          return this.#reply("501 5.5.4 Syntax: MAIL FROM:<address>");
        }
        this.#from = from;
        return this.#reply("250 2.1.0 Sender taken");
      }
      case "rcpt": {
        const to = /^RCPT TO:<([^<>]+)>/i.exec(line)?.[1];
        if (this.#from === undefined) {
          return this.#reply("503 5.5.1 MAIL first");
        }
        if (to === undefined) {
          return this.#reply("501 5.5.4 Syntax: RCPT TO:<address>");
        }
        this.#to.push(to);
        return this.#reply("250 2.1.5 Recipient taken");
      }
      case "data":
        if (this.#to.length === 0) {
          return this.#reply("554 5.5.1 No recipients");
        }
        this.#isBody = true;
        this.#hasBody = false;
        return this.#reply("354 Go on, end with a dot");
      case "rset":
        this.#forgetEnvelope();
        return this.#reply("250 2.0.0 Forgotten");
      case "quit":
        this.#socket.end("221 2.0.0 Goodbye\r\n");
        return;
      default:
        return this.#reply("250 2.0.0 Fine");
    }
  }

  #extensions(): readonly string[] {
    const { extensions, tls: identity, implicitTls, users } = this.#core.options;
    const offersTls = identity !== undefined && !implicitTls;
    return [
      ...extensions,
      ...(offersTls && !this.#isSecure ? ["STARTTLS"] : []),
      ...(users !== undefined && (this.#isSecure || !offersTls) ? ["AUTH PLAIN LOGIN XOAUTH2"] : []),
    ];
  }

  #startTls(): void {
    const { tls: identity } = this.#core.options;
    if (identity === undefined || this.#isSecure) {
      return this.#reply("502 5.5.1 Not offered");
    }
    this.#reply("220 2.0.0 Go on");
    const plain = this.#socket;
    plain.removeAllListeners("data");
    // RFC 3207 4.2: what was said before counts for nothing.
    this.#buffer = "";
    this.#forgetEnvelope();
    this.#username = undefined;
    this.#isSecure = true;
    const secured = new tls.TLSSocket(plain, {
      isServer: true,
      secureContext: tls.createSecureContext({ key: identity.key, cert: identity.cert }),
    });
    this.#socket = secured;
    this.#listen(secured);
  }

  #authenticate(line: string): void {
    const { users } = this.#core.options;
    if (users === undefined) return this.#reply("502 5.5.1 Not offered");
    const [, mechanism = "", initial] = line.split(" ");
    const check = (username: string, secret: string): void => {
      const isKnown = Object.hasOwn(users, username) &&
        users[username] === secret;
      if (isKnown) this.#username = username;
      this.#reply(isKnown ? "235 2.7.0 Welcome" : "535 5.7.8 Credentials refused");
    };
    switch (mechanism.toUpperCase()) {
      case "PLAIN":
        return this.#ask("334 ", initial, (text) => {
          const [, username = "", secret = ""] = text.split("\0");
          check(username, secret);
        });
      case "XOAUTH2":
        return this.#ask("334 ", initial, (text) => {
          const [first = "", second = ""] = text.split("\x01");
          const username = first.replace(/^user=/, "");
          const secret = second.replace(/^auth=Bearer /, "");
          if (Object.hasOwn(users, username) && users[username] === secret) {
            return check(username, secret);
          }
          // The reason comes as a challenge, and waits for an empty line.
          this.#ask("334 eyJzdGF0dXMiOiI0MDEifQ==", undefined, () => check("", ""));
        });
      case "LOGIN":
        return this.#ask("334 VXNlcm5hbWU6", initial, (username) => {
          this.#ask("334 UGFzc3dvcmQ6", undefined, (secret) => check(username, secret));
        });
      default:
        return this.#reply("504 5.5.4 Mechanism not known");
    }
  }

  /** Asks for a line of base64, unless it came along. */
  #ask(challenge: string, initial: string | undefined, take: (text: string) => void): void {
    const decode = (line: string): void => take(Buffer.from(line, "base64").toString("utf8"));
    if (initial !== undefined) return decode(initial);
    this.#reply(challenge);
    this.#onLine = decode;
  }

  #forgetEnvelope(): void {
    this.#from = undefined;
    this.#to = [];
  }

  #reply(reply: string | readonly string[]): void {
    this.#write(linesOf(reply));
  }

  #write(text: string): void {
    if (!this.#socket.destroyed) {
      this.#socket.write(Buffer.from(text, "latin1"));
    }
  }
}

function linesOf(reply: string | readonly string[]): string {
  return (typeof reply === "string" ? [reply] : reply).map((line) => `${line}\r\n`).join("");
}

function linesOfEhlo(hostname: string, extensions: readonly string[]): readonly string[] {
  const lines = [`${hostname} greets you`, ...extensions];
  return lines.map((line, index) => `250${index === lines.length - 1 ? " " : "-"}${line}`);
}
