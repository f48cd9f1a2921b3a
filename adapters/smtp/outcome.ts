/**
 * What came of an attempt, from the stage, the code and the enhanced code of the server's reply: by table, never from
 * the words beside them.
 *
 * @module
 */
import type { RejectedReceipt, RejectionReason, UnknownReceipt } from "../../core/mod.ts";

/**
 * How far a mail came: `queue` (waiting for a connection), `connect` (TCP), `tls` (the handshake, also after STARTTLS),
 * `greeting`, `ehlo`, `starttls`, `auth`, `mail`, `rcpt`, `data` (the reply to that command is awaited), `body` (the mail is
 * being sent), `dot` (from before its last bytes are sent).
 */
export type SmtpStage =
  | "queue"
  | "connect"
  | "tls"
  | "greeting"
  | "ehlo"
  | "starttls"
  | "auth"
  | "mail"
  | "rcpt"
  | "data"
  | "body"
  | "dot";

/**
 * What went wrong: `reply` (the server said no), `cut` (the connection ended), `timeout`, `aborted` (by us),
 * `name` (no such host), `certificate` (TLS failed), `protocol` (not SMTP), `no-auth` (credentials, but a server that
 * takes none), `no-token` (the access token could not be had), `no-smtputf8` (an international local part, but a server without the extension), `too-large` (for the
 * limit the server announced).
 */
export type SmtpFaultKind =
  | "reply"
  | "cut"
  | "timeout"
  | "aborted"
  | "name"
  | "certificate"
  | "protocol"
  | "no-auth"
  | "no-token"
  | "no-smtputf8"
  | "too-large";

/** Why a mail was not taken, as the wire says it. */
export interface SmtpFault {
  /** How far it came. */
  readonly stage: SmtpStage;
  /** What went wrong. */
  readonly kind: SmtpFaultKind;
  /** The reply's code: `450`. */
  readonly code?: number;
  /** The reply's enhanced code (RFC 3463): `"4.7.1"`. */
  readonly enhanced?: string;
  /** What a person should know. No secrets. */
  readonly detail?: string;
}

interface Verdict {
  readonly retryable: boolean;
  readonly reason: RejectionReason;
  readonly backendDown?: boolean;
}

interface Rule extends Verdict {
  /** Absent: every stage. */
  readonly stages?: readonly SmtpStage[];
  /** The start of the code, such as `"5"` or `"550"`; absent: every code. */
  readonly code?: RegExp;
  /** Of the enhanced code without its class, such as `"7.1"`; absent: every one and none. */
  readonly detail?: RegExp;
}

const OPENING: readonly SmtpStage[] = ["connect", "tls", "greeting", "ehlo", "starttls"];
const CONTENT: readonly SmtpStage[] = ["data", "body", "dot"];

/**
 * Replies, the first that fits decides. Sources: RFC 5321 4.2 and 4.3.2, RFC 3463, RFC 4954 6 (authentication),
 * RFC 3207 4 (STARTTLS), RFC 6531 (SMTPUTF8), RFC 7504 (521, 556), RFC 6647 (greylisting), the IANA registry of
 * enhanced codes.
 */
const REPLIES: readonly Rule[] = [
  // The connection ends, whatever was said before: nothing about this mail.
  { code: /^421/, retryable: true, reason: "unavailable" },

  // Before a session exists, a 5xx is about us or the server, not about a mail: keep the mails, call a person.
  { stages: OPENING, code: /^4/, retryable: true, reason: "unavailable" },
  { stages: ["starttls"], code: /^5/, retryable: true, reason: "policy", backendDown: true },
  { stages: OPENING, code: /^5/, retryable: true, reason: "unavailable", backendDown: true },

  // Credentials.
  { stages: ["auth"], code: /^4/, retryable: true, reason: "unavailable" },
  { stages: ["auth"], code: /^5/, retryable: true, reason: "auth", backendDown: true },
  { code: /^(?:530|534|535|538)/, retryable: true, reason: "auth", backendDown: true },
  { code: /^5/, detail: /^7\.(?:8|9|11|13|14)$/, retryable: true, reason: "auth", backendDown: true },
  { code: /^(?:432|454)/, retryable: true, reason: "unavailable" },

  // Too much of it, by the code or by its detail.
  { code: /^4/, detail: /^(?:5\.3|7\.28|4\.5|3\.2)$/, retryable: true, reason: "rate-limited" },
  { stages: ["rcpt"], code: /^452/, detail: /^$/, retryable: true, reason: "rate-limited" },
  // RFC 5321 4.5.3.1.10: 552 after RCPT means "too many recipients", and is to be taken as 452.
  { stages: ["rcpt"], code: /^552/, detail: /^(?:|5\.3)$/, retryable: true, reason: "rate-limited" },

  // The sender's own address: all mails of the backend would meet it.
  { stages: ["mail"], code: /^5/, detail: /^1\.[78]$/, retryable: true, reason: "not-configured", backendDown: true },
  {
    stages: ["mail"],
    code: /^(?:501|553)/,
    detail: /^$/,
    retryable: true,
    reason: "not-configured",
    backendDown: true,
  },

  // Not now.
  { code: /^4/, detail: /^7\./, retryable: true, reason: "policy" },
  { code: /^4/, detail: /^[12]\./, retryable: true, reason: "recipient-unreachable" },
  { stages: ["rcpt"], code: /^450/, detail: /^$/, retryable: true, reason: "recipient-unreachable" },
  { code: /^4/, retryable: true, reason: "unavailable" },

  // Never, by the enhanced code.
  { code: /^5/, detail: /^6\.(?:7|8|9)$/, retryable: false, reason: "unsupported" },
  { code: /^5/, detail: /^(?:3\.4|2\.3|6\.\d+)$/, retryable: false, reason: "invalid-message" },
  { code: /^5/, detail: /^2\.[12]$/, retryable: false, reason: "recipient-unreachable" },
  { stages: ["rcpt", "dot"], code: /^5/, detail: /^1\.[0-6]$/, retryable: false, reason: "invalid-recipient" },
  { stages: ["rcpt", "dot"], code: /^5/, detail: /^1\.10$/, retryable: false, reason: "invalid-recipient" },
  { code: /^5/, detail: /^4\.\d+$/, retryable: false, reason: "recipient-unreachable" },
  { code: /^5/, detail: /^7\.\d+$/, retryable: false, reason: "policy" },

  // Never, by the code alone.
  { stages: ["rcpt"], code: /^(?:501|550|551|553|521|556)/, retryable: false, reason: "invalid-recipient" },
  { stages: ["rcpt", "mail"], code: /^555/, retryable: false, reason: "unsupported" },
  { stages: ["mail", ...CONTENT], code: /^552/, retryable: false, reason: "invalid-message" },
  { code: /^(?:550|554|541|571)/, retryable: false, reason: "policy" },
  { code: /^5/, retryable: false, reason: "other" },
];

