/**
 * From Telegram's updates to messages.
 *
 * @module
 */
import type { Update } from "grammy/types";
import type { IncomingMessage, JsonObject, JsonValue } from "../../core/mod.ts";
import type { ChatDirectory, ChatPlace } from "./chats.ts";
import { formatAddress } from "./address.ts";
import { type Content, type FileOpener, nameOf, readContent } from "./content.ts";
import { asObject, idAt, numberAt, objectAt, objectsAt, storable, textAt, type Unchecked } from "./json.ts";

/** Every kind of update of the Bot API. */
export type UpdateKind = Exclude<keyof Update, "update_id">;

/** How an update is read. */
type Reading = "message" | "callback" | "reaction" | "unsupported";

/** Every kind of update; grammY's types say which there are, so that a new one does not compile until it is here. */
const READINGS: Readonly<Record<UpdateKind, Reading>> = {
  message: "message",
  edited_message: "message",
  channel_post: "message",
  edited_channel_post: "message",
  business_message: "message",
  edited_business_message: "message",
  guest_message: "message",
  callback_query: "callback",
  message_reaction: "reaction",
  message_reaction_count: "unsupported",
  business_connection: "unsupported",
  deleted_business_messages: "unsupported",
  stopped_message_generation: "unsupported",
  inline_query: "unsupported",
  chosen_inline_result: "unsupported",
  shipping_query: "unsupported",
  pre_checkout_query: "unsupported",
  purchased_paid_media: "unsupported",
  poll: "unsupported",
  poll_answer: "unsupported",
  my_chat_member: "unsupported",
  chat_member: "unsupported",
  chat_join_request: "unsupported",
  chat_boost: "unsupported",
  removed_chat_boost: "unsupported",
  managed_bot: "unsupported",
  subscription: "unsupported",
};

/** How much of an update without a word for it is kept in `metadata.update`. */
const MAX_KEPT_BYTES = 65_536;

/** What became of an update. */
export type MappedUpdate =
  | { readonly kind: "message"; readonly message: IncomingMessage }
  | {
    /** It came from where nobody may be heard. */
    readonly kind: "unauthorised";
    readonly updateKind: string;
    readonly reason: "chat" | "topic" | "user" | "no-chat";
    readonly chatId: string | undefined;
  }
  | {
    /** It is no update. */
    readonly kind: "malformed";
  };

/** What {@link mapUpdate} needs to know. */
export interface UpdateContext {
  /** The backend's name. */
  readonly backendName: string;
  /** Knows who may be heard. */
  readonly chats: ChatDirectory;
  /** The time, for updates that have none. */
  readonly now: () => number;
  /** Streams files. */
  readonly open: FileOpener;
  /** Told when a group that is configured got a new id. */
  readonly onMigration?: (from: string, to: string) => void;
}

/** Where an update happened, and who did it. */
interface Scene {
  readonly chat: Unchecked | undefined;
  readonly actor: Unchecked | undefined;
  readonly threadId: number | undefined;
  readonly isTopic: boolean;
  readonly messageId: string | undefined;
  readonly timestamp: number | undefined;
}

/**
 * Reads an update. It never throws, whatever it is given.
 *
 * Only what was said in a chat that is authorised becomes a message. An update that happened in no chat (an inline
 * query, a vote) counts as said in the private chat with whoever did it.
 *
 * @param value The update as it came, unchecked.
 * @param context Who is asking, and who may be heard.
 */
