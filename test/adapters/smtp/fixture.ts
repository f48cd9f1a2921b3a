/**
 * What the mail tests share: a stand-in server, a communicator that talks to it, messages and contexts.
 *
 * @module
 */
import {
  type Clock,
  createOutgoingMessage,
  type Logger,
  type OutgoingMessage,
  type OutgoingMessageInit,
  type Receipt,
  type SendContext,
} from "../../../core/mod.ts";
import { SmtpStandIn, type SmtpStandInOptions } from "../../../adapters/emulator/smtp-stand-in.ts";
import { SmtpCommunicator, type SmtpOptions } from "../../../adapters/smtp/mod.ts";

/** When every message of these tests was made: Tue, 14 Nov 2023 22:13:20 UTC. */
export const MADE_AT = 1_700_000_000_000;

/** A message, complete. */
export function messageOf(init: Partial<OutgoingMessageInit> = {}): OutgoingMessage {
  let count = 0;
  return createOutgoingMessage({ message: "Disk usage at 95 %", ...init }, {
    newId: () => `message-${++count}`,
    now: () => MADE_AT,
  });
}

/** What a sender worker tells a communicator. */
export function contextOf(context: Partial<SendContext> = {}): SendContext {
  return { deliveryId: "delivery-1", attempt: 1, signal: new AbortController().signal, ...context };
}

/** A mail catcher and a backend that talks to it. */
export interface Fixture {
  readonly server: SmtpStandIn;
  readonly mail: SmtpCommunicator;
  /** What the backend logged. */
  readonly log: string[];
  /** Sends one message. */
  send(init?: Partial<OutgoingMessageInit>, context?: Partial<SendContext>): Promise<Receipt>;
}

/** What {@link withMail} sets up. */
export interface FixtureOptions {
  readonly server?: SmtpStandInOptions;
  readonly mail?: Partial<SmtpOptions>;
  readonly clock?: Clock;
}

/** Starts both, runs the body, stops both. */
export async function withMail(options: FixtureOptions, body: (fixture: Fixture) => Promise<void>): Promise<void> {
  const server = await SmtpStandIn.start(options.server);
  const log: string[] = [];
  const mail = new SmtpCommunicator("mail", {
    host: server.host,
    port: server.port,
    allowInsecure: true,
    fromAddress: "noreply@example.com",
    defaultRecipients: ["ops@example.com"],
    ...options.mail,
  }, { logger: loggerTo(log), ...(options.clock === undefined ? {} : { clock: options.clock }) });
  await mail.start();
  try {
    await body({ server, mail, log, send: (init, context) => mail.send(messageOf(init), contextOf(context)) });
  } finally {
    await server.stop();
    await mail.stop();
  }
}

/** Keeps every line and its fields, at every level. */
export function loggerTo(log: string[]): Logger {
  const write = (level: string) => (message: string, fields: object = {}): void => {
    log.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
