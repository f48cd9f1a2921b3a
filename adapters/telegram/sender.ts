/**
 * One attempt to send one message.
 *
 * @module
 */
import type {
  AcceptedReceipt,
  Clock,
  JsonObject,
  OutgoingMessage,
  Receipt,
  RejectedReceipt,
  SendContext,
  UnknownReceipt,
} from "../../core/mod.ts";
import { GENERAL_TOPIC_ID, isGroup, type TelegramAddress } from "./address.ts";
import type { ChatDirectory } from "./chats.ts";
import type { CallFailure, TelegramClient } from "./client.ts";
import { classifyFailure } from "./outcome.ts";
import { isMessageId, planMessage, type PlannedCall } from "./plan.ts";

/** What {@link TelegramSender} works with. */
export interface SenderOptions {
  /** Calls the Bot API. */
  readonly client: TelegramClient;
  /** Knows the chats. */
  readonly chats: ChatDirectory;
  /** Time. */
  readonly clock: Clock;
  /** Whether HTML is shown. */
  readonly parseMode: "text" | "html";
  /** How long one call may take. */
  readonly timeoutMs: number;
  /** The pause between parts after the first three. */
  readonly partIntervalMs: number;
  /** Keeps what a group's id became. It must not throw. */
  readonly rememberMigration: (from: string, to: string) => Promise<void>;
}

/** How many parts go without a pause: Telegram allows short bursts. */
const BURST_PARTS = 3;
/** A group takes a third of what a person takes. */
const GROUP_FACTOR = 3;

/** How far a message in parts came. */
interface Progress {
  readonly done: number;
  readonly of: number;
  readonly ids: readonly string[];
}

/** Sends messages, one attempt each, part by part. */
export class TelegramSender {
  readonly #options: SenderOptions;

  /** @param options What it works with. */
  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /**
   * Makes one attempt, from the part an earlier one stopped at.
   *
   * @param message The message.
   * @param context To whom, until when, how far it came.
   */
  async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    const { chats, parseMode } = this.#options;
    const target = chats.target(message.label, context.recipient, message.recipients.length > 0);
    switch (target.kind) {
      case "none":
        return refuse("not-configured", `no chat is configured for label "${message.label}", nor a default one`);
      case "inactive":
        return { outcome: "skipped", detail: `chat "${target.label}" is not active` };
      case "invalid":
        return refuse("invalid-recipient", "the recipient is no chat id, such as -1001234567890 or -1001234567890/42");
    }
    const calls = planMessage(message, parseMode);
    if (calls.length === 0) return refuse("invalid-message", "there is nothing to read in the message");
    const receipt = await this.#sendCalls(calls, target.address, context);
    const hasForeignReply = message.replyTo !== undefined && !isMessageId(message.replyTo);
    return receipt.outcome === "accepted" && hasForeignReply
      ? { ...receipt, detail: "sent without a reference to the message it answers, which is no message of Telegram" }
      : receipt;
  }

  async #sendCalls(calls: readonly PlannedCall[], address: TelegramAddress, context: SendContext): Promise<Receipt> {
    const before = readProgress(context.progress, calls.length);
    const ids = [...before.ids];
    for (const [index, call] of calls.entries()) {
      if (index < before.done) continue;
      const isBurst = index - before.done < BURST_PARTS;
      const failed = (isBurst ? undefined : await this.#pause(address, context.signal)) ??
        await this.#sendOne(call, address, context.signal, ids);
      if (failed !== undefined) return index === 0 ? failed : { ...failed, progress: progressOf(index, calls, ids) };
    }
    return accepted(ids);
  }

  /** One part; a group that has a new id gets it there, once. Gives what went wrong, or nothing. */
  async #sendOne(
    call: PlannedCall,
    address: TelegramAddress,
    signal: AbortSignal,
    ids: string[],
  ): Promise<RejectedReceipt | UnknownReceipt | undefined> {
    const { client, chats, timeoutMs, rememberMigration } = this.#options;
    const chatId = chats.currentId(address.chatId);
    const payload = { ...call.payload, ...threadOf(address) };
    let answer = await client.call(call.method, { ...payload, chat_id: chatId }, { timeoutMs, signal });
    const movedTo = answer.ok ? undefined : movedToOf(answer.failure);
    if (movedTo !== undefined) {
      await rememberMigration(chatId, movedTo);
      answer = await client.call(call.method, { ...payload, chat_id: movedTo }, { timeoutMs, signal });
    }
    if (!answer.ok) return classifyFailure(answer.failure);
    const id = messageIdOf(answer.result);
    if (id === undefined) return { outcome: "unknown", detail: "Telegram answered without a message id" };
    ids.push(id);
    return undefined;
  }

  /** Many parts at once would meet a 429. Stopped here, nothing is under way, and the rest follows later. */
  async #pause({ chatId }: TelegramAddress, signal: AbortSignal): Promise<RejectedReceipt | undefined> {
    const { clock, partIntervalMs } = this.#options;
    if (partIntervalMs === 0) return undefined;
    const pauseMs = partIntervalMs * (isGroup(chatId) ? GROUP_FACTOR : 1);
    try {
      await clock.sleep(pauseMs, { signal });
      return undefined;
    } catch {
      return {
        outcome: "rejected",
        reason: "rate-limited",
        retryable: true,
        retryAfterMs: pauseMs,
        detail: "stopped between two parts of the message",
      };
    }
  }
}

function movedToOf(failure: CallFailure): string | undefined {
  return failure.kind === "refused" ? failure.migrateToChatId : undefined;
}

/** The thread a message goes to. The General topic is the one without a name. */
function threadOf({ topicId }: TelegramAddress): { readonly message_thread_id?: number } {
  return topicId === undefined || topicId === GENERAL_TOPIC_ID ? {} : { message_thread_id: topicId };
}

/** The id in an answer that is a message. */
export function messageIdOf(result: unknown): string | undefined {
  if (typeof result !== "object" || result === null || !("message_id" in result)) return undefined;
  return Number.isSafeInteger(result.message_id) ? String(result.message_id) : undefined;
}

function accepted(ids: readonly string[]): AcceptedReceipt {
  const [first] = ids;
  return {
    outcome: "accepted",
    ...(first === undefined ? {} : { providerMessageId: first }),
    ...(ids.length > 1 ? { providerMessageIds: ids } : {}),
  };
}

function refuse(reason: RejectedReceipt["reason"], detail: string): RejectedReceipt {
  return { outcome: "rejected", retryable: false, reason, detail };
}

function progressOf(done: number, calls: readonly PlannedCall[], ids: readonly string[]): JsonObject {
  return { done, of: calls.length, ids };
}

/** What an earlier attempt did. Another number of parts than now means other cuts: then all of it goes again. */
function readProgress(progress: JsonObject | undefined, of: number): Progress {
  const none: Progress = { done: 0, of, ids: [] };
  if (progress === undefined || progress["of"] !== of) return none;
  const { done, ids } = progress;
  if (typeof done !== "number" || !Number.isInteger(done) || done < 0 || done > of || !Array.isArray(ids)) return none;
  return { done, of, ids: ids.filter((id) => typeof id === "string") };
}
