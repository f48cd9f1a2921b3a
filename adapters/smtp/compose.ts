/**
 * Makes the mail itself: one text of 7-bit lines (8-bit in addresses where SMTPUTF8 allows it), built from checked parts.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type Attachment, type OutgoingMessage, ValidationError } from "../../core/mod.ts";
import type { MailAddress } from "../net/mail-address.ts";
import { htmlToText } from "./html-to-text.ts";
import { encodeBytesBody, type EncodedBody, encodeTextBody } from "./mime-body.ts";
import { encodeParameter, encodePhrase, encodeText, headerLine, hexOf, mailDate } from "./mime-header.ts";

const LONGEST_ID = 250;

/** What stays the same for all mails of a backend. */
export interface MailTemplate {
  /** Who writes. */
  readonly from: MailAddress;
  /** The name beside the address. */
  readonly fromName?: string;
  /** Where answers go. */
  readonly replyTo?: MailAddress;
  /** Put before every subject, as it is. */
  readonly subjectPrefix?: string;
  /** One or two URLs, with `{delivery_id}` in the place of the delivery's id. */
  readonly listUnsubscribe: readonly string[];
}

/** What is particular to one delivery. */
export interface MailDelivery {
  /** The delivery's id: the left part of the `Message-ID`. */
  readonly deliveryId: string;
  /** Whom it goes to. */
  readonly to: MailAddress;
  /** An earlier attempt may have arrived. */
  readonly possibleDuplicate?: boolean;
}

/** A mail, ready for the wire. */
export interface ComposedMail {
  /** Headers, an empty line, the body: all lines end with CRLF. */
  readonly text: string;
  /** `<deliveryId@domain>`: the same on every attempt. */
  readonly messageId: string;
}

/**
 * Composes the mail for one recipient.
 *
 * `Message-ID` and `Date` come from the delivery's id and the message's timestamp, so an attempt that is repeated gives
 * the same mail, which receivers can tell for one. `Auto-Submitted` (RFC 3834) keeps holiday replies away.
 *
 * @param message What to say.
 * @param delivery To whom, under which id.
 * @param template What stays the same.
 * @throws {ValidationError} If a part cannot stand in a mail: a control character, an attachment without bytes.
 */
export function composeMail(message: OutgoingMessage, delivery: MailDelivery, template: MailTemplate): ComposedMail {
  const messageId = mailMessageId(delivery.deliveryId, template.from.domain);
  const reference = mailReference(message.replyTo);
  const headers = [
    headerLine("From", addressValue(template.from, template.fromName)),
    headerLine("To", delivery.to.address),
    template.replyTo === undefined ? "" : headerLine("Reply-To", template.replyTo.address),
    headerLine("Subject", encodeText(checkLine(`${template.subjectPrefix ?? ""}${mailSubject(message)}`, "subject"))),
    headerLine("Date", mailDate(message.timestamp)),
    headerLine("Message-ID", messageId),
    reference === undefined ? "" : headerLine("In-Reply-To", reference) +
      headerLine("References", reference),
    unsubscribeHeaders(template.listUnsubscribe, delivery.deliveryId),
    headerLine("Auto-Submitted", "auto-generated"),
    delivery.possibleDuplicate === true ? headerLine("X-Possible-Duplicate", "true") : "",
    "MIME-Version: 1.0\r\n",
  ];
  return { text: headers.join("") + bodyOf(message), messageId };
}

/**
 * The subject of a message: its own, or one that names the severity.
 *
 * @param message The message.
 */
export function mailSubject(message: Pick<OutgoingMessage, "subject" | "severity">): string {
  return message.subject === undefined || message.subject === ""
    ? `[${message.severity.toUpperCase()}] Notification`
    : message.subject;
}

/**
 * The `Message-ID` of a delivery. What cannot stand in one (RFC 5322 3.6.4) is written as `=XX`, and what is too long
 * for a line by its SHA-256.
 *
 * @param deliveryId The delivery's id.
 * @param domain The domain of the sender.
 */
export function mailMessageId(deliveryId: string, domain: string): string {
  const left = deliveryId.replace(
    /[^A-Za-z0-9_+-]/gu,
    (character) => Array.from(new TextEncoder().encode(character), (byte) => `=${hexOf(byte)}`).join(""),
  );
  const fits = left.length <= LONGEST_ID && left !== "";
  return `<${fits ? left : createHash("sha256").update(deliveryId).digest("hex")}@${domain}>`;
}