/** All that is no reply, while the mail cannot have been taken. */
const FAULTS: Readonly<Record<Exclude<SmtpFaultKind, "reply">, Verdict>> = {
  cut: { retryable: true, reason: "network" },
  timeout: { retryable: true, reason: "network" },
  aborted: { retryable: true, reason: "unavailable" },
  name: { retryable: true, reason: "network" },
  certificate: { retryable: true, reason: "not-configured", backendDown: true },
  protocol: { retryable: true, reason: "unavailable" },
  "no-auth": { retryable: true, reason: "auth", backendDown: true },
  "no-token": { retryable: true, reason: "auth" },
  "no-smtputf8": { retryable: false, reason: "unsupported" },
  "too-large": { retryable: false, reason: "invalid-message" },
};

/** For people, and stable: what a fault without a reply is called. */
const WORDS: Readonly<Record<Exclude<SmtpFaultKind, "reply">, string>> = {
  cut: "the connection ended",
  timeout: "no answer in time",
  aborted: "called off",
  name: "the host name does not resolve",
  certificate: "TLS failed",
  protocol: "the server does not speak SMTP",
  "no-auth": "the server takes no credentials",
  "no-token": "no access token could be had",
  "no-smtputf8": "the server cannot take an international address (SMTPUTF8)",
  "too-large": "the mail is larger than the server takes",
};

/**
 * Classifies a fault.
 *
 * What ends after the final dot without a reply is `unknown`: the server may have the mail (RFC 5321 4.5.3.2.6). A
 * reply, whatever it says, is an answer: the mail was not taken. 4xx may be retried and 5xx may not, except where the
 * table says otherwise; what refuses every mail of the backend (credentials, certificates, the sender's address) is
 * `backendDown`. A reply outside of 4xx and 5xx is a protocol fault.
 *
 * @param fault What the wire said.
 *
 * @example
 * ```ts
 * import { classifySmtpFault } from "posthorn/smtp";
 *
 * const receipt = classifySmtpFault({ stage: "rcpt", kind: "reply", code: 451, enhanced: "4.7.1" });
 * console.log(receipt.outcome); // rejected, retryable, reason "policy": greylisting
 * console.log(classifySmtpFault({ stage: "dot", kind: "cut" }).outcome); // unknown
 * ```
 */
export function classifySmtpFault(fault: SmtpFault): RejectedReceipt | UnknownReceipt {
  const { stage, kind, code, enhanced } = fault;
  if (kind === "reply" && code !== undefined && code >= 400 && code < 600) {
    const { retryable, reason, backendDown } = verdictOn(stage, code, enhanced);
    return {
      outcome: "rejected",
      retryable,
      reason,
      code: enhanced === undefined ? String(code) : `${code} ${enhanced}`,
      detail: describe(stage, fault.detail ?? `the server answered ${code}`),
      ...(backendDown === true ? { backendDown } : {}),
    };
  }
  const other = kind === "reply" ? "protocol" : kind;
  const words = fault.detail === undefined ? WORDS[other] : `${WORDS[other]}: ${fault.detail}`;
  const mayBeTaken = other === "cut" || other === "timeout" ||
    other === "aborted" || other === "protocol";
  if (stage === "dot" && mayBeTaken) {
    return { outcome: "unknown", detail: describe(stage, words) };
  }
  return { outcome: "rejected", ...FAULTS[other], detail: describe(stage, words) };
}

function verdictOn(stage: SmtpStage, code: number, enhanced: string | undefined): Verdict {
  const text = String(code);
  // An enhanced code of another class than the reply's is a server's mistake: the reply's class counts.
  const detail = enhanced === undefined ? "" : enhanced.slice(2);
  const rule = REPLIES.find((each) =>
    (each.stages?.includes(stage) ?? true) && (each.code?.test(text) ?? true) &&
    (each.detail?.test(detail) ?? true)
  );
  return rule ?? { retryable: false, reason: "other" };
}

const STAGES: Readonly<Record<SmtpStage, string>> = {
  queue: "waiting for a connection",
  connect: "connecting",
  tls: "securing the connection",
  greeting: "waiting for the greeting",
  ehlo: "EHLO",
  starttls: "STARTTLS",
  auth: "AUTH",
  mail: "MAIL FROM",
  rcpt: "RCPT TO",
  data: "DATA",
  body: "sending the mail",
  dot: "after the mail was sent",
};

function describe(stage: SmtpStage, words: string): string {
  return `${STAGES[stage]}: ${words}`;
}