export function mapUpdate(value: unknown, context: UpdateContext): MappedUpdate {
  const update = asObject(value);
  const updateId = numberAt(update, "update_id");
  if (update === undefined || updateId === undefined || !Number.isSafeInteger(updateId)) return { kind: "malformed" };
  const found = findPayload(update);
  if (found === undefined) return { kind: "malformed" };
  const { updateKind, reading, payload } = found;
  noteMigration(payload, context);
  const scene = sceneOf(reading, payload);
  const senderId = idAt(scene.actor, "id");
  const chatId = idAt(scene.chat, "id") ?? senderId;
  if (chatId === undefined) return { kind: "unauthorised", updateKind, reason: "no-chat", chatId };
  const place: ChatPlace = {
    chatId,
    ...(scene.threadId === undefined ? {} : { threadId: scene.threadId }),
    ...(senderId === undefined ? {} : { senderId }),
  };
  const authorisation = context.chats.authorise(place);
  if (!authorisation.allowed) return { kind: "unauthorised", updateKind, reason: authorisation.reason, chatId };

  const content = contentOf(reading, payload, context.open) ?? unsupported(update);
  const inTopic = scene.threadId !== undefined && (scene.isTopic || authorisation.topicId === scene.threadId);
  const sender = textAt(scene.actor, "username") ?? nameOf(scene.actor);
  const replyTo = replyToOf(reading, payload, scene);
  return {
    kind: "message",
    message: {
      id: `${context.backendName}:${updateId}`,
      kind: content.kind,
      text: content.text,
      ...(sender === undefined ? {} : { sender }),
      ...(senderId === undefined ? {} : { senderId }),
      chatLabel: authorisation.label,
      backendName: context.backendName,
      timestamp: scene.timestamp ?? context.now(),
      conversation: formatAddress(inTopic ? { chatId, topicId: scene.threadId } : { chatId }),
      ...(replyTo === undefined ? {} : { replyTo }),
      attachments: content.attachments,
      metadata: { ...sceneMetadata(updateId, updateKind, payload, scene), ...content.metadata },
      rawEvent: value,
    },
  };
}

interface FoundPayload {
  readonly updateKind: string;
  readonly reading: Reading;
  readonly payload: Unchecked;
}

/** The one member of an update beside its id. A kind that this version does not know is read as `unsupported`. */
function findPayload(update: Unchecked): FoundPayload | undefined {
  for (const [updateKind, value] of Object.entries(update)) {
    const payload = asObject(value);
    if (updateKind === "update_id" || payload === undefined) continue;
    return { updateKind, reading: readingOf(updateKind), payload };
  }
  return undefined;
}

function readingOf(updateKind: string): Reading {
  return isKnown(updateKind) ? READINGS[updateKind] : "unsupported";
}

function isKnown(updateKind: string): updateKind is UpdateKind {
  return Object.hasOwn(READINGS, updateKind);
}

function sceneOf(reading: Reading, payload: Unchecked): Scene {
  const message = reading === "callback" ? objectAt(payload, "message") : payload;
  const threadId = numberAt(message, "message_thread_id");
  const date = numberAt(payload, "edit_date") ?? numberAt(payload, "date");
  return {
    chat: objectAt(message, "chat") ?? objectAt(payload, "voter_chat"),
    actor: actorOf(reading, payload),
    threadId: threadId !== undefined && Number.isSafeInteger(threadId) && threadId > 0 ? threadId : undefined,
    isTopic: message?.["is_topic_message"] === true,
    messageId: idAt(message, "message_id"),
    timestamp: reading === "callback" || date === undefined || !isTime(date) ? undefined : date * 1_000,
  };
}

/** A time a `Date` can hold; 0 stands for a message that is too old to be seen. */
function isTime(seconds: number): boolean {
  return seconds > 0 && seconds <= 8_640_000_000_000;
}

/** Who did it. A message in the name of a chat or channel is that chat's. */
function actorOf(reading: Reading, payload: Unchecked): Unchecked | undefined {
  const asChat = reading === "callback"
    ? undefined
    : objectAt(payload, "sender_chat") ?? objectAt(payload, "actor_chat");
  return asChat ?? objectAt(payload, "from") ?? objectAt(payload, "user") ??
    (reading === "message" ? objectAt(payload, "chat") : undefined);
}

function contentOf(reading: Reading, payload: Unchecked, open: FileOpener): Content | undefined {
  switch (reading) {
    case "message":
      return readContent(payload, open);
    case "callback":
      return readCallback(payload);
    case "reaction":
      return readReaction(payload);
    case "unsupported":
      return undefined;
  }
}

