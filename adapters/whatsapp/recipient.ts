/**
 * Addresses on WhatsApp.
 *
 * @module
 */
import type { JsonObject } from "../../core/mod.ts";

/** Business-scoped user ids: how Meta names people who hide their number. */
const USER_ID = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/;
const PHONE = /^\d{6,15}$/;
const GROUP = /^group:([A-Za-z0-9+/=_.-]{1,180})$/;

/** Whether a text is a business-scoped user id: `"US.13491208655302741918"`. */
export function isUserId(value: string): boolean {
  return USER_ID.test(value);
}

/**
 * Reads an address into the fields the Graph API wants.
 *
 * @param recipient A phone number in international form (spaces, dashes, brackets and a leading `+` are left out), a
 * business-scoped user id, or `group:<id>`.
 * @returns The fields, or `undefined` if it is none of these.
 */
export function addressFields(recipient: string): JsonObject | undefined {
  const text = recipient.trim();
  if (USER_ID.test(text)) return { recipient_type: "individual", recipient: text };
  const group = GROUP.exec(text)?.[1];
  if (group !== undefined) return { recipient_type: "group", to: group };
  const digits = text.replace(/^(?:\+|00)/, "").replaceAll(/[\s().-]/g, "");
  return PHONE.test(digits) ? { recipient_type: "individual", to: digits } : undefined;
}

/** The address in one spelling, for lanes: two spellings of a number are one person. */
export function canonicalAddress(recipient: string): string {
  const fields = addressFields(recipient);
  if (fields === undefined) return recipient;
  const { to, recipient: userId, recipient_type: type } = fields;
  const address = typeof to === "string" ? to : typeof userId === "string" ? userId : recipient;
  return type === "group" ? `group:${address}` : address;
}
