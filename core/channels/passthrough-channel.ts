/**
 * Write, and it is there.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import type { ClaimedMessage, StoredMessage } from "../message/channel-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { AppendMode, CommitOptions, StoreOperation } from "../store/message-store.ts";
import { assertId, assertText } from "../support/assert.ts";
import { BaseChannel } from "./base-channel.ts";
import { assertFiniteMs, assertOptions, checkLimit } from "./channel-input.ts";
import type {
  ChannelOptions,
  ClaimOptions,
  ClaimReference,
  ClaimResult,
  NackOptions,
  ReadOptions,
} from "./channel-options.ts";
import { LeaseBook } from "./lease-book.ts";
import { sharedOnly } from "./wrong-mode.ts";

const EACH_BY_ITSELF: CommitOptions = { onConflict: "skip" };

/** What a channel with claims is made from. */
export interface PassthroughChannelOptions<T = JsonValue> extends ChannelOptions<T> {
  /**
   * Whether messages can also be claimed (`read` with `exclusive: true`). They are then kept until somebody acknowledges
   * them, whatever the retention. @default `false`
   */
  readonly claims?: boolean;
  /** How long a claim lasts unless it is extended. @default `300_000` */
  readonly claimTimeoutMs?: number;
}

/**
 * A channel without a loop: data arrives by `write`, is converted inline, and is in the store when `write` resolves. The
 * base of the other kinds; use it by itself for custom logic with inline writes.
 *
 * @example
 * ```ts
 * import { PassthroughChannel } from "posthorn";
 *
 * const events = new PassthroughChannel<{ value: number }>({ id: "events" });
 * await events.start();
 * await events.write("producer", { value: 42 });
 * console.log((await events.read("consumer")).map((message) => message.content.value)); // [42]
 * await events.stop();
 * ```
 */
export class PassthroughChannel<T = JsonValue> extends BaseChannel<T> {
  /** {@inheritDoc ChannelCore.kind} */
  override readonly kind: string = "passthrough";
  /** {@inheritDoc ChannelCore.mode} */
  protected override readonly mode: AppendMode;
  /** How long a claim lasts unless it is extended. */
  readonly claimTimeoutMs: number;
  readonly #leases = new LeaseBook<T>();

  /**
   * Makes a passthrough channel.
   *
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: PassthroughChannelOptions<T>) {
    super(options);
    this.mode = options.claims === true ? "both" : "log";
    this.claimTimeoutMs = assertFiniteMs(options.claimTimeoutMs ?? 300_000, "claimTimeoutMs", 1);
  }

  /** It has no loop. */
  protected override get hasLoop(): boolean {
    return false;
  }

  /** Claims messages: each with a lease, and hidden from other workers until it is settled or the lease ends. */
  override read(readerId: string, options: ClaimOptions): Promise<readonly ClaimedMessage<T>[]>;
  /** Reads on from where this reader is. */
  override read(readerId: string, options?: ReadOptions): Promise<readonly StoredMessage<T>[]>;
  override read(
    readerId: string,
    options: ReadOptions | ClaimOptions = {},
  ): Promise<readonly StoredMessage<T>[] | readonly ClaimedMessage<T>[]> {
    // Before anything else: null has no property to look at.
    if (options?.exclusive === true) return this.claim(readerId, options);
    return super.read(readerId, options);
  }

  /** Claims messages for a worker. */
  protected async claim(
    workerId: string,
    options: { readonly limit?: number; readonly claimTimeoutMs?: number },
  ): Promise<readonly ClaimedMessage<T>[]> {
    this.assertRunning("claim from");
    if (this.mode === "log") throw sharedOnly(this);
    const recipientId = this.claimRecipient(assertId(workerId, "readerId"));
    const leaseMs = assertFiniteMs(options.claimTimeoutMs ?? this.claimTimeoutMs, "claimTimeoutMs", 1);
    const claimed = await this.store.claim({
      channel: this.key,
      workerId,
      limit: checkLimit(options.limit),
      leaseMs,
      ...(recipientId === undefined ? undefined : { recipientId }),
    });
    const endsAt = this.clock.monotonic() + leaseMs;
    return claimed.map((message) => {
      const own = this.typed(message);
      this.#leases.add(own, endsAt);
      return own;
    });
  }

  /** Whose messages a worker may claim; `undefined`: everybody's. */
  protected claimRecipient(_workerId: string): string | undefined {
    return undefined;
  }

  /**
   * Ends claims well: the messages are done.
   *
   * @param readerId Who claimed.
   * @param claimed The messages as claimed. Bare ids mean this reader's latest claim through this channel object, which
   * is weaker: after a lease ended and the same reader claimed again, an id cannot say which of the two is meant.
   * @returns One result per message, in order.
   */
  acknowledge(readerId: string, claimed: readonly ClaimReference<T>[]): Promise<readonly ClaimResult[]> {
    return this.settle(readerId, claimed, (claim) => (
      { type: "ack", channel: this.key, seq: claim.seq, token: claim.lease.token }
    ));
  }

  /**
   * Ends claims badly: the messages go back.
   *
   * @param readerId Who claimed.
   * @param claimed The messages as claimed, or bare ids as in {@link PassthroughChannel.acknowledge}.
   * @param options How long they stay invisible, and why, for the attempt history.
   * @returns One result per message, in order.
   */
  async nack(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
    options: NackOptions = {},
  ): Promise<readonly ClaimResult[]> {
    const { delayMs, detail } = checkNack(options);
    const failure = { reason: "nacked", ...(detail === undefined ? undefined : { detail }) };
    return await this.settle(readerId, claimed, (claim) => (
      { type: "release", ...this.held(claim), delayMs, failure }
    ));
  }

