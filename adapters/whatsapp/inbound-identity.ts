/**
 * Who a message of a webhook is from, and whether it says that somebody has another id.
 *
 * @module
 */
import type { IncomingMessage } from "../../core/mod.ts";
import { memberOf, textOf } from "./graph-answer.ts";
import { isUserId } from "./recipient.ts";

/** Who it is from. */
export interface InboundIdentity {
  /** The user id. */
  readonly userId: string | undefined;
  /** The number; people may hide it. */
  readonly phone: string | undefined;
  /** It says that an id has another in its place. */
  readonly renamed: { readonly from: string; readonly to: string } | undefined;
  /** It was said in a group, whose conversation is the group's. */
  readonly isGroup: boolean;
}

/** How Meta words it: "User <name> changed from <id> to <id>". The name is the person's to choose, so the end counts. */
const CHANGED = / changed from (\S+) to (\S+?)\.?$/;

/**
 * Reads who a message is from.
 *
 * @param message As the webhook's body was read.
 */
export function identityOf(message: IncomingMessage): InboundIdentity {
  const raw = memberOf(message.metadata["whatsapp"], "message");
  return {
    userId: textOf(raw, "from_user_id"),
    phone: textOf(raw, "from"),
    renamed: renamedBy(raw),
    isGroup: message.conversation.startsWith("group:"),
  };
}

function renamedBy(raw: unknown): InboundIdentity["renamed"] {
  const type = textOf(raw, "type");
  if (type === "user_id_update") {
    const ids = memberOf(memberOf(raw, "user_id_update"), "user_id");
    const [from, to] = [textOf(ids, "previous"), textOf(ids, "current")];
    return from === undefined || to === undefined ? undefined : { from, to };
  }
  const system = type === "system" ? memberOf(raw, "system") : undefined;
  const to = textOf(system, "user_id");
  if (to === undefined || !isUserId(to)) return undefined;
  const [, worded, next] = CHANGED.exec(textOf(system, "body") ?? "") ?? [];
  const candidates = [
    textOf(raw, "from_user_id"),
    textOf(system, "previous_user_id"),
    next === to && worded !== undefined && isUserId(worded) ? worded : undefined,
    textOf(raw, "from"),
  ];
  const from = candidates.find((id) => id !== undefined && id !== to);
  return from === undefined ? undefined : { from, to };
}
