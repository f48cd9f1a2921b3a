/**
 * `type: fallback`: several backends as one.
 *
 * @module
 */
import type { BackendConfig, BackendContext, BackendType } from "../communicators/backend-registry.ts";
import { Communicator, type SendContext } from "../communicators/communicator.ts";
import { ConfigError, type ConfigIssue, kindOf } from "../errors.ts";
import { deliveryIdOf } from "../message/delivery-id.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import type { Receipt } from "../message/receipt.ts";
import type { Confirmation, OthersPolicy, PlanLeaf, PlanNode } from "./delivery-plan.ts";
import { thrownReceipt } from "../message/thrown-receipt.ts";

/** What a fallback group is made from. */
export interface FallbackOptions {
  /** The backends, in the order they are tried. One may be a fallback group itself. */
  readonly channels: readonly Communicator[];
  /** One after the other, or all at once. @default `"ordered"` */
  readonly policy?: "ordered" | "parallel";
  /** What counts as arrived. @default `"accepted"` */
  readonly confirm?: Confirmation;
  /** How long a channel has to arrive; then the next is tried. */
  readonly withinMs?: number;
  /** What those who were asked too hear once somebody has answered. @default `"tell"` */
  readonly others?: OthersPolicy;
  /**
   * How that is said; `{sender}` and `{backend}` in it are who answered and where.
   * @default `"Answered by {sender} on {backend}"`
   */
  readonly othersText?: string;
}

/** What a group says of each delivery, beside where it goes. */
export type PlanTerms = Pick<PlanLeaf, "confirm" | "withinMs">;

/** What may count as arrived. */
export const CONFIRMATIONS: readonly Confirmation[] = ["accepted", "delivered", "read", "reply"];
/** What those who were asked too may hear of an answer. */
export const OTHERS_POLICIES: readonly OthersPolicy[] = ["tell", "edit", "leave"];

/**
 * Several backends as one: the first that delivers wins. Behind an outbox it is a plan, kept in the store and followed step
 * by step, so that it survives a crash; by itself, `send` tries the backends one after the other in the process.
 */
export class FallbackCommunicator extends Communicator {
  /** The backends. */
  readonly channels: readonly Communicator[];
  readonly #options: FallbackOptions;

  /**
   * Groups backends.
   *
   * @param name Its name.
   * @param options The backends, and what counts as arrived.
   */
  constructor(name: string, options: FallbackOptions) {
    super(name);
    this.channels = options.channels;
    this.#options = options;
  }

  /** What those who were asked too hear once somebody has answered. */
  get others(): OthersPolicy {
    return this.#options.others ?? "tell";
  }

  /** How that is said, where it was chosen. */
  get othersText(): string | undefined {
    return this.#options.othersText;
  }

  /** What the group says of each of its own channels: what counts as arrived, and how long it may take. */
  get terms(): PlanTerms {
    const { confirm, withinMs } = this.#options;
    return { ...(confirm === undefined ? {} : { confirm }), ...(withinMs === undefined ? {} : { withinMs }) };
  }

  /**
   * The plan for a message. A recipient is meant for a channel when it is written `backend:address` or `kind:address`
   * (`email:ops@example.com`); a channel that none is meant for uses its own destinations, or is skipped when others are
   * named.
   */
  planFor(message: OutgoingMessage): PlanNode {
    return this.planOf((channel, terms) => this.#nodeFor(channel, message, terms));
  }

  /**
   * The plan of the group, with the policy and the terms of its own, and those of each group within it.
   *
   * @param nodeFor Makes the part of one backend.
   */
  planOf(nodeFor: (channel: Communicator, terms: PlanTerms) => PlanNode): PlanNode {
    const { policy = "ordered" } = this.#options;
    const { terms } = this;
    const children = this.channels.map((channel) =>
      channel instanceof FallbackCommunicator ? channel.planOf(nodeFor) : nodeFor(channel, terms)
    );
    return { kind: policy, children };
  }

  #nodeFor(channel: Communicator, message: OutgoingMessage, terms: PlanTerms): PlanNode {
    const base = { kind: "leaf", backendName: channel.name, ...terms } as const;
    const own = message.recipients.flatMap((recipient) => addressFor(channel, recipient) ?? []);
    if (message.recipients.length > 0 && own.length === 0) {
      return { ...base, skip: "no recipient is meant for this channel" };
    }
    const destinations = channel.destinations({ ...message, recipients: own });
    const [only, ...others] = destinations;
    if (only === undefined) return { ...base, skip: "the channel has no recipient for this message" };
    const leaves = [only, ...others].map((
      { recipient },
    ): PlanNode => (recipient === undefined ? base : { ...base, recipient }));
    const [single] = leaves;
    if (others.length === 0 && single !== undefined) return single;
    return { kind: terms.confirm === "reply" ? "parallel" : "all", children: leaves }; // one answer is enough
  }

