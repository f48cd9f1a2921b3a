/**
 * A backend that does as a script says and keeps a log of what it was asked, as a stand-in server would.
 *
 * @module
 */
import {
  Communicator,
  type CommunicatorCapabilities,
  type IncomingMessage,
  type OutgoingMessage,
  type Receipt,
  type SendContext,
} from "../../core/mod.ts";

/** One attempt as the backend saw it. */
export interface SeenAttempt {
  readonly text: string;
  readonly recipient: string | undefined;
  readonly deliveryId: string;
  readonly attempt: number;
  readonly possibleDuplicate: boolean;
  readonly progress: unknown;
  readonly at: number;
}

/** What the script answers: a receipt, an error to throw, or a function that decides. */
export type ScriptStep = Receipt | Error | ((message: OutgoingMessage, context: SendContext) => Promise<Receipt>);

/** Accepts everything once its script has run out. */
export class ScriptedCommunicator extends Communicator {
  override readonly capabilities: CommunicatorCapabilities = {
    receives: true,
    html: false,
    attachments: false,
    edits: false,
    receipts: true,
  };
  readonly seen: SeenAttempt[] = [];
  readonly script: ScriptStep[] = [];
  readonly #now: () => number;
  #count = 0;

  constructor(name: string, options: { readonly now?: () => number; readonly script?: readonly ScriptStep[] } = {}) {
    super(name);
    this.#now = options.now ?? (() => 0);
    this.script.push(...options.script ?? []);
  }

  /** The texts it accepted or was asked to send, in order. */
  get texts(): readonly string[] {
    return this.seen.map((attempt) => attempt.text);
  }

  override async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    this.seen.push({
      text: message.message,
      recipient: context.recipient,
      deliveryId: context.deliveryId,
      attempt: context.attempt,
      possibleDuplicate: context.possibleDuplicate === true,
      progress: context.progress,
      at: this.#now(),
    });
    const step = this.script.shift();
    if (step instanceof Error) throw step;
    if (typeof step === "function") return await step(message, context);
    return step ?? { outcome: "accepted", providerMessageId: `p${++this.#count}` };
  }
}

/** A message somebody said. */
export function said(id: string, conversation: string, text: string, backendName = "chat"): IncomingMessage {
  return {
    id,
    kind: "text",
    text,
    chatLabel: "default",
    backendName,
    timestamp: 1_700_000_000_000,
    conversation,
    attachments: [],
    metadata: {},
  };
}

/** A transient refusal. */
export const BUSY: Receipt = { outcome: "rejected", retryable: true, reason: "unavailable", code: "503" };
/** A permanent refusal. */
export const REFUSED: Receipt = { outcome: "rejected", retryable: false, reason: "invalid-recipient", code: "400" };
/** The message left and no answer came. */
export const LOST: Receipt = { outcome: "unknown", detail: "connection closed after the message was sent" };
