/**
 * The channels of {@link MemoryStore}.
 *
 * @module
 */
import { MemoryChannel } from "./memory-channel.ts";
import type { Moment } from "./memory-moment.ts";

/** How many tokens share all but their end. */
const TOKENS_IN_BLOCK = 1_000;

/** Channels by key, each brought up to the moment it is looked at. */
export class MemoryChannels {
  readonly #channels = new Map<string, MemoryChannel>();
  readonly #nextToken = createTokenGenerator();
  readonly #maxRememberedIds: number;
  /** The latest channel looked at: the operations of a commit are mostly about one. */
  #latest: MemoryChannel | undefined;
  #latestKey = "";
  #latestMoment: Moment | undefined;

  /** @param maxRememberedIds As for {@link MemoryChannel}. */
  constructor(maxRememberedIds: number) {
    this.#maxRememberedIds = maxRememberedIds;
  }

  /** The keys of the channels there are. */
  keys(): Iterable<string> {
    return this.#channels.keys();
  }

  /** A channel to look at. Where there is none, nothing is kept of the one it gives. */
  at(key: string, moment: Moment): MemoryChannel {
    if (this.#latest !== undefined && this.#latestMoment === moment && this.#latestKey === key) return this.#latest;
    const channel = this.#channels.get(key);
    if (channel === undefined) return new MemoryChannel(this.#nextToken, this.#maxRememberedIds);
    channel.advance(moment);
    this.#latest = channel;
    this.#latestKey = key;
    this.#latestMoment = moment;
    return channel;
  }

  /** A channel to put something into. */
  open(key: string, moment: Moment): MemoryChannel {
    const channel = this.at(key, moment);
    if (this.#latest !== channel) this.#channels.set(key, channel);
    return channel;
  }

  /** Forgets all. */
  clear(): void {
    this.#channels.clear();
    this.#latest = undefined;
  }
}

/** Tokens no other store gives: those of an earlier one in its place must not fit. */
function createTokenGenerator(): () => string {
  const ends: string[] = [];
  let start = "";
  let prefix = "";
  let blocks = 0;
  let used = TOKENS_IN_BLOCK;
  return function nextToken(): string {
    if (used === TOKENS_IN_BLOCK) {
      // Not before the first claim: a Worker may not ask for randomness in its global scope.
      if (start === "") start = crypto.randomUUID();
      prefix = `${start}.${blocks++}.`;
      used = 0;
    }
    // Numbers are made into text once: doing it for every token would cost as much as the rest of the claim.
    const end = ends[used] ??= String(used);
    used++;
    return prefix + end;
  };
}
