/**
 * The configured chats: where a label goes, and who may be heard.
 *
 * @module
 */
import { GENERAL_TOPIC_ID, parseAddress, type TelegramAddress } from "./address.ts";
import type { ResolvedTelegramChat } from "./options.ts";

/** Where something was said, and by whom. */
export interface ChatPlace {
  /** The chat. */
  readonly chatId: string;
  /** The thread, where there is one. */
  readonly threadId?: number;
  /** Who said it. */
  readonly senderId?: string;
}

/** Whether somebody may be heard. */
export type Authorisation =
  | { readonly allowed: true; readonly label: string; readonly topicId: number | undefined }
  | { readonly allowed: false; readonly reason: "chat" | "topic" | "user" };

/** Where a message goes, or why nowhere. */
export type Target =
  | { readonly kind: "chat"; readonly address: TelegramAddress }
  | { readonly kind: "none" }
  | { readonly kind: "inactive"; readonly label: string }
  | { readonly kind: "invalid" };

/** The configured chats, and what became of the ids of those that were upgraded. */
export class ChatDirectory {
  readonly #chats: ReadonlyMap<string, ResolvedTelegramChat>;
  readonly #migrated = new Map<string, string>();

  /** @param chats The chats by label. */
  constructor(chats: ReadonlyMap<string, ResolvedTelegramChat>) {
    this.#chats = chats;
  }

  /** Every configured chat id. */
  get chatIds(): ReadonlySet<string> {
    return new Set([...this.#chats.values()].map(({ chatId }) => chatId));
  }

  /** Notes that a group got a new id when it was upgraded. */
  migrate(from: string, to: string): void {
    if (from !== to) this.#migrated.set(from, to);
  }

  /** The id a chat has now. */
  currentId(chatId: string): string {
    let current = chatId;
    for (let hops = 0; hops < 4; hops += 1) {
      const next = this.#migrated.get(current);
      if (next === undefined) break;
      current = next;
    }
    return current;
  }

  /** The address configured for a label, whether active or not. */
  addressOf(label: string): TelegramAddress | undefined {
    const chat = this.#chatFor(label)?.chat;
    return chat === undefined ? undefined : addressOfChat(chat);
  }

  /**
   * Finds where a message goes.
   *
   * @param label The message's label.
   * @param recipient The address it was given, where it was given one.
   * @param isExplicit Whether the address was named by whoever sent the message, and not looked up by label.
   */
  target(label: string, recipient: string | undefined, isExplicit: boolean): Target {
    const found = this.#chatFor(label);
    if (recipient === undefined || !isExplicit) {
      if (found !== undefined && !found.chat.active) return { kind: "inactive", label: found.label };
    }
    if (recipient !== undefined) {
      const address = parseAddress(recipient);
      return address === undefined ? { kind: "invalid" } : { kind: "chat", address };
    }
    return found === undefined ? { kind: "none" } : { kind: "chat", address: addressOfChat(found.chat) };
  }

  /**
   * Decides whether something said in a chat is taken in: by the chat, its topic and, where users are listed, by who
   * said it. The entry that names the topic goes before one for the whole chat.
   */
  authorise(place: ChatPlace): Authorisation {
    let reason: "chat" | "topic" | "user" = "chat";
    let whole: Authorisation | undefined;
    for (const [label, chat] of this.#chats) {
      if (!chat.commandAuthorized || this.currentId(chat.chatId) !== this.currentId(place.chatId)) continue;
      if (!isTopicOf(chat, place.threadId)) {
        if (reason === "chat") reason = "topic";
        continue;
      }
      if (chat.userIds !== undefined && (place.senderId === undefined || !chat.userIds.has(place.senderId))) {
        reason = "user";
        continue;
      }
      if (chat.topicId !== undefined) return { allowed: true, label, topicId: chat.topicId };
      whole ??= { allowed: true, label, topicId: undefined };
    }
    return whole ?? { allowed: false, reason };
  }

  #chatFor(label: string): { readonly label: string; readonly chat: ResolvedTelegramChat } | undefined {
    for (const candidate of [label, "default"]) {
      const chat = this.#chats.get(candidate);
      if (chat !== undefined) return { label: candidate, chat };
    }
    return undefined;
  }
}

function addressOfChat({ chatId, topicId }: ResolvedTelegramChat): TelegramAddress {
  return topicId === undefined ? { chatId } : { chatId, topicId };
}

/** A message in the General topic names no thread. */
function isTopicOf({ topicId }: ResolvedTelegramChat, threadId: number | undefined): boolean {
  if (topicId === undefined) return true;
  return topicId === GENERAL_TOPIC_ID ? threadId === undefined || threadId === topicId : threadId === topicId;
}
