/**
 * The identity of a delivery.
 *
 * @module
 */

/** Without `_`, which parts the id of the message from the name of the backend. */
const PLAIN = /^[A-Za-z0-9-]{1,100}$/;
/** The latest id that was plain: a message mostly goes to several backends, one after the other. */
let plainLast: string | undefined;

/**
 * The id of the delivery of one message by one backend to one recipient: the same each time it is asked for, and made of
 * letters, digits, `_`, `-` and `~` only, so that it can stand in a mail's Message-ID, a header or a URL. It does not show
 * the recipient's address.
 *
 * @param messageId The message.
 * @param backendName The backend.
 * @param recipient The address; absent for the backend's own destination.
 * @returns The id; a promise only where something has to be hashed.
 */
export function deliveryIdOf(messageId: string, backendName: string, recipient?: string): string | Promise<string> {
  if (recipient === undefined && isPlain(messageId)) return `${messageId}_${plainName(backendName)}`;
  return hashedDeliveryId(messageId, backendName, recipient);
}

async function hashedDeliveryId(
  messageId: string,
  backendName: string,
  recipient: string | undefined,
): Promise<string> {
  const head = isPlain(messageId) ? messageId : `h-${await digest(messageId)}`;
  const tail = recipient === undefined ? "" : `_${await digest(`${messageId}\n${recipient}`)}`;
  return `${head}_${plainName(backendName)}${tail}`;
}

function isPlain(messageId: string): boolean {
  if (messageId === plainLast) return true;
  if (!PLAIN.test(messageId)) return false;
  plainLast = messageId;
  return true;
}

function plainName(backendName: string): string {
  return backendName.includes(".") ? backendName.replaceAll(".", "~") : backendName;
}

/** 120 bits of SHA-256 as 30 hexadecimal digits. */
async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes.subarray(0, 15), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
