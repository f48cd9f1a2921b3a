/**
 * A store, a clock, and short words for what most cases do.
 *
 * @module
 */
import {
  type ClaimedMessage,
  type ClaimRequest,
  type CommitResult,
  ManualClock,
  type MessageEnvelope,
  type MessageStore,
  type OperationResult,
  type ReleaseOperation,
  type SharedPage,
  type SharedReadRequest,
  type StoreCapabilities,
  type StoreOperation,
} from "../../core/mod.ts";
import type { ContractCase, MessageStoreContractOptions, OpenStore, OpenStoreOptions } from "./contract-case.ts";
import { equal, present } from "./expect.ts";

/** The channel of a case that needs only one. */
export const CHANNEL = "c";

/** The limit that stores under test enforce. */
export const MAX_BYTES = 10_000;

/** What a case may change of a message. */
export type EnvelopeInit = Partial<Omit<MessageEnvelope, "v">>;

/** See the module. */
export class Scene {
  /** The clock the store goes by. */
  readonly clock: ManualClock = new ManualClock();
  /** What listeners of `watch` threw, as the store told. */
  readonly listenerErrors: unknown[] = [];
  readonly #options: MessageStoreContractOptions;
  readonly #openOptions: OpenStoreOptions;
  #store: MessageStore | undefined;
  #count = 0;

