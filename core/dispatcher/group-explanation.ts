/**
 * What a fallback group would do with a message.
 *
 * @module
 */
import type { Communicator, Destination } from "../communicators/communicator.ts";
import { leavesOf, type PlanNode } from "../delivery/delivery-plan.ts";
import { FallbackCommunicator } from "../delivery/fallback-group.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";

/** What a fallback group would do with a message. */
export interface GroupExplanation {
  /** `ordered`: one channel after the other, until one arrives. `parallel`: all at once, the first that arrives settles it. */
  readonly policy: "ordered" | "parallel";
  /** What counts as arrived. */
  readonly confirm: "accepted" | "delivered" | "read" | "reply";
  /** How long a channel has to arrive; then the next is tried. Absent: for ever. */
  readonly withinMs?: number;
  /** The channels, in their order. */
  readonly channels: readonly ChannelExplanation[];
}

/** What one channel of a group would do. */
export interface ChannelExplanation {
  /** The backend. */
  readonly backendName: string;
  /** Whether it is started. */
  readonly isStarted: boolean;
  /** Where the message would go on it. Empty where it would be left out, and for a group. */
  readonly destinations: readonly Destination[];
  /** Why it would be left out. Absent: it takes its turn. */
  readonly skip?: string;
  /** What it does, where it is a group itself. */
  readonly group?: GroupExplanation;
}

/** Says what a group would do with a message: nothing is sent. */
export function explainGroup(group: FallbackCommunicator, message: OutgoingMessage): GroupExplanation {
  const plan = group.planFor(message);
  return explained(group, plan);
}

/** Whether a group has a channel that would be tried. */
export function reachesSomebody({ channels }: GroupExplanation): boolean {
  return channels.some(({ destinations, group }) =>
    group === undefined ? destinations.length > 0 : reachesSomebody(group)
  );
}

function explained(group: FallbackCommunicator, plan: PlanNode): GroupExplanation {
  const { confirm = "accepted", withinMs } = group.terms;
  const parts = plan.kind === "leaf" ? [plan] : plan.children;
  return {
    policy: plan.kind === "parallel" ? "parallel" : "ordered",
    confirm,
    ...(withinMs === undefined ? {} : { withinMs }),
    channels: group.channels.flatMap((channel, index) => {
      const part = parts[index];
      return part === undefined ? [] : [explainedChannel(channel, part)];
    }),
  };
}

function explainedChannel(channel: Communicator, part: PlanNode): ChannelExplanation {
  const base = { backendName: channel.name, isStarted: channel.isStarted, destinations: [] };
  if (channel instanceof FallbackCommunicator) return { ...base, group: explained(channel, part) };
  const leaves = leavesOf(part).map(({ node }) => node);
  const skip = leaves.find((leaf) => leaf.skip !== undefined)?.skip;
  if (skip !== undefined) return { ...base, skip };
  return {
    ...base,
    destinations: leaves.map(({ recipient }) => (recipient === undefined ? {} : { recipient })),
  };
}
