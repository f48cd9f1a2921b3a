/**
 * The mail backend.
 *
 * @module
 */
import {
  type Clock,
  Communicator,
  type CommunicatorCapabilities,
  type Destination,
  type Logger,
  type OutgoingMessage,
  type PacingDefaults,
  type Receipt,
  type RejectedReceipt,
  type RejectionReason,
  type RetryPolicy,
  type SendContext,
  silentLogger,
  systemClock,
  ValidationError,
} from "../../core/mod.ts";
import { type MailAddress, parseMailAddress } from "../net/mail-address.ts";
import { checkSmtpOptions, type ResolvedSmtpOptions } from "./check-options.ts";
import { type ComposedMail, composeMail, type MailTemplate } from "./compose.ts";
import type { SmtpOptions } from "./options.ts";
import { classifySmtpFault, type SmtpFault } from "./outcome.ts";
import { RecipientRule } from "../net/recipient-rule.ts";
import { createCleaner } from "./server-text.ts";
import { SmtpPool } from "./smtp-pool.ts";
import type { SmtpEnvelope } from "./mail-transaction.ts";
import { type SmtpAcceptance, type SmtpDelivery, SmtpSession } from "./smtp-session.ts";

/** What {@link SmtpCommunicator} may use of its surroundings. */
export interface SmtpSurroundings {
  /** Time, for its time limits. @default the system's */
  readonly clock?: Clock;
  /** Where it says what it does. @default nowhere */
  readonly logger?: Logger;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * RFC 5321 4.5.4.1 wants at least half an hour between tries and four to five days in all. Two quick tries come first:
 * most greylisting ends within minutes (RFC 6647). With 25 attempts the last is made after a little less than five days.
 */
const RETRY_POLICY: RetryPolicy = {
  maxAttempts: 25,
  baseDelayMs: MINUTE_MS,
  maxDelayMs: 6 * HOUR_MS,
  scheduleMs: [MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS],
};

/** What a submission server commonly takes. There is no common figure: `rate` is for those who know theirs. */
const PACING: PacingDefaults = { backend: { count: 25, perMs: 1_000, burst: 100 } };

/**
 * Sends mail by SMTP: one mail per recipient, over a few connections that are kept open.
 *
 * Each {@link SmtpCommunicator.send} is one attempt. Nothing is queued or retried in here, except that a connection which
 * the server closed while it was idle is replaced once, before anything of the mail has left.
 *
 * @example
 * ```ts
 * import { SmtpCommunicator } from "posthorn/smtp";
 *
 * const mail = new SmtpCommunicator("mail", {
 *   host: "smtp.example.com",
 *   port: 587,
 *   startTls: true,
 *   fromAddress: "noreply@example.com",
 *   defaultRecipients: ["ops@example.com"],
 * });
 * console.log(mail.retryPolicy.maxAttempts); // 25
 * ```
 */
export class SmtpCommunicator extends Communicator {
  /** {@inheritDoc Communicator.capabilities} */
  override readonly capabilities: CommunicatorCapabilities = {
    receives: false,
    html: true,
    attachments: true,
    edits: false,
  };
  /** {@inheritDoc Communicator.addressKind} */
  override readonly addressKind: string = "email";
  /** {@inheritDoc Communicator.retryPolicy} */
  override readonly retryPolicy: RetryPolicy = RETRY_POLICY;
  /** {@inheritDoc Communicator.pacing} */
  override readonly pacing: PacingDefaults = PACING;
  readonly #options: ResolvedSmtpOptions;
  readonly #template: MailTemplate;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Absent: everybody may be written to. */
  readonly #allowed: RecipientRule | undefined;
  readonly #clean: (text: string) => string;
  #pool: SmtpPool | undefined;

  /**
   * Makes one, which has to be started before it sends.
   *
   * @param name The backend's name.
   * @param options Where to send, and as whom.
   * @param surroundings Time and a log.
   * @throws {ValidationError} If an option is of the wrong kind, or contradicts another.
   */
  constructor(name: string, options: SmtpOptions, surroundings: SmtpSurroundings = {}) {
    super(name);
    const { resolved, faults: [fault], warnings } = checkSmtpOptions(options);
    if (fault !== undefined) throw fault;
    const { clock = systemClock, logger = silentLogger } = surroundings;
    this.#options = resolved;
    this.#clock = clock;
    this.#logger = logger;
    this.#template = templateOf(resolved);
    const { allowRecipients, defaultRecipients } = resolved;
    this.#allowed = allowRecipients === undefined
      ? undefined
      : new RecipientRule([...allowRecipients, ...defaultRecipients.map(({ address }) => address)]);
    const { username = "", password } = resolved;
    this.#clean = createCleaner(password === undefined ? [] : [{ username, secret: password }]);
    for (const warning of warnings) {
      logger.warn(`Backend "${name}": ${warning}`, { backend: name });
    }
  }

  /** {@inheritDoc Communicator.start} No connection is opened: that is for the first mail, or {@link SmtpCommunicator.verify}. */
  override async start(): Promise<void> {
    this.#pool ??= this.#createPool();
    await super.start();
  }

  /** {@inheritDoc Communicator.stop} */
  override async stop(): Promise<void> {
    await super.stop();
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.drain();
  }

