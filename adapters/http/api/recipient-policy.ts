/**
 * Whom callers of the API may name as recipients.
 *
 * @module
 */

/** For each backend by name, whom callers may name: addresses, `*@domain`, or `*` for everybody. */
export type AllowedRecipients = Readonly<Record<string, readonly string[]>>;

/**
 * Whether callers may send to a recipient by a backend. Whoever holds the token could otherwise send anything to
 * anybody in the operator's name.
 *
 * @param allowed Whom they may name.
 * @param backendName The backend.
 * @param recipient The recipient.
 */
export function isRecipientAllowed(allowed: AllowedRecipients, backendName: string, recipient: string): boolean {
  if (!Object.hasOwn(allowed, backendName)) return false;
  const address = recipient.toLowerCase();
  const domain = address.slice(address.lastIndexOf("@"));
  return (allowed[backendName] ?? []).some((rule) => {
    const wanted = rule.toLowerCase();
    if (wanted === "*") return true;
    return wanted.startsWith("*@") ? address.includes("@") && domain === wanted.slice(1) : address === wanted;
  });
}
