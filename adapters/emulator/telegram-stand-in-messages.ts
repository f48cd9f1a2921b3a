/**
 * Messages of the stand-in: what Telegram checks, keeps and shows of them.
 *
 * @module
 */
import { parseTelegramHtml, type TelegramStandInEntity, UnreadableHtml } from "./telegram-stand-in-html.ts";
import type { TelegramStandInFile } from "./telegram-stand-in-request.ts";

/** A message the stand-in took: its own record, whatever the sender believes. */
export interface TelegramStandInMessage {
  /** The id it got, growing within its chat. */
  readonly messageId: number;
  /** The chat. */
  readonly chatId: string;
  /** The thread. */
  readonly threadId: number | undefined;
  /** The method it came by. */
  readonly method: string;
  /** What is read of its text or caption. */
  readonly text: string;
  /** How that is shown. */
  readonly entities: readonly TelegramStandInEntity[];
  /** The message it answers. */
  readonly replyTo: number | undefined;
  /** Its buttons and the like. */
  readonly replyMarkup: unknown;
  /** The file: its content, or the address or id that was given. */
  readonly file: TelegramStandInFile | string | undefined;
  /** Every parameter, as it came. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** When its text was changed last. */
  readonly editedAt?: number;
}

/** An answer of the Bot API. */
export interface TelegramStandInAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The JSON. */
  readonly body: Readonly<Record<string, unknown>>;
}

const MAX_TEXT_LENGTH = 4096;
const MAX_CAPTION_LENGTH = 1024;

/** The parameter that holds the file, by method. */
export const MEDIA_FIELDS: Readonly<Record<string, string>> = {
  sendPhoto: "photo",
  sendDocument: "document",
  sendAudio: "audio",
  sendVideo: "video",
  sendVoice: "voice",
  sendAnimation: "animation",
};

/**
 * What is read of a text, or why Telegram refuses it.
 *
 * @param values The parameters.
 * @param name Which of them.
 */
export function readText(
  values: Readonly<Record<string, unknown>>,
  name: "text" | "caption",
): TelegramStandInAnswer | { readonly text: string; readonly entities: readonly TelegramStandInEntity[] } {
  const given = values[name];
  const source = given === undefined ? "" : String(given);
  if (!source.isWellFormed()) return bad("strings must be encoded in UTF-8");
  let parsed: { readonly text: string; readonly entities: readonly TelegramStandInEntity[] } = {
    text: source,
    entities: [],
  };
  try {
    if (values["parse_mode"] === "HTML") parsed = parseTelegramHtml(source);
  } catch (error) {
    if (error instanceof UnreadableHtml) return bad(error.message);
    throw error;
  }
  if (name === "text" && parsed.text.trim() === "") return bad("message text is empty");
  if (parsed.text.length > (name === "text" ? MAX_TEXT_LENGTH : MAX_CAPTION_LENGTH)) {
    return bad(name === "text" ? "message is too long" : "message caption is too long");
  }
  return parsed;
}

/** A message as the Bot API shows it. */
export function describeMessage(
  message: TelegramStandInMessage,
  bot: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const name = message.method === "sendMessage" ? "text" : "caption";
  return {
    message_id: message.messageId,
    from: bot,
    chat: chatOf(Number(message.chatId)),
    date: Math.floor(message.at / 1_000),
    ...(message.threadId === undefined ? {} : { message_thread_id: message.threadId, is_topic_message: true }),
    ...(message.text === "" ? {} : { [name]: message.text }),
    ...(message.replyMarkup === undefined ? {} : { reply_markup: message.replyMarkup }),
  };
}

/** A chat as the Bot API shows it: its id says what it is. */
export function chatOf(id: number): Readonly<Record<string, unknown>> {
  if (id > 0) return { id, type: "private", first_name: "Ada" };
  return { id, type: id < -1_000_000_000_000 ? "supergroup" : "group", title: "Group" };
}

/** A parameter that is a number, in a form too. */
export function numberOf(value: unknown): number | undefined {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

/** The file a parameter names: one that came with the call, or an address or id. */
export function fileOf(
  value: unknown,
  files: ReadonlyMap<string, TelegramStandInFile>,
): TelegramStandInFile | string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  return value.startsWith("attach://") ? files.get(value.slice("attach://".length)) : value;
}

/** An answer that it is done. */
export function done(result: unknown): TelegramStandInAnswer {
  return { status: 200, body: { ok: true, result } };
}

/** An answer that the request is no good. */
export function bad(description: string, parameters?: Readonly<Record<string, unknown>>): TelegramStandInAnswer {
  return { status: 400, body: refusal(400, `Bad Request: ${description}`, parameters) };
}

/** A refusal. */
export function refusal(
  code: number,
  description: string,
  parameters?: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return { ok: false, error_code: code, description, ...(parameters === undefined ? {} : { parameters }) };
}
