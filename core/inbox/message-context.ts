/**
 * What a handler gets beside the message.
 *
 * @module
 */
import { ConflictError } from "../errors.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import { cloneJson, type JsonValue } from "../message/json.ts";
import type { OutgoingMessageInit } from "../message/outgoing-message.ts";
import type { MessageStore, StateEntry, StoreOperation } from "../store/message-store.ts";

/** What is said in answer: a text, or a whole message. */
export type ReplyContent = string | Omit<OutgoingMessageInit, "recipients" | "label">;

/** Where a message goes: `"backend:address"`, an address on the default backend, or the message that is answered. */
export type SendTarget = string | IncomingMessage;

/** State that belongs to a conversation, kept in the store. */
export interface ConversationState {
  /** Reads it, to be narrowed or cast. @returns `undefined` when nothing was set, or its time ran out. */
  get(): Promise<JsonValue | undefined>;
  /**
   * Sets it. It is written when the handler returns, together with the acknowledgement and the replies; when the handler
   * throws, nothing is. TypeScript takes a `type` for JSON, and no `interface`.
   */
  set(value: JsonValue, options?: { readonly ttlMs?: number }): void;
  /** Deletes it, likewise when the handler returns. */
  delete(): void;
}

/** What a handler gets. */
export interface MessageContext {
  /** What was said. */
  readonly message: IncomingMessage;
  /** Fires when the handler should end: its lease was lost, or the router stops. */
  readonly signal: AbortSignal;
  /** Which try this is, from 1. */
  readonly attempt: number;
  /** State of the conversation. */
  readonly state: ConversationState;
  /**
   * Answers in the conversation. The answer is committed together with the acknowledgement when the handler returns: a
   * handler that throws has answered nothing, one that runs again answers once.
   *
   * @returns The id the answer will have.
   */
  reply(content: ReplyContent): string;
  /** As {@link MessageContext.reply}, to somebody else. */
  send(content: ReplyContent, to: SendTarget): string;
}

/** Handles a message. Returning acknowledges it, throwing gives it back for another try. */
export type IncomingMessageHandler = (context: MessageContext) => void | Promise<void>;

/** What a handler said, until it is committed. */
export interface PendingSend {
  /** What is said. */
  readonly content: ReplyContent;
  /** To whom. */
  readonly to: SendTarget;
  /** The id of the message: the same on every try of the same handler. */
  readonly id: string;
}

/** The key of a conversation's state: tenants are kept apart. */
export function stateKeyOf(
  { backendName, conversation }: Pick<IncomingMessage, "backendName" | "conversation">,
  namespace: string = "default",
): string {
  const key = `conversation/${backendName}/${conversation}`;
  return namespace === "default" ? key : `${namespace}:${key}`;
}

/** A context, and what its handler left behind. */
export class HandlerContext implements MessageContext {
  /** {@inheritDoc MessageContext.message} */
  readonly message: IncomingMessage;
  /** {@inheritDoc MessageContext.signal} */
  readonly signal: AbortSignal;
  /** {@inheritDoc MessageContext.attempt} */
  readonly attempt: number;
  /** {@inheritDoc MessageContext.state} */
  readonly state: ConversationState;
  /** What the handler said, in order. */
  readonly sends: PendingSend[] = [];
  readonly #store: MessageStore;
  readonly #key: string;
  #loaded: Promise<StateEntry | undefined> | undefined;
  #write: { readonly value: JsonValue; readonly ttlMs?: number } | "delete" | undefined;
  #closed = false;

  /**
   * @param message What was said.
   * @param facts Which try this is, and what ends it.
   * @param store Where state is.
   * @param namespace Keeps tenants apart.
   */
  constructor(
    message: IncomingMessage,
    facts: { readonly signal: AbortSignal; readonly attempt: number },
    store: MessageStore,
    namespace?: string,
  ) {
    this.message = message;
    this.signal = facts.signal;
    this.attempt = facts.attempt;
    this.#store = store;
    this.#key = stateKeyOf(message, namespace);
    this.state = {
      get: () => this.#get(),
      set: (value, options = {}) => {
        this.#assertOpen();
        this.#write = { value: cloneJson(value, "state"), ...options };
      },
      delete: () => {
        this.#assertOpen();
        this.#write = "delete";
      },
    };
  }

  /** {@inheritDoc MessageContext.reply} */
  reply(content: ReplyContent): string {
    return this.send(content, this.message);
  }

  /** {@inheritDoc MessageContext.send} */
  send(content: ReplyContent, to: SendTarget): string {
    this.#assertOpen();
    const given = typeof content === "string" ? undefined : content.id;
    const id = given ?? `${this.message.id}/${this.sends.length + 1}`;
    this.sends.push({ content, to, id });
    return id;
  }

  /** After this, saying more is an error: it would go nowhere. */
  close(): void {
    this.#closed = true;
  }

  /** What writes the state, if the handler changed it. */
  async stateOperations(): Promise<readonly StoreOperation[]> {
    if (this.#write === undefined) return [];
    const key = this.#key;
    // Only a state that was read is compared: writing without reading means "whatever was there".
    const expected = this.#loaded === undefined ? {} : { expectedVersion: (await this.#loaded)?.version ?? 0 };
    if (this.#write === "delete") return [{ type: "delete-state", key, ...expected }];
    const { value, ttlMs } = this.#write;
    return [{ type: "set-state", key, value, ...expected, ...(ttlMs === undefined ? {} : { ttlMs }) }];
  }

  async #get(): Promise<JsonValue | undefined> {
    if (this.#write === "delete") return undefined;
    if (this.#write !== undefined) return this.#write.value;
    this.#loaded ??= this.#store.getState(this.#key);
    return (await this.#loaded)?.value;
  }

  #assertOpen(): void {
    if (this.#closed) {
      throw new ConflictError(`Cannot change the outcome of message "${this.message.id}": its handler has returned`);
    }
  }
}