/** The button pressed: its label for people, its data for the program. */
function readCallback(query: Unchecked): Content {
  const data = textAt(query, "data");
  const id = textAt(query, "id");
  const game = textAt(query, "game_short_name");
  const keyboard: unknown = objectAt(objectAt(query, "message"), "reply_markup")?.["inline_keyboard"];
  const rows: readonly unknown[] = Array.isArray(keyboard) ? keyboard : [];
  const label = rows.flat().map(asObject).find((button) => textAt(button, "callback_data") === data);
  return {
    kind: "interactive",
    text: (data === undefined ? undefined : textAt(label, "text")) ?? data ?? game ?? "",
    attachments: [],
    metadata: {
      ...(id === undefined ? {} : { callback_query_id: id }),
      ...(data === undefined ? {} : { callback_data: data }),
      ...(game === undefined ? {} : { game_short_name: game }),
    },
  };
}

function readReaction(reaction: Unchecked): Content {
  const now = objectsAt(reaction, "new_reaction");
  const before = objectsAt(reaction, "old_reaction");
  return {
    kind: "reaction",
    text: now.map((each) => textAt(each, "emoji")).find((emoji) => emoji !== undefined) ?? "",
    attachments: [],
    metadata: { new_reaction: now.map(reactionName), old_reaction: before.map(reactionName) },
  };
}

function reactionName(reaction: Unchecked): string {
  return textAt(reaction, "emoji") ?? textAt(reaction, "custom_emoji_id") ?? textAt(reaction, "type") ?? "";
}

function unsupported(update: Unchecked): Content {
  const kept: JsonValue | undefined = storable(update, MAX_KEPT_BYTES);
  return {
    kind: "unsupported",
    text: "",
    attachments: [],
    metadata: kept === undefined ? { update_left_out: "it is too large or too deep to keep" } : { update: kept },
  };
}

function replyToOf(reading: Reading, payload: Unchecked, scene: Scene): string | undefined {
  if (reading !== "message") return scene.messageId;
  const answered = objectAt(payload, "reply_to_message");
  // In a topic, every message that answers none refers to the one that made the topic.
  if (answered === undefined || objectAt(answered, "forum_topic_created") !== undefined) return undefined;
  const id = idAt(answered, "message_id");
  return scene.isTopic && id === String(scene.threadId) ? undefined : id;
}

/** The network's own words for it, under the network's own names. */
function sceneMetadata(updateId: number, updateKind: string, payload: Unchecked, scene: Scene): JsonObject {
  const chatId = numberAt(scene.chat, "id");
  const chatType = textAt(scene.chat, "type");
  const language = textAt(scene.actor, "language_code");
  const group = textAt(payload, "media_group_id");
  const isEdit = updateKind.startsWith("edited_");
  return {
    update_id: updateId,
    update_kind: updateKind,
    ...(scene.messageId === undefined ? {} : { message_id: scene.messageId }),
    ...(chatId === undefined ? {} : { chat_id: chatId }),
    ...(chatType === undefined ? {} : { chat_type: chatType }),
    ...(scene.threadId === undefined ? {} : { message_thread_id: scene.threadId }),
    ...(language === undefined ? {} : { language_code: language }),
    ...(group === undefined ? {} : { media_group_id: group }),
    ...(isEdit ? { edited: true } : {}),
    ...(objectAt(payload, "forward_origin") === undefined ? {} : { forwarded: true }),
  };
}

/** A group that becomes a supergroup gets a new id, and says so in both. */
function noteMigration(payload: Unchecked, { onMigration }: UpdateContext): void {
  if (onMigration === undefined) return;
  const here = idAt(objectAt(payload, "chat"), "id");
  const to = idAt(payload, "migrate_to_chat_id");
  const from = idAt(payload, "migrate_from_chat_id");
  if (here === undefined) return;
  if (to !== undefined) onMigration(here, to);
  if (from !== undefined) onMigration(from, here);
}
