/**
 * Tries channels until one delivers.
 *
 * @module
 */
import { deliveryIdOf } from "../message/delivery-id.ts";
import { kindOf, PosthornError, RoutingError, ValidationError } from "../errors.ts";
import type { Receipt } from "../message/receipt.ts";
import { type Clock, systemClock } from "../support/clock.ts";
import { errorFields, type Logger, silentLogger } from "../support/logger.ts";
import { nearest } from "../support/nearest.ts";
import type { ChannelDelivery, DeliveryChannel } from "./delivery-channel.ts";
import { errorWord, isTimeout } from "../support/error-word.ts";
import { checkNotification, type Notification, type NotificationPayload } from "./notification.ts";
import { RestingChannels, type RestingOptions, type RestingState, restingWords } from "./resting.ts";

/** `ordered`: one after the other, first success wins. `parallel`: all at once, first success wins. */
export type DeliveryPolicy = "ordered" | "parallel";

/** What becomes of a channel's `unknown`. */
export type UnknownChoice = "retry" | "hold" | "fallback";

/** What an orchestrator is made from. */
export interface DeliveryOrchestratorOptions {
  /** The channels, in the order they are tried. */
  readonly channels: readonly DeliveryChannel[];
  /** How they are tried. @default `"ordered"` */
  readonly policy?: DeliveryPolicy;
  /**
   * After an `unknown`: `retry` the same channel; `hold`: stop, and say so; `fallback`: go on to the next channel although
   * the recipient may get it twice. @default `"retry"`
   */
  readonly onUnknown?: UnknownChoice;
  /** How often one channel is tried after an `unknown`. @default `3` */
  readonly maxAttempts?: number;
  /** How long one try may take; then it is an `unknown`. @default `60_000` */
  readonly timeoutMs?: number;
  /** When a channel that keeps failing rests. */
  readonly resting?: RestingOptions;
  /** Time. @default the system's */
  readonly clock?: Clock;
  /** Where it says what goes wrong. @default nowhere */
  readonly logger?: Logger;
}

/** One try, or why there was none. */
export interface DeliveryAttempt {
  /** The channel. */
  readonly channel: string;
  /** What came of it. */
  readonly receipt: Receipt;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** What came of a delivery. */
export interface DeliveryOutcome {
  /** Whether a channel took it. */
  readonly delivered: boolean;
  /** Which. */
  readonly channel?: string;
  /** Every try, and every channel that was skipped and why, in order. */
  readonly attempts: readonly DeliveryAttempt[];
  /** Some channel may have taken it although nobody can say so. */
  readonly possiblyDelivered: boolean;
}

/** Notifications of late, so that the same id is not delivered twice by one process. */
const MAX_REMEMBERED = 10_000;

/**
 * Tries channels in order and stops at the first that delivers. A channel gets the address of its own kind and is skipped,
 * with the reason recorded, when the recipient has none, when it is not available, or when it rests.
 *
 * In the process only: what must survive a crash goes through the outbox, by `Application.deliver`.
 *
 * @example
 * ```ts
 * import { DeliveryOrchestrator } from "posthorn";
 *
 * const orchestrator = new DeliveryOrchestrator({
 *   channels: [
 *     { name: "telegram", isAvailable: () => true, send: () => Promise.resolve(false) },
 *     { name: "email", isAvailable: () => true, send: () => Promise.resolve(true) },
 *   ],
 * });
 * const outcome = await orchestrator.deliverDetailed({
 *   notificationId: "alert-7",
 *   recipient: { telegram: "42", email: "ops@example.com" },
 *   textContent: "Disk usage at 95%",
 * });
 * console.log(outcome.channel, outcome.attempts.length); // email 2
 * ```
 */
export class DeliveryOrchestrator {
  /** The channels, in the order they are tried. */
  readonly channels: readonly DeliveryChannel[];
  readonly #options: DeliveryOrchestratorOptions;
  readonly #resting: RestingChannels;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #known = new Map<string, Promise<DeliveryOutcome>>();

