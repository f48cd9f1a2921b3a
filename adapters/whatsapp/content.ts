/**
 * What WhatsApp can show besides text and files: templates, buttons, lists, places, reactions. Each function gives a
 * value for `metadata.whatsapp` of an outgoing message, checked against WhatsApp's limits.
 *
 * @module
 */
import { cloneJson, type JsonObject, type JsonValue } from "../../core/mod.ts";
import { contentPayload, limited } from "./content-payload.ts";

/** A value for `metadata.whatsapp`: made by {@link whatsAppTemplate} and the functions beside it. */
export interface WhatsAppContent extends JsonObject {
  /** What it is. */
  readonly type: "template" | "buttons" | "list" | "location" | "reaction";
}

/** The variables of a template. */
export interface TemplateParameters {
  /** The variables of the body, in order: a list for `{{1}}`, `{{2}}`, or texts by name for named ones. */
  readonly body?: readonly string[] | Readonly<Record<string, string>>;
  /** The variables of a text header. */
  readonly header?: readonly string[];
  /** The file of a media header: its kind, and an id or a link. */
  readonly headerMedia?: {
    readonly kind: "image" | "video" | "document";
    readonly id?: string;
    readonly link?: string;
    readonly filename?: string;
  };
  /** What each button carries, by its place from 0: the end of a URL, or the payload of a quick reply. */
  readonly buttons?: readonly { readonly index: number; readonly url?: string; readonly payload?: string }[];
}

/**
 * A template that Meta approved: the only kind of message that may open a conversation, or go on with one after 24 hours
 * of silence. The message's own text is not sent.
 *
 * @param name The template's name.
 * @param language Its language: `"en_US"`.
 * @param parameters Its variables.
 * @throws {ValidationError} If something is of the wrong kind or too long.
 *
 * @example
 * ```ts
 * import { whatsAppTemplate } from "posthorn/whatsapp";
 *
 * const message = {
 *   message: "Your order 1042 is on its way",
 *   recipients: ["+49 170 1234567"],
 *   metadata: { whatsapp: whatsAppTemplate("order_shipped", "en_US", { body: ["1042"] }) },
 * };
 * console.log(message.metadata.whatsapp.type); // template
 * ```
 */
export function whatsAppTemplate(
  name: string,
  language: string,
  parameters: TemplateParameters = {},
): WhatsAppContent {
  const { body, header, headerMedia, buttons = [] } = parameters;
  const components: JsonValue[] = [];
  if (headerMedia !== undefined) {
    const { kind, ...media } = headerMedia;
    components.push({ type: "header", parameters: [{ type: kind, [kind]: cloneJson(media, "headerMedia") }] });
  } else if (header !== undefined) {
    components.push({ type: "header", parameters: header.map(textParameter) });
  }
  if (body !== undefined) components.push({ type: "body", parameters: bodyParameters(body) });
  for (const { index, url, payload } of buttons) {
    components.push({
      type: "button",
      sub_type: url === undefined ? "quick_reply" : "url",
      index: String(index),
      parameters: [url === undefined ? { type: "payload", payload: payload ?? "" } : { type: "text", text: url }],
    });
  }
  return checked({
    type: "template",
    template: {
      name: limited(name, "name", 512),
      language: { code: limited(language, "language", 20) },
      ...(components.length === 0 ? {} : { components }),
    },
  });
}

/** A button that answers. */
export interface ReplyButton {
  /** What comes back when it is pressed, up to 256 characters. */
  readonly id: string;
  /** What it says, up to 20 characters. */
  readonly title: string;
}

/** What stands around buttons and lists. */
export interface InteractiveFrame {
  /** Above the text, up to 60 characters. */
  readonly header?: string;
  /** Below the text, up to 60 characters. */
  readonly footer?: string;
}

/**
 * Up to three buttons below the message's text, which may then have 1,024 characters.
 *
 * @param buttons The buttons.
 * @param frame Header and footer.
 * @throws {ValidationError} If there are too many, or something is too long.
 *
 * @example
 * ```ts
 * import { whatsAppButtons } from "posthorn/whatsapp";
 *
 * const message = {
 *   message: "Was this you?",
 *   recipients: ["491701234567"],
 *   metadata: { whatsapp: whatsAppButtons([{ id: "yes", title: "Yes" }, { id: "no", title: "No" }]) },
 * };
 * console.log(message.metadata.whatsapp.type); // buttons
 * ```
 */
export function whatsAppButtons(buttons: readonly ReplyButton[], frame: InteractiveFrame = {}): WhatsAppContent {
  return checked({
    type: "buttons",
    buttons: buttons.map(({ id, title }) => ({ id, title })),
    ...frameOf(frame),
  });
}

/** A part of a list. */
export interface ListSection {
  /** What stands above it, up to 24 characters; needed when there are several. */
  readonly title?: string;
  /** What can be chosen; ten in all sections together. */
  readonly rows: readonly {
    /** What comes back, up to 200 characters. */
    readonly id: string;
    /** What it says, up to 24 characters. */
    readonly title: string;
    /** More of it, up to 72 characters. */
    readonly description?: string;
  }[];
}

/**
 * A list to choose from, behind a button below the message's text (up to 4,096 characters).
 *
 * @param button What the button says, up to 20 characters.
 * @param sections What can be chosen.
 * @param frame Header and footer.
 * @throws {ValidationError} If there is too much of something.
 */
export function whatsAppList(
  button: string,
  sections: readonly ListSection[],
  frame: InteractiveFrame = {},
): WhatsAppContent {
  return checked({
    type: "list",
    button,
    sections: sections.map(({ title, rows }) => ({
      ...(title === undefined ? {} : { title }),
      rows: rows.map(({ id, title: rowTitle, description }) => ({
        id,
        title: rowTitle,
        ...(description === undefined ? {} : { description }),
      })),
    })),
    ...frameOf(frame),
  });
}

/**
 * A place on the map. The message's own text, if any, goes ahead of it.
 *
 * @param latitude Degrees, -90 to 90.
 * @param longitude Degrees, -180 to 180.
 * @param label Its name and address.
 * @throws {ValidationError} If it is nowhere.
 */
export function whatsAppLocation(
  latitude: number,
  longitude: number,
  label: { readonly name?: string; readonly address?: string } = {},
): WhatsAppContent {
  return checked({ type: "location", latitude, longitude, ...label });
}

/**
 * A reaction to a message of the other side; `""` takes it back. The message's own text is not sent.
 *
 * @param messageId The id of the message reacted to.
 * @param emoji One emoji.
 * @throws {ValidationError} If the id is missing.
 */
export function whatsAppReaction(messageId: string, emoji: string): WhatsAppContent {
  return checked({ type: "reaction", message_id: messageId, emoji });
}

function frameOf({ header, footer }: InteractiveFrame): JsonObject {
  return { ...(header === undefined ? {} : { header }), ...(footer === undefined ? {} : { footer }) };
}

/** Checks while the caller can still see which line is wrong; the text is not known yet. */
function checked(content: WhatsAppContent): WhatsAppContent {
  contentPayload(content, "text");
  return content;
}

function textParameter(text: string): JsonObject {
  return { type: "text", text };
}

function bodyParameters(body: readonly string[] | Readonly<Record<string, string>>): JsonValue[] {
  if (isList(body)) return body.map(textParameter);
  return Object.entries(body).map(([name, text]) => ({ type: "text", parameter_name: name, text }));
}

function isList(body: readonly string[] | Readonly<Record<string, string>>): body is readonly string[] {
  return Array.isArray(body);
}
