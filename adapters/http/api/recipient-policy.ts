/**
 * Whom callers of the API may name as recipients.
 *
 * @module
 */
import { RecipientRule } from "../../net/recipient-rule.ts";

/**
 * For each backend by name, whom callers may name: addresses, for mail also `*@domain` and `*@*.domain`, or `*` for
 * everybody.
 */
export type AllowedRecipients = Readonly<Record<string, readonly string[]>>;

const rules = new WeakMap<readonly string[], RecipientRule>();

/**
 * Whether callers may send to a recipient by a backend. Whoever holds the token could otherwise send anything to
 * anybody in the operator's name.
 *
 * @param allowed Whom they may name.
 * @param backendName The backend.
 * @param recipient The recipient.
 */
export function isRecipientAllowed(allowed: AllowedRecipients, backendName: string, recipient: string): boolean {
  const list = Object.hasOwn(allowed, backendName) ? allowed[backendName] : undefined;
  if (list === undefined) return false;
  let rule = rules.get(list);
  if (rule === undefined) rules.set(list, rule = new RecipientRule(list));
  return rule.allows(recipient);
}
