/**
 * Changing a message that was sent.
 *
 * @module
 */
import { type EditedMessage, htmlToText, type Receipt } from "../../core/mod.ts";
import { parseAddress } from "./address.ts";
import type { ChatDirectory } from "./chats.ts";
import type { CallFailure, TelegramClient } from "./client.ts";
import { classifyFailure } from "./outcome.ts";
import { bodyOf, isMessageId, MAX_TEXT_LENGTH, passedParameters, textParameters } from "./plan.ts";

/** What {@link editMessage} works with. */
export interface EditOptions {
  /** Calls the Bot API. */
  readonly client: TelegramClient;
  /** Knows the chats. */
  readonly chats: ChatDirectory;
  /** Whether HTML is shown. */
  readonly parseMode: "text" | "html";
  /** How long the call may take. */
  readonly timeoutMs: number;
  /** Ends it early. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Changes the text of a message.
 *
 * @param edited Which, and what it says now.
 * @param options What it works with.
 */
export async function editMessage(edited: EditedMessage, options: EditOptions): Promise<Receipt> {
  const { client, chats, parseMode, timeoutMs, signal } = options;
  const address = parseAddress(edited.recipient ?? "");
  if (address === undefined || !isMessageId(edited.messageId)) {
    return invalid("invalid-recipient", "there is no such message: recipient or message id is none of Telegram's");
  }
  const body = bodyOf(edited, parseMode);
  const read = body.format === "html" ? htmlToText(body.text) : body.text;
  if (read.trim() === "") return invalid("invalid-message", "there is nothing to read in the message");
  if (read.length > MAX_TEXT_LENGTH) {
    return invalid("invalid-message", `the text is longer than one message: limit is ${MAX_TEXT_LENGTH}`);
  }
  const { reply_markup: markup, link_preview_options: preview } = passedParameters(edited.metadata ?? {}) ?? {};
  const answer = await client.call("editMessageText", {
    chat_id: chats.currentId(address.chatId),
    message_id: Number(edited.messageId),
    ...textParameters("text", body),
    ...(markup === undefined ? {} : { reply_markup: markup }),
    ...(preview === undefined ? {} : { link_preview_options: preview }),
  }, { timeoutMs, signal });
  const isDone = answer.ok || saysNotModified(answer.failure);
  return isDone ? { outcome: "accepted", providerMessageId: edited.messageId } : classifyFailure(answer.failure);
}

/** It says so already: an edit that is repeated after its answer was lost. Nothing but the words tells this from other 400. */
function saysNotModified(failure: CallFailure): boolean {
  return failure.kind === "refused" && failure.code === 400 && failure.description.includes("message is not modified");
}

function invalid(reason: "invalid-recipient" | "invalid-message", detail: string): Receipt {
  return { outcome: "rejected", retryable: false, reason, detail };
}