  /**
   * Keeps claims going.
   *
   * @param readerId Who claimed.
   * @param claimed The messages as claimed, or bare ids as in {@link PassthroughChannel.acknowledge}.
   * @param options How long from now. @default the channel's `claimTimeoutMs`
   * @returns One result per message, in order, with the new end.
   */
  async extend(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
    options: { readonly claimTimeoutMs?: number } = {},
  ): Promise<readonly ClaimResult[]> {
    assertOptions(options);
    const leaseMs = assertFiniteMs(options.claimTimeoutMs ?? this.claimTimeoutMs, "claimTimeoutMs", 1);
    const endsAt = this.clock.monotonic() + leaseMs;
    return await this.settle(
      readerId,
      claimed,
      (claim) => ({ type: "extend", ...this.held(claim), leaseMs }),
      (claim) => {
        if (this.#leases.has(claim)) this.#leases.add(claim, endsAt);
      },
    );
  }

  /** What names the delivery of a claim in the store. */
  protected held(claim: ClaimedMessage<T>): { readonly channel: string; readonly seq: number; readonly token: string } {
    return { channel: this.key, seq: claim.seq, token: claim.lease.token };
  }

  /**
   * Does one operation per claim, each by itself, and says what became of each.
   *
   * @param done Called with each claim the operation was done to. @default forgets it
   */
  protected async settle(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
    operationOf: (claim: ClaimedMessage<T>) => StoreOperation,
    done: (claim: ClaimedMessage<T>) => void = (claim) => this.#leases.settle(claim),
  ): Promise<readonly ClaimResult[]> {
    this.assertRunning("settle on");
    const claims = this.resolveClaims(readerId, claimed);
    const operations: StoreOperation[] = [];
    for (const claim of claims) if (claim !== undefined) operations.push(operationOf(claim));
    // The caller's array is the caller's to change as soon as this waits.
    const references = claimed.slice();
    const results = operations.length === 0 ? [] : (await this.store.commit(operations, EACH_BY_ITSELF)).results;
    let next = 0;
    return claims.map((claim, index): ClaimResult => {
      const id = idOf(references[index]);
      const result = claim === undefined ? undefined : results[next++];
      if (claim === undefined || result === undefined) return { id, status: "not-found" };
      if (result.status !== "done") {
        this.#leases.settle(claim);
        return { id, status: "lease-lost" };
      }
      done(claim);
      return result.until === undefined ? { id, status: "done" } : { id, status: "done", until: result.until };
    });
  }

  /** Forgets a claim that was settled by other means. */
  protected forgetClaim(claim: ClaimedMessage<T>): void {
    this.#leases.settle(claim);
  }

  /** Finds the claims that messages or bare ids stand for, in their order; `undefined` where this reader has none. */
  protected resolveClaims(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
  ): readonly (ClaimedMessage<T> | undefined)[] {
    assertId(readerId, "readerId");
    if (!Array.isArray(claimed)) {
      throw new ValidationError(
        "claimed",
        `Cannot settle as 'claimed' must be an array of claimed messages or ids, not ${kindOf(claimed)}`,
      );
    }
    const claims: (ClaimedMessage<T> | undefined)[] = [];
    for (let index = 0; index < claimed.length; index++) {
      const reference: ClaimReference<T> | undefined = claimed[index];
      if (typeof reference === "string") {
        claims.push(this.#leases.find(readerId, assertId(reference, `claimed[${index}]`)));
      } else {
        const claim = checkClaimed(reference, index);
        claims.push(claim.lease.workerId === readerId ? claim : undefined);
      }
    }
    return claims;
  }

  /** {@inheritDoc ChannelCore.onMaintain} */
  protected override async onMaintain(): Promise<void> {
    this.#leases.forgetEndedBefore(this.clock.monotonic() - this.claimTimeoutMs);
    await super.onMaintain();
  }
}

/** The id of a message, given by itself or as claimed. */
export function idOf<T>(reference: ClaimReference<T> | undefined): string {
  return typeof reference === "object" ? reference.id : reference ?? "";
}

/** Checks what should be a claimed message. No text is built unless it is none: acknowledging is the hottest of all. */
function checkClaimed<T>(reference: ClaimedMessage<T> | undefined, index: number): ClaimedMessage<T> {
  const isClaimed = reference !== undefined && typeof reference?.lease?.token === "string" &&
    typeof reference.id === "string" &&
    Number.isSafeInteger(reference.seq) && reference.seq > 0;
  if (isClaimed) return reference;
  const argument = `claimed[${index}]`;
  throw new ValidationError(
    argument,
    `Cannot settle as '${argument}' must be a claimed message or an id, not ${kindOf(reference)}`,
  );
}

/** Checks how claims are given back. */
export function checkNack(options: NackOptions): { readonly delayMs: number; readonly detail: string | undefined } {
  assertOptions(options);
  const { delayMs = 0, detail } = options;
  return {
    delayMs: assertFiniteMs(delayMs, "delayMs"),
    detail: detail === undefined
      ? undefined
      : assertText(detail, "detail", { allowEmpty: true, multiline: true, maxLength: Infinity }).slice(0, 1_000),
  };
}
