/**
 * From a notification to its plan.
 *
 * @module
 */
import type { Communicator } from "../communicators/communicator.ts";
import { FallbackCommunicator, type PlanTerms } from "../delivery/fallback-group.ts";
import { leavesOf, type PlanNode, stateAt } from "../delivery/delivery-plan.ts";
import type { Notification } from "../delivery/notification.ts";
import { ValidationError } from "../errors.ts";
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { PlanRecord } from "../outbox/plan-runner.ts";
import { nearest } from "../support/nearest.ts";
import type { AskOptions, DeliverOptions } from "./notification-options.ts";

/** What came of a delivery through the outbox. */
export interface DurableOutcome {
  /** Whether it arrived, as far as was asked for. */
  readonly delivered: boolean;
  /** By which channel. */
  readonly channel?: string;
  /** An attempt ended with `unknown`: a channel may have taken it, or have taken it twice, and nobody can say so. */
  readonly possiblyDelivered: boolean;
  /** Every step of every attempt, oldest first. */
  readonly attempts: readonly DeliveryEvent[];
  /** The channels that were left out, and why. */
  readonly skipped: readonly SkippedChannel[];
}

/** A channel that was left out. */
export interface SkippedChannel {
  /** The channel. */
  readonly channel: string;
  /** Why. */
  readonly reason: string;
}

/**
 * Makes a plan: the chosen backends in their order, each with the recipient's address of its own kind.
 *
 * @param notification What is said, to whom.
 * @param communicators The backends by name.
 * @param options How they are tried.
 * @throws {ValidationError} If it names a backend that is not there.
 */
export function notificationPlan(
  notification: Notification,
  communicators: ReadonlyMap<string, Communicator>,
  options: DeliverOptions,
): PlanNode {
  const { policy = "ordered", confirm, withinMs = Infinity } = options;
  const terms = { ...(confirm === undefined ? {} : { confirm }), ...(withinMs === Infinity ? {} : { withinMs }) };
  const nodeFor = (communicator: Communicator, own: PlanTerms = {}): PlanNode => {
    const kind = communicator.addressKind ?? communicator.name;
    const recipient = notification.recipient[kind];
    const leaf = { kind: "leaf", backendName: communicator.name, ...terms, ...own } as const;
    return recipient === undefined || recipient === ""
      ? { ...leaf, skip: `the recipient has no address "${kind}"` }
      : { ...leaf, recipient };
  };
  const children = chosen(notification, communicators).map((communicator) =>
    communicator instanceof FallbackCommunicator ? communicator.planOf(nodeFor) : nodeFor(communicator)
  );
  return { kind: policy, children };
}

/**
 * Makes the plan of a question: as {@link notificationPlan}, but nothing less than an answer counts.
 *
 * @param notification What is asked, and whom.
 * @param communicators The backends by name.
 * @param options How they are asked.
 * @throws {ValidationError} If it names a backend that is not there.
 */
export function questionPlan(
  notification: Notification,
  communicators: ReadonlyMap<string, Communicator>,
  options: AskOptions,
): PlanNode {
  const { policy = "parallel", withinMs } = options;
  const terms = { policy, ...(withinMs === undefined ? {} : { withinMs }) };
  return answered(notificationPlan(notification, communicators, terms));
}

function answered(node: PlanNode): PlanNode {
  return node.kind === "leaf" ? { ...node, confirm: "reply" } : { ...node, children: node.children.map(answered) };
}

/** The named backends, or all of them; a group is made of others, so that it takes part only where it is named. */
function chosen(
  { channels }: Notification,
  communicators: ReadonlyMap<string, Communicator>,
): readonly Communicator[] {
  if (channels === undefined) {
    return [...communicators.values()].filter((communicator) => !(communicator instanceof FallbackCommunicator));
  }
  return channels.map((name) => {
    const communicator = communicators.get(name);
    if (communicator === undefined) throw unknownChannel(name, [...communicators.keys()]);
    return communicator;
  });
}

function unknownChannel(name: string, known: readonly string[]): ValidationError {
  const guess = nearest(name, known);
  const hint = guess === undefined ? `known channels are ${known.join(", ") || "none"}` : `did you mean "${guess}"?`;
  return new ValidationError("channels", `Cannot deliver by unknown channel "${name}": ${hint}`);
}

/** The channels of a plan that were left out, and why. */
export function skippedOf(record: PlanRecord): readonly SkippedChannel[] {
  return leavesOf(record.plan).flatMap(({ leaf, node }) => {
    const state = stateAt(record.state, leaf);
    return state?.status === "skipped" ? [{ channel: node.backendName, reason: state.reason ?? "skipped" }] : [];
  });
}

/** The channel by which a plan arrived: not always the last that was tried, where receipts come late. */
export function arrivedBy(record: PlanRecord): string | undefined {
  const done = leavesOf(record.plan).find(({ leaf }) => stateAt(record.state, leaf)?.status === "done");
  return record.answer?.backendName ?? done?.node.backendName;
}

/** Why nobody has answered a question, channel by channel: for the error that says so. */
export function reasonsOf(record: PlanRecord): string {
  return leavesOf(record.plan).map(({ leaf, node: { backendName } }) => {
    const { status, reason } = stateAt(record.state, leaf) ?? { status: "idle" };
    const words = WORDS[status];
    return `${backendName}: ${words ?? reason ?? status}`;
  }).join("; ");
}

const WORDS: Readonly<Record<string, string>> = {
  idle: "not asked",
  sent: "no answer",
  late: "no answer in time",
  cancelled: "not asked any more",
};
