/**
 * Addresses on Telegram: a chat, and perhaps a topic in it.
 *
 * @module
 */

/** Where a message goes. */
export interface TelegramAddress {
  /** The chat's id, or `"@name"` of a public one. */
  readonly chatId: string;
  /** The topic of a forum. Absent: the chat itself. */
  readonly topicId?: number;
}

const ADDRESS = /^(-?\d{1,16}|@[A-Za-z][A-Za-z0-9_]{2,31})(?:\/([1-9]\d{0,9}))?$/;

/**
 * Reads an address: `"-1001234567890"`, `"-1001234567890/42"` for topic 42, `"@name"`.
 *
 * @param text The address.
 * @returns Its parts, or `undefined` if it is none.
 */
export function parseAddress(text: string): TelegramAddress | undefined {
  const [, chatId, topic] = (typeof text === "string" ? ADDRESS.exec(text) : null) ?? [];
  if (chatId === undefined) return undefined;
  return topic === undefined ? { chatId } : { chatId, topicId: Number(topic) };
}

/** Writes an address as {@link parseAddress} reads it. */
export function formatAddress({ chatId, topicId }: TelegramAddress): string {
  return topicId === undefined ? chatId : `${chatId}/${topicId}`;
}

/** Whether a chat has many readers, by the form of its id: groups and channels have negative ids or names. */
export function isGroup(chatId: string): boolean {
  return chatId.startsWith("-") || chatId.startsWith("@");
}

/**
 * The General topic of a forum is topic 1, but a message must not name it: Telegram answers that there is no such
 * thread.
 */
export const GENERAL_TOPIC_ID = 1;