  /**
   * Tries the backends in the process, without an outbox: once each, in the order and by the policy of the group; what
   * counts is that a backend takes it. With `ordered`, an `unknown` ends it: it may have arrived.
   */
  override async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    if (this.#options.policy === "parallel") {
      return best(await Promise.all(this.channels.map((channel) => this.#sendBy(channel, message, context))));
    }
    let last: Receipt = NOBODY;
    for (const channel of this.channels) {
      const receipt = await this.#sendBy(channel, message, context);
      if (receipt.outcome === "accepted" || receipt.outcome === "unknown") return receipt;
      if (receipt.outcome === "rejected" || last === NOBODY) last = receipt;
    }
    return last;
  }

  /** Sends by one backend to everybody it has for this message: taken when one of them took it. */
  async #sendBy(channel: Communicator, message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    if (!channel.isStarted) return NOBODY;
    const { recipient: _recipient, ...rest } = context;
    if (channel instanceof FallbackCommunicator) return await channel.send(message, rest);
    const own = message.recipients.flatMap((recipient) => addressFor(channel, recipient) ?? []);
    if (message.recipients.length > 0 && own.length === 0) return NOBODY;
    const receipts: Receipt[] = [];
    for (const { recipient } of channel.destinations({ ...message, recipients: own })) {
      const deliveryId = await deliveryIdOf(context.deliveryId, channel.name, recipient);
      const to = recipient === undefined ? {} : { recipient };
      try {
        receipts.push(await channel.send(message, { ...rest, deliveryId, ...to }));
      } catch (error) {
        receipts.push(thrownReceipt(error));
      }
    }
    return best(receipts);
  }

  /** One delivery: to whom is decided channel by channel. */
  override destinations(_message: OutgoingMessage): readonly [Readonly<Record<never, never>>] {
    return [{}];
  }
}

const NOBODY: Receipt = { outcome: "skipped", detail: "no channel could be tried" };

/** Of several receipts for one message the one that says most: taken, in doubt, refused, not tried. */
function best(receipts: readonly Receipt[]): Receipt {
  for (const outcome of ["accepted", "unknown", "rejected", "skipped"] as const) {
    const found = receipts.find((receipt) => receipt.outcome === outcome);
    if (found !== undefined) return found;
  }
  return NOBODY;
}

function addressFor(channel: Communicator, recipient: string): string | undefined {
  const colon = recipient.indexOf(":");
  if (colon <= 0) return undefined;
  const kind = recipient.slice(0, colon);
  const isMeant = kind === channel.name || kind === (channel.addressKind ?? channel.name);
  return isMeant ? recipient.slice(colon + 1) : undefined;
}

/** `type: fallback` with `channels`, `policy`, `confirm`, `within` (seconds), `others` and `others_text`. */
export const fallback: BackendType = {
  type: "fallback",
  create(name: string, config: BackendConfig, { resolve, logger }: BackendContext): Communicator {
    const { channels, policy, confirm, within, others, others_text: othersText } = config as
      & BackendConfig
      & Readonly<Record<string, unknown>>;
    const issues: ConfigIssue[] = [];
    if (!Array.isArray(channels) || channels.length === 0 || channels.some((each) => typeof each !== "string")) {
      issues.push({ path: "channels", message: `must be a list of backend names, not ${kindOf(channels)}` });
    }
    if (policy !== undefined && policy !== "ordered" && policy !== "parallel") {
      issues.push({ path: "policy", message: `must be ordered or parallel, not ${kindOf(policy)}` });
    }
    const confirmation = CONFIRMATIONS.find((word) => word === confirm);
    if (confirm !== undefined && confirmation === undefined) {
      issues.push({ path: "confirm", message: `must be one of ${CONFIRMATIONS.join(", ")}, not ${kindOf(confirm)}` });
    }
    if (within !== undefined && (typeof within !== "number" || !(within > 0))) {
      issues.push({ path: "within", message: `must be a number of seconds above 0, not ${kindOf(within)}` });
    }
    const told = OTHERS_POLICIES.find((word) => word === others);
    if (others !== undefined && told === undefined) {
      issues.push({ path: "others", message: `must be one of ${OTHERS_POLICIES.join(", ")}, not ${kindOf(others)}` });
    }
    const said = typeof othersText === "string" && othersText.length <= 500 ? othersText : undefined;
    if (othersText !== undefined && said === undefined) {
      issues.push({
        path: "others_text",
        message: `must be a text of at most 500 characters, not ${kindOf(othersText)}`,
      });
    }
    if (issues.length > 0) throw new ConfigError(issues);
    const group = new FallbackCommunicator(name, {
      channels: (channels as readonly string[]).map(resolve),
      ...(policy === "parallel" ? { policy } : {}),
      ...(confirmation === undefined ? {} : { confirm: confirmation }),
      ...(typeof within === "number" ? { withinMs: within * 1_000 } : {}),
      ...(told === undefined ? {} : { others: told }),
      ...(said === undefined ? {} : { othersText: said }),
    });
    if (confirmation === "reply" && !takesMessagesIn(group)) {
      logger.warn("fallback group waits for answers, and no channel of it takes messages in", { backend: name });
    }
    return group;
  },
};

function takesMessagesIn({ channels }: FallbackCommunicator): boolean {
  return channels.some((channel) =>
    channel instanceof FallbackCommunicator ? takesMessagesIn(channel) : channel.capabilities.receives
  );
}
