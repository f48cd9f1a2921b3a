/**
 * Which of the backends a message would reach rest.
 *
 * @module
 */
import type { Communicator } from "../communicators/communicator.ts";
import { FallbackCommunicator } from "../delivery/fallback-group.ts";
import type { RouteExplanation } from "../dispatcher/label-routes.ts";
import type { RestingBook } from "../outbox/resting-book.ts";

/** Adds to an explanation which backends rest, as far as this process knows. */
export function withRests(
  explanation: RouteExplanation,
  communicators: ReadonlyMap<string, Communicator>,
  rests: RestingBook,
  now: number,
): RouteExplanation {
  const names = new Set(explanation.reaches.flatMap(({ backendName }) => membersOf(communicators.get(backendName))));
  const resting = [...names].flatMap((backendName) => {
    const { restsUntil = 0 } = rests.lastKnown(backendName);
    return restsUntil > now ? [{ backendName, restsUntil }] : [];
  });
  return resting.length === 0 ? explanation : { ...explanation, resting };
}

function membersOf(communicator: Communicator | undefined): readonly string[] {
  if (communicator === undefined) return [];
  return communicator instanceof FallbackCommunicator ? communicator.channels.flatMap(membersOf) : [communicator.name];
}
