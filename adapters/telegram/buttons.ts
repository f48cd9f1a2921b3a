/**
 * Buttons under a message.
 *
 * @module
 */
import { assertText, type JsonObject, kindOf, ValidationError } from "../../core/mod.ts";

/** A button: with an `id`, which comes back when it is pressed, or with a `url`, which it opens. */
export type TelegramButton =
  | { readonly title: string; readonly id: string }
  | { readonly title: string; readonly url: string };

const MAX_ID_BYTES = 64;
const MAX_BUTTONS = 100;

/**
 * Buttons for `metadata.telegram`. A press comes in as a message of kind `interactive`: its `text` is the button's
 * title, `metadata.callback_data` its id.
 *
 * @param rows The buttons, row by row.
 * @returns The value for `metadata.telegram`.
 * @throws {ValidationError} If there are none or more than 100, or an id is longer than the 64 bytes Telegram takes.
 *
 * @example
 * ```ts
 * import { telegramButtons } from "posthorn/telegram";
 *
 * const message = {
 *   message: "Restart db-1?",
 *   metadata: { telegram: telegramButtons([[{ title: "Yes", id: "restart:db-1" }, { title: "No", id: "leave:db-1" }]]) },
 * };
 * console.log(Object.keys(message.metadata.telegram)); // ["reply_markup"]
 * ```
 */
export function telegramButtons(rows: readonly (readonly TelegramButton[])[]): JsonObject {
  const count = rows.flat().length;
  if (count < 1 || count > MAX_BUTTONS) {
    throw new ValidationError("rows", `Cannot make ${count} buttons: there must be 1 to ${MAX_BUTTONS}`);
  }
  return { reply_markup: { inline_keyboard: rows.map((row) => row.map(buttonOf)) } };
}

function buttonOf(button: TelegramButton): JsonObject {
  const text = assertText(button.title, "title", { maxLength: 200 });
  if ("url" in button) return { text, url: checkUrl(button.url) };
  const id = assertText(button.id, "id", { maxLength: MAX_ID_BYTES });
  const bytes = new TextEncoder().encode(id).length;
  if (bytes > MAX_ID_BYTES) {
    throw new ValidationError("id", `Cannot make a button with an id of ${bytes} bytes: limit is ${MAX_ID_BYTES}`);
  }
  return { text, callback_data: id };
}

function checkUrl(url: string): string {
  if (URL.canParse(url) && ["http:", "https:", "tg:"].includes(new URL(url).protocol)) return url;
  throw new ValidationError(
    "url",
    `Cannot make a button with this address: it must be http, https or tg, not ${kindOf(url)}`,
  );
}
