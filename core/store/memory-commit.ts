/**
 * Commits of {@link MemoryStore}: what each operation does, and whether all can be done before any is.
 *
 * @module
 */
import type { MemoryChannel } from "./memory-channel.ts";
import type { MemoryChannels } from "./memory-channels.ts";
import type { Moment } from "./memory-moment.ts";
import type { MemoryState } from "./memory-state.ts";
import type { MessageEnvelope } from "../message/channel-message.ts";
import type {
  AppendMode,
  AppendOperation,
  OperationResult,
  OperationStatus,
  RemoveOperation,
  StoreOperation,
} from "./message-store.ts";

const DONE: OperationResult = Object.freeze({ status: "done" });
const DUPLICATE: OperationResult = Object.freeze({ status: "duplicate" });
const NOT_FOUND: OperationResult = Object.freeze({ status: "not-found" });
const MISSING: OperationResult = Object.freeze({ status: "missing" });
const CLAIMED: OperationResult = Object.freeze({ status: "claimed" });
const LEASE_LOST: OperationResult = Object.freeze({ status: "lease-lost" });
const CONFLICT: OperationResult = Object.freeze({ status: "conflict" });
const UNDONE: OperationResult = Object.freeze({ status: "undone" });

/** Where operations find what they change, at one moment. */
export interface CommitScene {
  readonly moment: Moment;
  readonly state: MemoryState;
  readonly channels: MemoryChannels;
}

/** Whether a status undoes a commit. */
export function isConflict(status: OperationStatus): boolean {
  return status === "lease-lost" || status === "conflict" || status === "claimed" || status === "missing";
}

/** Does one operation, if it can be done. */
export function apply(operation: StoreOperation, scene: CommitScene): OperationResult {
  const { channels, state, moment } = scene;
  const { now } = moment;
  switch (operation.type) {
    case "ack": {
      const { seq, token } = operation;
      const target = channels.at(operation.channel, moment);
      const entry = target.queue.held(seq, token);
      if (entry === undefined) return LEASE_LOST;
      target.acknowledge(entry, now);
      return DONE;
    }
    case "release": {
      const { queue } = channels.at(operation.channel, moment);
      const entry = queue.held(operation.seq, operation.token);
      if (entry === undefined) return LEASE_LOST;
      queue.release(entry, operation, moment);
      return DONE;
    }
    case "extend": {
      const { queue } = channels.at(operation.channel, moment);
      const entry = queue.held(operation.seq, operation.token);
      if (entry === undefined) return LEASE_LOST;
      queue.extend(entry, operation, now);
      return { status: "done", until: moment.wall + operation.leaseMs };
    }
    case "append": {
      const { channel, message, mode, dedupeForMs = 0 } = operation;
      return append(channels.open(channel, moment), message, mode, dedupeForMs, moment);
    }
    case "remove": {
      const target = channels.at(operation.channel, moment);
      const entry = target.find(operation.id);
      if (entry === undefined) return operation.mustExist === true ? MISSING : NOT_FOUND;
      if (operation.unlessClaimed === true && entry.state === "claimed") return CLAIMED;
      target.remove(entry, now);
      return DONE;
    }
    case "set-cursor":
      channels.open(operation.channel, moment).log.setCursor(operation.readerId, operation.seq);
      return DONE;
    case "set-state": {
      const { key, value, expectedVersion, ttlMs = Infinity } = operation;
      if (expectedVersion !== undefined && expectedVersion !== state.versionOf(key)) return CONFLICT;
      return { status: "done", version: state.set(key, value, now + ttlMs) };
    }
    case "delete-state": {
      const { key, expectedVersion } = operation;
      const version = state.versionOf(key);
      if (expectedVersion !== undefined && expectedVersion !== version) return version === 0 ? NOT_FOUND : CONFLICT;
      return state.delete(key) ? DONE : NOT_FOUND;
    }
  }
}

/** Appends one message, unless its id is known. */
export function append(
  target: MemoryChannel,
  message: MessageEnvelope,
  mode: AppendMode,
  dedupeForMs: number,
  moment: Moment,
): OperationResult {
  const present = target.find(message.id);
  if (present !== undefined) return { status: "duplicate", seq: present.seq };
  if (dedupeForMs > 0 && target.remembers(message.id)) return DUPLICATE;
  return { status: "done", seq: target.append(message, mode, dedupeForMs, moment) };
}

/**
 * Finds out whether all operations can be done one after the other, changing nothing.
 *
 * @param trial A number no trial had before: marks the messages that an earlier operation would change.
 * @returns `undefined` when they can, else the result of each.
 */
