/**
 * What the webhook backends have in common: messages as one or several posts.
 *
 * @module
 */
import {
  Communicator,
  type JsonObject,
  type OutgoingMessage,
  PosthornError,
  type Receipt,
  type SendContext,
  splitText,
  ValidationError,
} from "../../core/mod.ts";
import type { ResolvedPostOptions } from "./options.ts";
import { attemptPost, type PostRequest } from "./post-attempt.ts";
import type { OutcomeRules } from "./webhook-outcome.ts";

/** A backend whose messages are posts. Extend it, and say what a message takes and how answers are read. */
export abstract class PostingCommunicator extends Communicator {
  readonly #post: ResolvedPostOptions;
  readonly #rules: OutcomeRules;

  /**
   * Makes the backend.
   *
   * @param name The backend's name.
   * @param post How requests are made.
   * @param rules How answers are read.
   */
  constructor(name: string, post: ResolvedPostOptions, rules: OutcomeRules) {
    super(name);
    this.#post = post;
    this.#rules = rules;
  }

  /**
   * The requests a message takes, in order: always the same ones for the same message.
   *
   * @param message What to say.
   * @param context To whom.
   * @throws {PosthornError} If the network cannot carry it; the message becomes the receipt's detail.
   */
  protected abstract plan(
    message: OutgoingMessage,
    context: SendContext,
  ): readonly PostRequest[] | Promise<readonly PostRequest[]>;

  /**
   * Makes one attempt: the posts that earlier attempts got through are not made again.
   *
   * @param message What to say.
   * @param context To whom.
   */
  override async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    let requests: readonly PostRequest[];
    try {
      requests = await this.plan(message, context);
    } catch (error) {
      if (!(error instanceof PosthornError)) throw error;
      const reason = error.code === "unsupported" ? "unsupported" : "invalid-message";
      return { outcome: "rejected", retryable: false, reason, detail: error.message };
    }
    const { done, ids } = readProgress(context.progress);
    const known = [...ids];
    for (const [index, request] of requests.entries()) {
      if (index < done) continue;
      const receipt = await attemptPost(request, this.#post, this.#rules, context.signal);
      if (receipt.outcome !== "accepted") return withProgress(receipt, index, known);
      if (receipt.providerMessageId !== undefined) known.push(receipt.providerMessageId);
    }
    const last = known.at(-1);
    return {
      outcome: "accepted",
      ...(last === undefined ? {} : { providerMessageId: last }),
      ...(known.length > 1 ? { providerMessageIds: known } : {}),
    };
  }
}

/** A text in parts a network takes, blank ones left out. */
export function partsOf(text: string, maxLength: number): readonly string[] {
  return splitText(text, maxLength).filter((part) => part.trim() !== "");
}

/** @throws {ValidationError} If nothing is left of a message. */
export function assertSaysSomething(parts: readonly unknown[]): void {
  if (parts.length === 0) throw new ValidationError("message", "Cannot send an empty message");
}

/** What a network cannot carry at all. */
export function unsupported(what: string): PosthornError {
  return new PosthornError("unsupported", `Cannot send ${what}`);
}

function readProgress(progress: JsonObject | undefined): { readonly done: number; readonly ids: readonly string[] } {
  const done = progress?.["done"];
  const ids = progress?.["ids"];
  return {
    done: typeof done === "number" ? done : 0,
    ids: Array.isArray(ids) ? ids.filter((id): id is string => typeof id === "string") : [],
  };
}

function withProgress(receipt: Receipt, done: number, ids: readonly string[]): Receipt {
  if (done === 0 || (receipt.outcome !== "rejected" && receipt.outcome !== "unknown")) return receipt;
  return { ...receipt, progress: { done, ...(ids.length === 0 ? {} : { ids }) } };
}