  constructor(options: MessageStoreContractOptions) {
    this.#options = options;
    this.#openOptions = {
      clock: this.clock,
      maxMessageBytes: MAX_BYTES,
      onListenerError: (error) => void this.listenerErrors.push(error),
    };
  }

  /** The store under test. */
  get store(): MessageStore {
    return present(this.#store, "store");
  }

  /** The time on the wall. */
  get now(): number {
    return this.clock.now();
  }

  /** What the suite was told of the store. */
  get capabilities(): StoreCapabilities {
    const { atomicBatch, lanes, notBefore, notifies, durable } = this.#options.capabilities;
    return { atomicBatch, lanes, notBefore, notifies, durable };
  }

  async open(open: OpenStore): Promise<void> {
    this.#store = await open(this.#openOptions);
  }

  /** As after a crash. */
  async reopen(): Promise<void> {
    const reopen = present(this.#options.reopen, "reopen");
    this.#store = await reopen(this.store, this.#openOptions);
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }

  /** Lets time pass. */
  pass(byMs: number): Promise<void> {
    return this.clock.advance(byMs);
  }

  /** A message with an id no other has. */
  envelope(init: EnvelopeInit = {}): MessageEnvelope {
    const id = `m${++this.#count}`;
    return {
      v: 1,
      id,
      namespace: "",
      timestamp: this.now,
      senderId: "sender",
      content: { text: id },
      metadata: {},
      ...init,
    };
  }

  /** Appends one message to the work queue. @returns Its id. */
  async enqueue(init: EnvelopeInit = {}, channel: string = CHANNEL): Promise<string> {
    return (await this.append("queue", [init], channel))[0] ?? "";
  }

  /** Appends one message to the log. @returns Its id. */
  async log(init: EnvelopeInit = {}, channel: string = CHANNEL): Promise<string> {
    return (await this.append("log", [init], channel))[0] ?? "";
  }

  /** Appends messages, each of which must be done. @returns Their ids. */
  async append(
    mode: "log" | "queue" | "both",
    inits: readonly EnvelopeInit[],
    channel: string = CHANNEL,
    dedupeForMs?: number,
  ): Promise<string[]> {
    const messages = inits.map((init) => this.envelope(init));
    const options = dedupeForMs === undefined ? { mode } : { mode, dedupeForMs };
    const results = await this.store.append(channel, messages, options);
    equal(results.map(({ status }) => status), inits.map(() => "done"), "append");
    return messages.map(({ id }) => id);
  }

  /** Claims, by default as worker "w" for a minute and as many as there are. */
  claim(request: Partial<ClaimRequest> = {}): Promise<readonly ClaimedMessage[]> {
    return this.store.claim({ channel: CHANNEL, workerId: "w", limit: 1_000, leaseMs: 60_000, ...request });
  }

  /** Claims one message, which must be there. */
  async claimOne(request: Partial<ClaimRequest> = {}): Promise<ClaimedMessage> {
    return present((await this.claim({ limit: 1, ...request }))[0], "claim");
  }

  /** The ids of what a claim gives. */
  async claimIds(request: Partial<ClaimRequest> = {}): Promise<string[]> {
    return idsOf(await this.claim(request));
  }

  /** Reads the log, by default as reader "r" and as many as there are. */
  read(request: Partial<SharedReadRequest> = {}): Promise<SharedPage> {
    return this.store.readShared({ channel: CHANNEL, readerId: "r", limit: 1_000, ...request });
  }

  /** The ids of what a read gives. */
  async readIds(request: Partial<SharedReadRequest> = {}): Promise<string[]> {
    return idsOf((await this.read(request)).messages);
  }

  /** Does one operation. */
  async one(operation: StoreOperation): Promise<OperationResult> {
    const { results } = await this.store.commit([operation]);
    equal(results.length, 1, "results");
    return present(results[0], "result");
  }

  /** Does one operation and gives what became of it. */
  async statusOf(operation: StoreOperation): Promise<string> {
    return (await this.one(operation)).status;
  }

  /** Acknowledges, which must succeed. */
  async ack(message: ClaimedMessage, channel: string = CHANNEL): Promise<void> {
    equal(await this.statusOf(ackOf(message, channel)), "done", "ack");
  }

  /** Releases, which must succeed. */
  async release(
    message: ClaimedMessage,
    how: Partial<Omit<ReleaseOperation, "type" | "seq" | "token">> = {},
  ): Promise<void> {
    equal(await this.statusOf({ ...releaseOf(message), ...how }), "done", "release");
  }

  /** Calls a method with arguments its types do not allow. */
  call(method: keyof MessageStore, ...args: readonly unknown[]): unknown {
    const target: unknown = Reflect.get(this.store, method);
    if (typeof target !== "function") throw new Error(`${String(method)} is no method`);
    return Reflect.apply(target, this.store, args);
  }
}

/** The ids of messages. */
export function idsOf(messages: readonly { readonly id: string }[]): string[] {
  return messages.map(({ id }) => id);
}

/** The acknowledgement of a delivery. */
export function ackOf(
  { seq, lease }: ClaimedMessage,
  channel: string = CHANNEL,
): StoreOperation & { readonly type: "ack" } {
  return { type: "ack", channel, seq, token: lease.token };
}

/** The release of a delivery. */
export function releaseOf({ seq, lease }: ClaimedMessage, channel: string = CHANNEL): ReleaseOperation {
  return { type: "release", channel, seq, token: lease.token };
}

/** What became of each operation. */
export function statusesOf({ results }: Pick<CommitResult, "results">): string[] {
  return results.map(({ status }) => status);
}

/** What a case has to say: the suite makes a {@link ContractCase} of it. */
export interface CaseDefinition {
  readonly name: string;
  readonly body: (scene: Scene) => Promise<void>;
  /** Why it does not apply, judged by what the store can do. */
  readonly skip?: (options: MessageStoreContractOptions) => string | undefined;
}

/** Defines a case. */
export function define(
  name: string,
  body: (scene: Scene) => Promise<void>,
  skip?: (options: MessageStoreContractOptions) => string | undefined,
): CaseDefinition {
  return skip === undefined ? { name, body } : { name, body, skip };
}

/** Makes cases of definitions, each with a store of its own. */
export function casesOf(
  definitions: readonly CaseDefinition[],
  open: OpenStore,
  options: MessageStoreContractOptions,
): readonly ContractCase[] {
  return definitions.map(({ name, body, skip }) => {
    const reason = skip?.(options);
    const run = async (): Promise<void> => {
      const scene = new Scene(options);
      await scene.open(open);
      try {
        await body(scene);
      } finally {
        await scene.close();
      }
    };
    return reason === undefined ? { name, run } : { name, run, skip: reason };
  });
}

/** For cases about lanes that are kept apart exactly. */
export function needsExactLanes({ capabilities }: MessageStoreContractOptions): string | undefined {
  return capabilities.lanes === "exact" ? undefined : "lanes are partitioned";
}

/** For cases about messages that wait for their time. */
export function needsNotBefore({ capabilities }: MessageStoreContractOptions): string | undefined {
  return capabilities.notBefore ? undefined : "notBefore is not supported";
}

/** For cases about commits over several channels and state. */
export function needsAtomicBatch({ capabilities }: MessageStoreContractOptions): string | undefined {
  return capabilities.atomicBatch ? undefined : "commits are not atomic";
}

/** For cases about what outlives the process. */
export function needsReopen({ capabilities, reopen }: MessageStoreContractOptions): string | undefined {
  if (!capabilities.durable) return "nothing outlives the process";
  return reopen === undefined ? "no way to reopen was given" : undefined;
}
