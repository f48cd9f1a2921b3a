/**
 * The options of the emulator.
 *
 * @module
 */
import {
  assertInteger,
  assertText,
  type Clock,
  type Logger,
  type MessageStore,
  silentLogger,
  systemClock,
  ValidationError,
} from "../../core/mod.ts";
import { assertConversation } from "./conversation-book.ts";

/** How an {@link EmulatorCommunicator} is made. */
export interface EmulatorOptions {
  /** Where the transcript and the names of conversations are kept. */
  readonly store: MessageStore;
  /** Time. @default the system's */
  readonly clock?: Clock | undefined;
  /** Where it says what goes wrong. @default nowhere */
  readonly logger?: Logger | undefined;
  /** What the page must show, at least 16 characters. @default 256 bits of chance, another in every run */
  readonly token?: string | undefined;
  /** Where messages without a recipient go. @default `"main"` */
  readonly conversation?: string | undefined;
  /** How many of the latest entries of the transcript are kept; a message takes two to four. @default `10_000` */
  readonly keepEntries?: number | undefined;
  /** How many conversations there may be. @default `1_000` */
  readonly maxConversations?: number | undefined;
  /** The longest text a person may type, in UTF-16 units. @default `10_000` */
  readonly maxTextLength?: number | undefined;
}

/** {@link EmulatorOptions}, checked and complete, but for the token: that is made when it is first asked for. */
export interface ResolvedEmulatorOptions {
  /** See {@link EmulatorOptions.store}. */
  readonly store: MessageStore;
  /** See {@link EmulatorOptions.clock}. */
  readonly clock: Clock;
  /** See {@link EmulatorOptions.logger}. */
  readonly logger: Logger;
  /** See {@link EmulatorOptions.conversation}. */
  readonly conversation: string;
  /** See {@link EmulatorOptions.keepEntries}. */
  readonly keepEntries: number;
  /** See {@link EmulatorOptions.maxConversations}. */
  readonly maxConversations: number;
  /** See {@link EmulatorOptions.maxTextLength}. */
  readonly maxTextLength: number;
  /** The token, where one was given. */
  readonly token: string | undefined;
}

/**
 * Checks the options and completes them.
 *
 * @param options The options.
 * @throws {ValidationError} If one is of the wrong kind.
 */
export function resolveEmulatorOptions(options: EmulatorOptions): ResolvedEmulatorOptions {
  const { clock = systemClock, logger = silentLogger, conversation = "main" } = options;
  const { keepEntries = 10_000, maxConversations = 1_000, maxTextLength = 10_000 } = options;
  return {
    store: options.store,
    clock,
    logger,
    token: options.token === undefined ? undefined : assertToken(options.token),
    conversation: assertConversation(conversation),
    keepEntries: assertInteger(keepEntries, "keepEntries", 1, 1_000_000),
    maxConversations: assertInteger(maxConversations, "maxConversations", 1, 100_000),
    maxTextLength: assertInteger(maxTextLength, "maxTextLength", 1, 100_000),
  };
}

const TOKEN = /^[\x21-\x7e]{16,200}$/;

function assertToken(value: unknown): string {
  const token = assertText(value, "token", { maxLength: 200 });
  if (TOKEN.test(token)) return token;
  throw new ValidationError("token", "Cannot accept 'token': it must be 16 to 200 visible ASCII characters");
}
