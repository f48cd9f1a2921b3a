/** What the tests of the Telegram backend share. */
import type { Logger, OutgoingMessage, OutgoingMessageInit, Receipt, SendContext } from "../../../core/mod.ts";
import { createOutgoingMessage } from "../../../core/mod.ts";
import {
  TelegramCommunicator,
  type TelegramOptions,
  type TelegramSurroundings,
} from "../../../adapters/telegram/mod.ts";
import {
  TelegramStandInApi,
  type TelegramStandInApiOptions,
} from "../../../adapters/emulator/telegram-stand-in-api.ts";

export const CHAT = "-1001234567890";

let counter = 0;

export function messageOf(init: OutgoingMessageInit): OutgoingMessage {
  return createOutgoingMessage(init, { newId: () => `m${counter += 1}`, now: () => 1_700_000_000_000 });
}

export function contextOf(more: Partial<SendContext> = {}): SendContext {
  return { deliveryId: "d1", attempt: 1, signal: new AbortController().signal, ...more };
}

/** A backend and the stand-in it talks to in the same process, without a socket: runs everywhere. */
export interface Pair {
  readonly telegram: TelegramStandInApi;
  readonly backend: TelegramCommunicator;
  send(init: OutgoingMessageInit, context?: Partial<SendContext>): Promise<Receipt>;
}

export async function pairOf(
  options: Partial<TelegramOptions> = {},
  standIn: TelegramStandInApiOptions = {},
  surroundings: TelegramSurroundings = {},
): Promise<Pair> {
  const telegram = new TelegramStandInApi(standIn);
  const backend = new TelegramCommunicator("ops", {
    token: telegram.token,
    chats: { default: { chatId: CHAT } },
    fetch: telegram.fetch,
    partIntervalMs: 0,
    ...options,
  }, surroundings);
  await backend.start();
  return {
    telegram,
    backend,
    send: (init, context) => backend.send(messageOf(init), contextOf(context)),
  };
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function recordingLogger(lines: LogLine[]): Logger {
  const at = (level: LogLine["level"]) => (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    void lines.push({ level, message, fields });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Waits until something holds; fails with the test's own timeout when it never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Fails the test when a receipt is of another outcome. */
export function assertOutcome<Outcome extends Receipt["outcome"]>(
  receipt: Receipt,
  outcome: Outcome,
): asserts receipt is Extract<Receipt, { readonly outcome: Outcome }> {
  if (receipt.outcome !== outcome) {
    throw new Error(`outcome is ${JSON.stringify(receipt)}, not "${outcome}"`);
  }
}