  /**
   * Makes an orchestrator of channels.
   *
   * @param options Channels and policy.
   * @throws {RoutingError} If two channels have one name.
   */
  constructor(options: DeliveryOrchestratorOptions) {
    this.channels = [...options.channels];
    this.#options = options;
    this.#resting = new RestingChannels(options.resting);
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    const names = this.channels.map((channel) => channel.name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw new RoutingError(`Cannot orchestrate: two channels are named "${twice}"`);
  }

  /**
   * Delivers a notification.
   *
   * @param payload What is said, to whom.
   * @returns `true` if a channel took it, `false` if all were exhausted.
   * @throws {ValidationError} If the payload is not one.
   */
  async deliver(payload: NotificationPayload): Promise<boolean> {
    return (await this.deliverDetailed(payload)).delivered;
  }

  /**
   * Delivers a notification, and says what came of it. The same `notificationId` again gives the same outcome, and sends
   * nothing.
   */
  deliverDetailed(payload: NotificationPayload): Promise<DeliveryOutcome> {
    let notification: Notification;
    try {
      notification = checkNotification(payload);
      this.#chosen(notification);
    } catch (error) {
      return Promise.reject(error);
    }
    const known = this.#known.get(notification.notificationId);
    if (known !== undefined) return known;
    const outcome = this.#deliver(notification);
    this.#remember(notification.notificationId, outcome);
    return outcome;
  }

  /** How a channel stands: its failures in a row, and until when it rests. */
  restingState(channel: string): RestingState {
    const { restsUntil, ...state } = this.#resting.stateOf(channel);
    if (restsUntil === undefined) return state;
    // Rests are counted on a clock that does not jump; people read the other one.
    return { ...state, restsUntil: Math.round(restsUntil - this.#clock.monotonic() + this.#clock.now()) };
  }

  #remember(id: string, outcome: Promise<DeliveryOutcome>): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= MAX_REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(id, outcome);
    // What nobody took may be tried again under its id.
    outcome.then(({ delivered, possiblyDelivered }) => {
      if (!delivered && !possiblyDelivered) this.#known.delete(id);
    }, () => this.#known.delete(id));
  }

  /** The channels a payload asks for, in its order. */
  #chosen({ channels }: Notification): readonly DeliveryChannel[] {
    if (channels === undefined) return this.channels;
    return channels.map((name) => {
      const channel = this.channels.find((known) => known.name === name);
      if (channel !== undefined) return channel;
      const guess = nearest(name, this.channels.map((known) => known.name));
      const hint = guess === undefined ? "" : `: did you mean "${guess}"?`;
      throw new ValidationError("channels", `Cannot deliver by unknown channel "${name}"${hint}`);
    });
  }

  async #deliver(notification: Notification): Promise<DeliveryOutcome> {
    const attempts: DeliveryAttempt[] = [];
    const channels = this.#chosen(notification);
    const outcome = this.#options.policy === "parallel"
      ? await this.#parallel(notification, channels, attempts)
      : await this.#ordered(notification, channels, attempts);
    if (!outcome.delivered) {
      this.#logger.error("all channels exhausted", {
        notificationId: notification.notificationId,
        tried: attempts.length,
      });
    }
    return outcome;
  }