/** A `Message-ID` to refer to; the ids of other networks are none. */
function mailReference(replyTo: string | undefined): string | undefined {
  const id = /^<?([^\s<>@()\\",:;[\]]{1,400}@[A-Za-z0-9.-]{1,255})>?$/.exec(replyTo ?? "")?.[1];
  return id === undefined || !/^[\x21-\x7e]+$/.test(id) ? undefined : `<${id}>`;
}

function addressValue(address: MailAddress, name: string | undefined): string {
  return name === undefined || name === ""
    ? address.address
    : `${encodePhrase(checkLine(name, "fromName"))} <${address.address}>`;
}

/** RFC 2369, and RFC 8058 where there is a URL that a provider can post to. */
function unsubscribeHeaders(urls: readonly string[], deliveryId: string): string {
  if (urls.length === 0) return "";
  const filled = urls.map((url) =>
    `<${url.replaceAll("{delivery_id}", encodeURIComponent(deliveryId.toWellFormed()))}>`
  );
  const oneClick = urls.some((url) => url.startsWith("https:"));
  return headerLine("List-Unsubscribe", filled.join(", ")) +
    (oneClick ? headerLine("List-Unsubscribe-Post", "List-Unsubscribe=One-Click") : "");
}

function bodyOf(message: OutgoingMessage): string {
  const content = contentOf(message);
  if (message.attachments.length === 0) return content;
  return multipart("mixed", [content, ...message.attachments.map(attachmentPart)]);
}

function contentOf({ message, html }: OutgoingMessage): string {
  if (html === undefined || html === "") return textPart("plain", message);
  const text = message.trim() === "" ? htmlToText(html) : message;
  return multipart("alternative", [textPart("plain", text), textPart("html", html)]);
}

/** Parts cannot hold the boundary: no encoding of ours leaves a line that starts with `--=_`. */
function multipart(kind: "alternative" | "mixed", parts: readonly string[]): string {
  const boundary = `=_${kind}_posthorn`;
  const lines = parts.map((part) => `--${boundary}\r\n${part}`);
  return `Content-Type: multipart/${kind}; boundary="${boundary}"\r\n\r\n${lines.join("")}--${boundary}--\r\n`;
}

function textPart(subtype: "plain" | "html", text: string): string {
  return part(`Content-Type: text/${subtype}; charset=utf-8\r\n`, encodeTextBody(text));
}

function part(headers: string, { encoding, text }: EncodedBody): string {
  return `${headers}Content-Transfer-Encoding: ${encoding}\r\n\r\n${text}`;
}

const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
const CHARSET = /;\s{0,9}charset\s{0,9}=\s{0,9}"?([A-Za-z0-9_:.-]{1,40})"?\s{0,9}(?:;|$)/i;

function attachmentPart(attachment: Attachment, index: number): string {
  const path = `attachments[${index}]`;
  if (attachment.bytes === undefined) {
    throw new ValidationError(path, `Cannot compose mail as '${path}' has no bytes: mail cannot refer to other places`);
  }
  // A name is no path, whatever the reader's mail program makes of it.
  const filename = checkLine(attachment.filename, `${path}.filename`).replace(/[/\\]/g, "_");
  const caption = attachment.caption?.replace(/\s+/g, " ").trim() ?? "";
  const headers = [
    headerLine(
      "Content-Type",
      mediaType(attachment.contentType, path) +
        encodeParameter("name", filename),
    ),
    headerLine("Content-Disposition", `attachment${encodeParameter("filename", filename)}`),
    caption === "" ? "" : headerLine("Content-Description", encodeText(checkLine(caption, `${path}.caption`))),
  ];
  return part(headers.join(""), encodeBytesBody(attachment.bytes));
}

function mediaType(contentType: string, path: string): string {
  const [type = ""] = contentType.split(";", 1);
  const bare = type.trim().toLowerCase();
  if (!MEDIA_TYPE.test(bare)) {
    throw new ValidationError(`${path}.contentType`, `Cannot compose mail as '${path}.contentType' is no media type`);
  }
  // RFC 2046 5.1 and 5.2 forbid base64 in these two; as a file it is bytes anyway.
  if (/^(?:multipart|message)\//.test(bare)) return "application/octet-stream";
  const charset = bare.startsWith("text/") ? CHARSET.exec(contentType)?.[1] : undefined;
  return charset === undefined ? bare : `${bare}; charset=${charset}`;
}

// deno-lint-ignore no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Before it is encoded: an encoded line break is no injection, but a lie to whoever decodes it. */
function checkLine(text: string, argument: string): string {
  if (CONTROL.test(text)) {
    throw new ValidationError(argument, `Cannot compose mail as '${argument}' contains a control character`);
  }
  return text;
}
