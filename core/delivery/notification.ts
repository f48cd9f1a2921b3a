/**
 * A notification: one message for one person, by whatever way reaches them.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import { cloneJson, type JsonObject } from "../message/json.ts";
import { assertText } from "../support/assert.ts";
import { htmlToText } from "./html-to-text.ts";

/** A person, with an address for each kind of network. */
export interface Recipient {
  /** Mail. */
  readonly email?: string;
  /** Phone, for text messages and calls. */
  readonly phone?: string;
  /** Telegram chat. */
  readonly telegram?: string;
  /** WhatsApp number. */
  readonly whatsapp?: string;
  /** Any other kind, by name. */
  readonly [kind: string]: string | undefined;
}

/** Content in two forms, as a template function gives it. */
export interface RenderedContent {
  /** As HTML. */
  readonly html?: string;
  /** As text. @default made from the HTML */
  readonly text?: string;
}

/** What {@link DeliveryOrchestrator.deliver} takes. */
export interface NotificationPayload {
  /** The notification's own id: the same id delivered again is the same notification. */
  readonly notificationId: string;
  /** Whom it is for. */
  readonly recipient: Recipient;
  /** The subject, where the network has one. */
  readonly subject?: string;
  /** The content as HTML. */
  readonly htmlContent?: string;
  /** The content as text. @default made from the HTML */
  readonly textContent?: string;
  /** Which channels, in which order. @default all, in the order they were given to the orchestrator */
  readonly channels?: readonly string[];
  /** What kind of event it tells of, for logs. */
  readonly eventType?: string;
  /** Free additions for the backends, as a message's `metadata`: buttons under a question, for one. */
  readonly metadata?: JsonObject;
}

/** A payload, checked, with its text. */
export interface Notification extends NotificationPayload {
  /** The content as text: never empty. */
  readonly textContent: string;
}

/**
 * Checks a payload and completes it: text that is absent is made from the HTML.
 *
 * @param payload What the caller wrote.
 * @throws {ValidationError} If a field is of the wrong kind, or there is nothing to say.
 */
export function checkNotification(payload: NotificationPayload): Notification {
  if (typeof payload !== "object" || payload === null) {
    throw new ValidationError("payload", `Cannot deliver as the payload must be an object, not ${kindOf(payload)}`);
  }
  assertText(payload.notificationId, "notificationId", { maxLength: 200 });
  const { recipient, htmlContent, textContent } = payload;
  if (typeof recipient !== "object" || recipient === null) {
    throw new ValidationError("recipient", `Cannot deliver as 'recipient' must be an object, not ${kindOf(recipient)}`);
  }
  for (const [kind, address] of Object.entries(recipient)) {
    if (address !== undefined) assertText(address, `recipient.${kind}`, { maxLength: 500 });
  }
  checkChannels(payload.channels);
  const metadata = metadataOf(payload);
  if (htmlContent !== undefined) assertText(htmlContent, "htmlContent", { maxLength: 1_000_000, multiline: true });
  const text = textContent ?? (htmlContent === undefined ? "" : htmlToText(htmlContent));
  if (text.trim() === "") {
    throw new ValidationError("textContent", "Cannot deliver as there is no text, and none can be made from the HTML");
  }
  return {
    ...payload,
    ...metadata,
    textContent: assertText(text, "textContent", { maxLength: 1_000_000, multiline: true }),
  };
}

function metadataOf({ metadata }: NotificationPayload): Pick<NotificationPayload, "metadata"> {
  if (metadata === undefined) return {};
  const copy = cloneJson(metadata, "metadata");
  if (typeof copy === "object" && copy !== null && !Array.isArray(copy)) return { metadata: copy as JsonObject };
  throw new ValidationError("metadata", `Cannot deliver as 'metadata' must be an object, not ${kindOf(metadata)}`);
}

/** A channel named twice would send twice. */
function checkChannels(channels: unknown): void {
  if (channels === undefined) return;
  if (!Array.isArray(channels) || channels.some((name) => typeof name !== "string")) {
    throw new ValidationError(
      "channels",
      `Cannot deliver as 'channels' must be a list of names, not ${kindOf(channels)}`,
    );
  }
  const twice = channels.find((name, index) => channels.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new ValidationError("channels", `Cannot deliver as 'channels' names "${twice}" twice`);
  }
}

/**
 * Puts rendered content into a payload.
 *
 * @param payload Everything but the content.
 * @param render Any template function.
 */
export async function renderNotification(
  payload: Omit<NotificationPayload, "htmlContent" | "textContent">,
  render: () => RenderedContent | Promise<RenderedContent>,
): Promise<NotificationPayload> {
  const { html, text } = await render();
  return {
    ...payload,
    ...(html === undefined ? {} : { htmlContent: html }),
    ...(text === undefined ? {} : { textContent: text }),
  };
}
