/**
 * Write, and it is there.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import type { ClaimedMessage, StoredMessage } from "../message/channel-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { AppendMode, StoreOperation } from "../store/message-store.ts";
import { assertDurationMs, assertId } from "../support/assert.ts";
import { BaseChannel } from "./base-channel.ts";
import { checkLimit } from "./channel-core.ts";
import type { ChannelOptions, ClaimOptions, ClaimReference, ClaimResult, ReadOptions } from "./channel-options.ts";
import { LeaseBook, type OpenClaim } from "./lease-book.ts";

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
  readonly #leases = new LeaseBook();

  /**
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: PassthroughChannelOptions<T>) {
    super(options);
    this.mode = options.claims === true ? "both" : "log";
    this.claimTimeoutMs = assertDurationMs(options.claimTimeoutMs ?? 300_000, "claimTimeoutMs", 1);
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
    return options.exclusive === true ? this.claim(readerId, options) : super.read(readerId, options);
  }

  /** Claims messages for a worker. */
  protected async claim(
    workerId: string,
    options: { readonly limit?: number; readonly claimTimeoutMs?: number },
  ): Promise<readonly ClaimedMessage<T>[]> {
    this.assertRunning("claim from");
    if (this.mode === "log") {
      throw new TypeError(
        `Cannot read channel "${this.id}" exclusively: this ${this.kind} channel has shared reads only; ` +
          "use a WorkQueueChannel",
      );
    }
    const recipientId = this.claimRecipient(assertId(workerId, "readerId"));
    const claimed = await this.store.claim({
      channel: this.key,
      workerId,
      limit: checkLimit(options.limit),
      leaseMs: assertDurationMs(options.claimTimeoutMs ?? this.claimTimeoutMs, "claimTimeoutMs", 1),
      ...(recipientId === undefined ? {} : { recipientId }),
    });
    for (const message of claimed) this.#leases.add(message);
    return claimed.map((message) => this.typed(message));
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
    return this.settle(readerId, claimed, (claim) => ({
      type: "ack",
      channel: this.key,
      seq: claim.seq,
      token: claim.lease.token,
    }));
  }

  /**
   * Ends claims badly: the messages go back.
   *
   * @param readerId Who claimed.
   * @param claimed The messages as claimed, or bare ids as in {@link PassthroughChannel.acknowledge}.
   * @param options How long they stay invisible, and why, for the attempt history.
   * @returns One result per message, in order.
   */
  nack(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
    options: { readonly delayMs?: number; readonly detail?: string } = {},
  ): Promise<readonly ClaimResult[]> {
    const delayMs = assertDurationMs(options.delayMs ?? 0, "delayMs");
    return this.settle(readerId, claimed, (claim) => ({
      type: "release",
      channel: this.key,
      seq: claim.seq,
      token: claim.lease.token,
      delayMs,
      failure: {
        reason: "nacked",
        ...(options.detail === undefined ? {} : { detail: options.detail.slice(0, 1_000) }),
      },
    }));
  }

  /**
   * Keeps claims going.
   *
   * @param readerId Who claimed.
   * @param claimed The messages as claimed, or bare ids as in {@link PassthroughChannel.acknowledge}.
   * @param options How long from now. @default the channel's `claimTimeoutMs`
   * @returns One result per message, in order, with the new end.
   */
  extend(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
    options: { readonly claimTimeoutMs?: number } = {},
  ): Promise<readonly ClaimResult[]> {
    const leaseMs = assertDurationMs(options.claimTimeoutMs ?? this.claimTimeoutMs, "claimTimeoutMs", 1);
    return this.settle(
      readerId,
      claimed,
      (claim) => ({ type: "extend", channel: this.key, seq: claim.seq, token: claim.lease.token, leaseMs }),
      true,
    );
  }

  /** Does one operation per claim and says what became of each. */
  protected async settle(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
    operationOf: (claim: OpenClaim) => StoreOperation,
    keep = false,
  ): Promise<readonly ClaimResult[]> {
    this.assertRunning("settle on");
    const claims = this.resolveClaims(readerId, claimed);
    const known = claims.flatMap(({ claim }) => (claim === undefined ? [] : [claim]));
    const { results } = await this.store.commit(known.map(operationOf), { onConflict: "skip" });
    let next = 0;
    return claims.map(({ id, claim }): ClaimResult => {
      const result = claim === undefined ? undefined : results[next++];
      if (claim === undefined || result === undefined) return { id, status: "not-found" };
      if (!keep || result.status !== "done") this.#leases.settle(claim);
      const status = result.status === "done" ? "done" : "lease-lost";
      return result.until === undefined ? { id, status } : { id, status, until: result.until };
    });
  }

  /** Finds the claims that messages or bare ids stand for. */
  protected resolveClaims(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
  ): readonly { readonly id: string; readonly claim: OpenClaim | undefined }[] {
    assertId(readerId, "readerId");
    if (!Array.isArray(claimed)) {
      throw new ValidationError(
        "claimed",
        `Cannot settle as 'claimed' must be an array of claimed messages or ids, not ${kindOf(claimed)}`,
      );
    }
    return claimed.map((reference: ClaimReference<T>, index) => {
      if (typeof reference === "string") {
        return { id: assertId(reference, `claimed[${index}]`), claim: this.#leases.find(readerId, reference) };
      }
      if (typeof reference !== "object" || reference === null || typeof reference.lease?.token !== "string") {
        throw new ValidationError(
          `claimed[${index}]`,
          `Cannot settle as 'claimed[${index}]' must be a claimed message or an id, not ${kindOf(reference)}`,
        );
      }
      return { id: reference.id, claim: reference.lease.workerId === readerId ? reference : undefined };
    });
  }

  /** {@inheritDoc ChannelCore.onMaintain} */
  protected override async onMaintain(): Promise<void> {
    this.#leases.forgetEndedBefore(this.clock.now() - this.claimTimeoutMs);
    await super.onMaintain();
  }
}