export function tryAll(
  operations: readonly StoreOperation[],
  scene: CommitScene,
  trial: number,
): readonly OperationResult[] | undefined {
  const rehearsal = new Rehearsal(scene, trial);
  const results: OperationResult[] = [];
  let hasConflict = false;
  for (const operation of operations) {
    const result = rehearsal.play(operation);
    hasConflict ||= isConflict(result.status);
    results.push(result === DONE ? UNDONE : result);
  }
  return hasConflict ? results : undefined;
}

/** An id that an earlier operation of the trial appended, and perhaps a later one removed. */
interface TriedId {
  readonly isThere: boolean;
  readonly isRemembered: boolean;
}

/** Plays operations without doing them. */
class Rehearsal {
  readonly #scene: CommitScene;
  readonly #trial: number;
  /** Made when needed: most commits only end deliveries. */
  #appended: Map<string, TriedId> | undefined;
  #versions: Map<string, number> | undefined;
  #latestVersion: number;

  constructor(scene: CommitScene, trial: number) {
    this.#scene = scene;
    this.#trial = trial;
    this.#latestVersion = scene.state.latestVersion;
  }

  play(operation: StoreOperation): OperationResult {
    switch (operation.type) {
      case "ack":
      case "release":
      case "extend": {
        const target = this.#channelAt(operation.channel);
        const entry = target.queue.held(operation.seq, operation.token);
        if (entry === undefined || entry.isReleasedIn(this.#trial)) return LEASE_LOST;
        if (operation.type === "extend") return DONE;
        entry.mark(this.#trial, operation.type === "ack" && entry.mode === "queue");
        return DONE;
      }
      case "append":
        return this.#append(operation);
      case "remove":
        return this.#remove(operation);
      case "set-cursor":
        return DONE;
      case "set-state": {
        const { key, expectedVersion } = operation;
        if (expectedVersion !== undefined && expectedVersion !== this.#versionOf(key)) return CONFLICT;
        this.#setVersion(key, ++this.#latestVersion);
        return DONE;
      }
      case "delete-state": {
        const { key, expectedVersion } = operation;
        const version = this.#versionOf(key);
        if (version === 0) return NOT_FOUND;
        if (expectedVersion !== undefined && expectedVersion !== version) return CONFLICT;
        this.#setVersion(key, 0);
        return DONE;
      }
    }
  }

  #append({ channel, message, dedupeForMs = 0 }: AppendOperation): OperationResult {
    const { id } = message;
    const target = this.#channelAt(channel);
    const place = placeOf(channel, id);
    const tried = this.#appended?.get(place);
    const present = target.find(id);
    if (tried?.isThere === true) return DUPLICATE;
    if (tried === undefined && present !== undefined && !present.isGoneIn(this.#trial)) {
      return { status: "duplicate", seq: present.seq };
    }
    const isRemembered = tried?.isRemembered === true || target.remembers(id) ||
      (present !== undefined && present.rememberUntil > this.#scene.moment.now);
    if (dedupeForMs > 0 && isRemembered) return DUPLICATE;
    this.#appended ??= new Map();
    this.#appended.set(place, { isThere: true, isRemembered: isRemembered || dedupeForMs > 0 });
    return DONE;
  }

  #remove({ channel, id, unlessClaimed = false, mustExist = false }: RemoveOperation): OperationResult {
    const place = placeOf(channel, id);
    const tried = this.#appended?.get(place);
    if (tried?.isThere === true) {
      this.#appended?.set(place, { isThere: false, isRemembered: tried.isRemembered });
      return DONE;
    }
    const entry = this.#channelAt(channel).find(id);
    if (entry === undefined || entry.isGoneIn(this.#trial)) return mustExist ? MISSING : NOT_FOUND;
    if (unlessClaimed && entry.state === "claimed" && !entry.isReleasedIn(this.#trial)) return CLAIMED;
    entry.mark(this.#trial, true);
    return DONE;
  }

  #channelAt(key: string): MemoryChannel {
    return this.#scene.channels.at(key, this.#scene.moment);
  }

  #versionOf(key: string): number {
    return this.#versions?.get(key) ?? this.#scene.state.versionOf(key);
  }

  #setVersion(key: string, version: number): void {
    this.#versions ??= new Map();
    this.#versions.set(key, version);
  }
}

/** With the length in front, so that no two places read alike. */
function placeOf(channel: string, id: string): string {
  return `${id.length} ${id}${channel}`;
}