  async #ordered(
    notification: Notification,
    channels: readonly DeliveryChannel[],
    attempts: DeliveryAttempt[],
  ): Promise<DeliveryOutcome> {
    for (const channel of channels) {
      const receipt = await this.#try(notification, channel, attempts);
      if (receipt.outcome === "accepted") return outcomeOf(attempts, channel.name);
      if (receipt.outcome === "unknown" && this.#options.onUnknown !== "fallback") return outcomeOf(attempts);
    }
    return outcomeOf(attempts);
  }

  async #parallel(
    notification: Notification,
    channels: readonly DeliveryChannel[],
    attempts: DeliveryAttempt[],
  ): Promise<DeliveryOutcome> {
    const settled = new AbortController();
    // Before the first is sent: what has to be hashed would let one channel answer before another is begun.
    const ids = await Promise.all(channels.map((channel) => idOf(notification, channel)));
    const tries = channels.map(async (channel, index) => {
      const receipt = await this.#try(notification, channel, attempts, { id: ids[index], settled: settled.signal });
      if (receipt.outcome !== "accepted") throw new PosthornError("delivery", `Cannot deliver by "${channel.name}"`);
      return channel.name;
    });
    try {
      const first = await Promise.any(tries);
      return outcomeOf([...attempts], first);
    } catch {
      return outcomeOf(attempts); // every try is in the list, with its reason
    } finally {
      settled.abort(); // nobody tries again what another channel delivered
    }
  }

  /** Tries one channel, as often as an `unknown` allows. After one, a refusal does not say that nothing arrived. */
  async #try(
    notification: Notification,
    channel: DeliveryChannel,
    attempts: DeliveryAttempt[],
    { id, settled }: { readonly id?: string | undefined; readonly settled?: AbortSignal } = {},
  ): Promise<Receipt> {
    const note = (receipt: Receipt): Receipt => {
      attempts.push({ channel: channel.name, receipt, at: this.#clock.now() });
      return receipt;
    };
    const to = addressOf(notification, channel);
    if (to === undefined || to === "") {
      return note({ outcome: "skipped", detail: "the recipient has no address of this kind" });
    }
    if (!isAvailable(channel)) return note({ outcome: "skipped", detail: "the channel is not available" });
    if (!this.#resting.mayTry(channel.name, this.#clock.monotonic())) {
      return note({ outcome: "skipped", detail: restingWords(this.restingState(channel.name)) });
    }
    const { onUnknown = "retry", maxAttempts = 3 } = this.#options;
    const deliveryId = id ?? await idOf(notification, channel);
    let doubt: Receipt | undefined;
    for (let attempt = 1;; attempt++) {
      const receipt = note(await this.#send(notification, channel, { to, attempt, deliveryId }));
      this.#resting.record(channel.name, receipt, this.#clock.monotonic());
      if (receipt.outcome === "accepted") return receipt;
      if (receipt.outcome !== "unknown") return doubt ?? receipt;
      doubt = receipt;
      if (onUnknown !== "retry" || attempt >= maxAttempts || settled?.aborted === true) return receipt;
    }
  }

  async #send(
    notification: Notification,
    channel: DeliveryChannel,
    { to, attempt, deliveryId }: Pick<ChannelDelivery, "to" | "attempt" | "deliveryId">,
  ): Promise<Receipt> {
    const { notificationId, subject = "", htmlContent, textContent, eventType, metadata } = notification;
    const { timeoutMs = 60_000 } = this.#options;
    const controller = new AbortController();
    const late = new Promise<Receipt>((resolve) => {
      controller.signal.addEventListener(
        "abort",
        () => resolve({ outcome: "unknown", detail: `no answer in ${timeoutMs} ms` }),
      );
    });
    const timer = this.#clock.setTimer(timeoutMs, () => controller.abort());
    try {
      const sent = Promise.resolve(channel.send({
        notificationId,
        deliveryId,
        to,
        subject,
        textContent,
        attempt,
        signal: controller.signal,
        ...(htmlContent === undefined ? {} : { htmlContent }),
        ...(eventType === undefined ? {} : { eventType }),
        ...(metadata === undefined ? {} : { metadata }),
      }));
      sent.catch(() => {}); // when it ends after the deadline, the try stands in the list as unknown
      const result = await Promise.race([sent, late]);
      if (typeof result === "object" && result !== null) return result;
      if (typeof result !== "boolean") return { outcome: "unknown", detail: `it answered with ${kindOf(result)}` };
      return result
        ? { outcome: "accepted" }
        : { outcome: "rejected", retryable: false, reason: "other", detail: "it said no" };
    } catch (error) {
      this.#logger.error("delivery channel threw", {
        notificationId,
        channel: channel.name,
        ...errorFields(error),
      });
      const detail = `it threw ${errorWord(error)}`;
      if (isTimeout(error)) return { outcome: "unknown", detail };
      return { outcome: "rejected", retryable: true, reason: "network", detail };
    } finally {
      timer.cancel();
    }
  }
}

function addressOf({ recipient }: Notification, channel: DeliveryChannel): string | undefined {
  return recipient[channel.addressKind ?? channel.name];
}

function idOf(notification: Notification, channel: DeliveryChannel): string | Promise<string> {
  return deliveryIdOf(notification.notificationId, channel.name, addressOf(notification, channel));
}

function isAvailable(channel: DeliveryChannel): boolean {
  try {
    return channel.isAvailable();
  } catch {
    return false; // a channel that cannot say is not; the attempt list says "not available"
  }
}

function outcomeOf(attempts: readonly DeliveryAttempt[], channel?: string): DeliveryOutcome {
  return {
    delivered: channel !== undefined,
    attempts,
    possiblyDelivered: attempts.some(({ receipt }) => receipt.outcome === "unknown"),
    ...(channel === undefined ? {} : { channel }),
  };
}