  /**
   * One destination per recipient, or per default recipient when the message names none. Repeats count once.
   *
   * @param message What to say.
   */
  override destinations(message: OutgoingMessage): readonly Destination[] {
    const recipients = message.recipients.length > 0
      // What is no address stays as it is, to be refused with a receipt instead of vanishing here.
      ? message.recipients.map((recipient) => parseMailAddress(recipient)?.address ?? recipient)
      : this.#options.defaultRecipients.map(({ address }) => address);
    return Array.from(new Set(recipients), (recipient) => ({ recipient }));
  }

  /** {@inheritDoc Communicator.send} */
  override async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    const pool = this.#pool;
    if (!this.isStarted || pool === undefined) {
      return reject("unavailable", "the backend is not started", { retryable: true });
    }
    const { defaultRecipients: [first], from, returnPath = from, replyTo } = this.#options;
    const recipient = context.recipient === undefined ? first : parseMailAddress(context.recipient);
    if (recipient === undefined) {
      return context.recipient === undefined
        ? reject("not-configured", "nobody to write to: the message names no recipient and there is no default")
        : reject("invalid-recipient", "the recipient is not a mail address");
    }
    if (this.#allowed?.allowsMail(recipient) === false) {
      return reject("policy", "the recipient is not among allow_recipients");
    }
    const mail = this.#compose(message, context, recipient);
    if ("outcome" in mail) return mail;
    const needsSmtpUtf8 = [recipient, from, returnPath, replyTo].some((address) => address?.needsSmtpUtf8 === true);
    const envelope = { from: returnPath.address, to: recipient.address, needsSmtpUtf8 };
    const delivery = await this.#deliver(pool, envelope, mail.text, context.signal);
    this.#log(context, delivery);
    return "fault" in delivery ? classifySmtpFault(delivery.fault) : this.#accepted(mail.messageId, delivery.accepted);
  }

  /**
   * Tries to connect, secure and log in, and sends nothing: for a check before the first mail.
   *
   * @param options A signal that gives up early.
   * @returns `undefined` if all is well, or why it is not.
   */
  async verify(options: { readonly signal?: AbortSignal } = {}): Promise<RejectedReceipt | undefined> {
    const { signal = new AbortController().signal } = options;
    const opened = await SmtpSession.open(this.#options, { clock: this.#clock, clean: this.#clean }, signal);
    if ("session" in opened) {
      await opened.session.quit();
      return undefined;
    }
    const receipt = classifySmtpFault(opened.fault);
    return receipt.outcome === "rejected" ? receipt : reject("unavailable", receipt.detail, { retryable: true });
  }

  /** Over a fresh connection if the one at hand turns out to be dead before anything of the mail has left. */
  async #deliver(pool: SmtpPool, envelope: SmtpEnvelope, text: string, signal: AbortSignal): Promise<SmtpDelivery> {
    for (let isLastTry = false;; isLastTry = true) {
      const acquired = await pool.acquire(signal);
      if ("fault" in acquired) return acquired;
      const { session, isReused } = acquired;
      const delivery = await session.deliver(envelope, text, signal);
      const fault = "fault" in delivery ? delivery.fault : undefined;
      pool.release(session, fault !== undefined);
      if (
        isLastTry || !isReused || fault === undefined ||
        !isDeadConnection(fault)
      ) return delivery;
      pool.dropIdle();
    }
  }

  #compose(message: OutgoingMessage, context: SendContext, to: MailAddress): ComposedMail | RejectedReceipt {
    const { deliveryId, possibleDuplicate = false } = context;
    try {
      return composeMail(message, { deliveryId, to, possibleDuplicate }, this.#template);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      const isPlace = message.attachments.some(({ bytes }) => bytes === undefined);
      return reject(isPlace ? "unsupported" : "invalid-message", error.message);
    }
  }

  #accepted(messageId: string, { response, serverMessageId }: SmtpAcceptance): Receipt {
    const detail = this.#clean(response);
    return serverMessageId === undefined ? { outcome: "accepted", providerMessageId: messageId, detail } : {
      outcome: "accepted",
      providerMessageId: serverMessageId,
      providerMessageIds: [serverMessageId, messageId],
      detail,
    };
  }

  #createPool(): SmtpPool {
    return new SmtpPool(this.#options, { clock: this.#clock, clean: this.#clean });
  }

  #log({ deliveryId, attempt }: SendContext, delivery: SmtpDelivery): void {
    const fields = { backend: this.name, deliveryId, attempt };
    if ("accepted" in delivery) {
      return this.#logger.debug("Mail accepted", fields);
    }
    const { stage, kind, code, enhanced } = delivery.fault;
    this.#logger.debug("Mail not accepted", { ...fields, stage, kind, code, enhanced });
  }
}

/** The server ended a connection while nobody used it; it could not say so before we tried. */
function isDeadConnection({ stage, kind, code }: SmtpFault): boolean {
  return stage === "mail" &&
    (kind === "cut" || (kind === "reply" && code === 421));
}

function reject(
  reason: RejectionReason,
  detail: string,
  { retryable = false }: { readonly retryable?: boolean } = {},
): RejectedReceipt {
  return { outcome: "rejected", retryable, reason, detail };
}

function templateOf({ from, fromName, replyTo, subjectPrefix, listUnsubscribe }: ResolvedSmtpOptions): MailTemplate {
  return {
    from,
    listUnsubscribe,
    ...(fromName === undefined ? {} : { fromName }),
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(subjectPrefix === undefined ? {} : { subjectPrefix }),
  };
}
