/**
 * Telegram, by grammY: sends to chats by label, receives by webhook or long polling.
 *
 * @module
 */
export { telegram } from "./backend.ts";
export { type TelegramButton, telegramButtons } from "./buttons.ts";
export { TelegramCommunicator, type TelegramStats, type TelegramSurroundings } from "./communicator.ts";
export { TELEGRAM_CHAT_KEYS, TELEGRAM_OPTION_KEYS } from "./config.ts";
export type { UpdateCounts } from "./intake.ts";
export { DEFAULT_ALLOWED_UPDATES, type TelegramBotLike, type TelegramChat, type TelegramOptions } from "./options.ts";
export type { PollerState } from "./poller.ts";
