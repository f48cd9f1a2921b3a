/**
 * What the stand-in mail server is told, and what it tells.
 *
 * @module
 */

/**
 * Where a dialogue can be scripted: after connecting, at a command, when the first byte of a mail arrives (`body`), and
 * after its final dot (`dot`).
 */
export type SmtpStandInStage =
  | "connect"
  | "ehlo"
  | "starttls"
  | "auth"
  | "mail"
  | "rcpt"
  | "data"
  | "body"
  | "dot"
  | "rset"
  | "noop"
  | "quit";

/** What a script has the server do in the place of its usual answer. The parts happen in the order they stand here. */
export interface SmtpStandInAction {
  /** Waits before anything else. */
  readonly delayMs?: number;
  /** Keeps the mail as accepted, whatever is answered; at `dot` only. */
  readonly keep?: boolean;
  /** Answers this: a line such as `"450 4.2.0 Busy"`, or several, without line breaks. Absent: nothing. */
  readonly reply?: string | readonly string[];
  /** Sends these characters as they are, after the reply and in the same packet. */
  readonly inject?: string;
  /** Ends the connection: by a FIN, or at once by a reset. */
  readonly cut?: boolean | "reset";
  /** Reads nothing more from here on, so that the client's buffers fill up. */
  readonly stopReading?: boolean;
  /** Goes on as usual after all this, as if nothing had been scripted. */
  readonly proceed?: boolean;
}

/** What a scripted function is told. */
export interface SmtpStandInRequest {
  /** The stage. */
  readonly stage: SmtpStandInStage;
  /** The command as it came; `""` at `connect`, `body` and `dot`. */
  readonly command: string;
  /** Which session, counted from 1. */
  readonly session: number;
  /** The envelope's sender so far. */
  readonly from: string;
  /** The envelope's recipients so far. */
  readonly to: readonly string[];
}

/** Decides what to do; `undefined` leaves the decision to the next script, or to the usual way. */
export type SmtpStandInScript = (request: SmtpStandInRequest) => SmtpStandInAction | undefined;

/** A mail that was accepted. */
export interface SmtpStandInMail {
  /** Which session it came by. */
  readonly session: number;
  /** The envelope's sender. */
  readonly from: string;
  /** The envelope's recipients that were accepted. */
  readonly to: readonly string[];
  /** Headers and body as they came, dot-stuffing undone, one character a byte. */
  readonly raw: string;
  /** The same, read as UTF-8. */
  readonly text: string;
  /** Who was logged in. */
  readonly username: string | undefined;
  /** Whether it came by TLS. */
  readonly isSecure: boolean;
}

/** What one connection said, for inspection. */
export interface SmtpStandInLog {
  /** Its number, from 1. */
  readonly session: number;
  /** Every byte received before TLS (all of them without it), one character a byte. */
  readonly clear: string;
  /** Every byte received inside of TLS, one character a byte. */
  readonly secure: string;
  /** The commands in order, without line breaks; passwords are in them. */
  readonly commands: readonly string[];
  /** Whether the connection has ended. */
  readonly isClosed: boolean;
}

/** Options of `SmtpStandIn.start`. */
export interface SmtpStandInOptions {
  /** The address to listen on. @default `"127.0.0.1"` */
  readonly host?: string;
  /** The port; 0 takes a free one. @default `0` */
  readonly port?: number;
  /** The name it gives itself. @default `"stand-in.invalid"` */
  readonly hostname?: string;
  /** Key and certificate (PEM). With them, STARTTLS is offered. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** TLS from the first byte in the place of STARTTLS. @default `false` */
  readonly implicitTls?: boolean;
  /** Who may log in, passwords (or XOAUTH2 tokens) by user name. With them, AUTH is offered, and required for MAIL. */
  readonly users?: Readonly<Record<string, string>>;
  /** What EHLO lists beside STARTTLS and AUTH. @default `["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]` */
  readonly extensions?: readonly string[];
  /** How many mails and session logs are kept; the oldest go first. @default `10_000` */
  readonly keep?: number;
  /** Hears of every mail as it is accepted. */
  readonly onMail?: (mail: SmtpStandInMail) => void;
}

/** What `SmtpStandIn` shares with its sessions. */
export interface SmtpStandInCore {
  /** The options. */
  readonly options:
    & Required<
      Pick<SmtpStandInOptions, "hostname" | "extensions" | "implicitTls">
    >
    & SmtpStandInOptions;
  /** Asks the scripts. */
  decide(request: SmtpStandInRequest): SmtpStandInAction | undefined;
  /** Takes a mail. */
  accept(mail: SmtpStandInMail): void;
}
