/**
 * What can be done to a store, as data that fast-check makes up and shrinks. Picks are turned into ids, places and
 * deliveries when a step is taken.
 *
 * @module
 */
import fc from "fast-check";

/** A message to be written. */
export interface MessagePart {
  readonly isOld: boolean;
  readonly pick: number;
  readonly lane?: string;
  readonly recipientId?: string;
  readonly delayMs?: number;
  readonly expiresInMs?: number;
  readonly timeSkew: number;
}

export interface AppendStep {
  readonly type: "append";
  readonly channel: "a" | "b";
  readonly mode: "log" | "queue" | "both";
  readonly dedupeForMs: number;
  readonly messages: readonly MessagePart[];
}

export type DeliveryPart =
  | { readonly type: "ack"; readonly pick: number }
  | { readonly type: "extend"; readonly pick: number; readonly leaseMs: number }
  | {
    readonly type: "release";
    readonly pick: number;
    readonly delayMs: number;
    readonly holdLaneMs?: number;
    readonly countAttempt: boolean;
    readonly reason?: string;
    readonly content?: number;
  };

/** An operation of a commit. */
export type Part =
  | DeliveryPart
  | (Omit<AppendStep, "messages"> & { readonly message: MessagePart })
  | {
    readonly type: "remove";
    readonly channel: "a" | "b";
    readonly pick: number;
    readonly unlessClaimed: boolean;
    readonly mustExist: boolean;
  }
  | { readonly type: "set-cursor"; readonly channel: "a" | "b"; readonly readerId: string; readonly seq: number }
  | {
    readonly type: "set-state";
    readonly key: string;
    readonly value: number;
    readonly expected?: "present" | "none" | "other";
    readonly ttlMs?: number;
  }
  | { readonly type: "delete-state"; readonly key: string; readonly expected?: "present" | "none" | "other" };

export interface CommitStep {
  readonly type: "commit";
  readonly onConflict: "abort" | "skip";
  readonly parts: readonly Part[];
}

export type Step =
  | AppendStep
  | CommitStep
  | {
    readonly type: "claim";
    readonly channel: "a" | "b";
    readonly limit: number;
    readonly leaseMs: number;
    readonly recipientId?: string;
  }
  | { readonly type: "redrive"; readonly channel: "a" | "b"; readonly pick: number }
  | {
    readonly type: "read";
    readonly channel: "a" | "b";
    readonly readerId: string;
    readonly limit: number;
    readonly after?: number;
    readonly recipientId?: string;
    readonly advance?: boolean;
  }
  | {
    readonly type: "prune";
    readonly channel: "a" | "b";
    readonly olderThanMs?: number;
    readonly keepLatest?: number;
  }
  | { readonly type: "clear"; readonly channel: "a" | "b" }
  | {
    readonly type: "query";
    readonly channel: "a" | "b";
    readonly order: "asc" | "desc";
    readonly limit: number;
    readonly senderId?: string;
    readonly recipientId?: string;
    readonly after?: number;
    readonly fromAgo?: number;
    readonly toAgo?: number;
  }
  | { readonly type: "pass"; readonly ms: number }
  | { readonly type: "reopen" };

const channel = fc.constantFrom("a", "a", "a", "b");
const pick = fc.nat(1_000);
/** Few and small, so that ends of things meet. */
const duration = fc.constantFrom(1, 2, 5, 10, 20, 50);
const delay = fc.constantFrom(0, 1, 2, 5, 10, 20, 50);
const recipientId = fc.constantFrom("r1", "r2");
const mode = fc.constantFrom("queue", "queue", "both", "log");

function sometimes<T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> {
  return fc.oneof({ arbitrary: fc.constant(undefined), weight: 2 }, { arbitrary, weight });
}

/** A record without the properties that came out undefined. */
function sparse<T extends object>(shape: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<Sparse<T>> {
  return fc.record(shape).map((value) =>
    Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Sparse<T>
  );
}

type Sparse<T> =
  & { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] }
  & { [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined> };

const message = sparse({
  isOld: fc.oneof({ arbitrary: fc.constant(false), weight: 4 }, { arbitrary: fc.constant(true), weight: 1 }),
  pick,
  lane: sometimes(fc.constantFrom("x", "y"), 4),
  recipientId: sometimes(recipientId),
  delayMs: sometimes(delay),
  expiresInMs: sometimes(duration),
  timeSkew: fc.constantFrom(0, 0, 0, 0, 3, 30),
});
const dedupeForMs = fc.constantFrom(0, 0, 0, 5, 20);
const expected = sometimes(fc.constantFrom("present", "present", "none", "other"));
const key = fc.constantFrom("k1", "k2", "l1");

const part: fc.Arbitrary<Part> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("ack"), pick }) },
  {
    weight: 5,
    arbitrary: sparse({
      type: fc.constant("release"),
      pick,
      delayMs: delay,
      holdLaneMs: sometimes(delay, 2),
      countAttempt: fc.constantFrom(true, true, false),
      reason: sometimes(fc.constantFrom("handler-error", "timeout")),
      content: sometimes(fc.nat(9)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("extend"), pick, leaseMs: duration }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("append"), channel, mode, dedupeForMs, message }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("remove"),
      channel,
      pick,
      unlessClaimed: fc.boolean(),
      mustExist: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("set-cursor"), channel, readerId: fc.constantFrom("p", "q"), seq: pick }),
  },
  {
    weight: 2,
    arbitrary: sparse({
      type: fc.constant("set-state"),
      key,
      value: fc.nat(9),
      expected,
      ttlMs: sometimes(duration),
    }),
  },
  { weight: 1, arbitrary: sparse({ type: fc.constant("delete-state"), key, expected }) },
);

/** Any step, the usual ones more often. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.record({
      type: fc.constant("append"),
      channel,
      mode,
      dedupeForMs,
      messages: fc.array(message, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 50,
    arbitrary: sparse({
      type: fc.constant("claim"),
      channel,
      limit: fc.integer({ min: 1, max: 5 }),
      leaseMs: duration,
      recipientId: sometimes(recipientId),
    }),
  },
  {
    weight: 70,
    arbitrary: fc.record({
      type: fc.constant("commit"),
      onConflict: fc.constantFrom("abort", "skip"),
      parts: fc.array(part, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 40, arbitrary: fc.record({ type: fc.constant("pass"), ms: duration }) },
  {
    weight: 25,
    arbitrary: sparse({
      type: fc.constant("read"),
      channel,
      readerId: fc.constantFrom("p", "q"),
      limit: fc.integer({ min: 1, max: 6 }),
      after: sometimes(pick),
      recipientId: sometimes(recipientId),
      advance: sometimes(fc.boolean()),
    }),
  },
  {
    weight: 10,
    arbitrary: sparse({
      type: fc.constant("query"),
      channel,
      order: fc.constantFrom("asc", "desc"),
      limit: fc.integer({ min: 1, max: 10 }),
      senderId: sometimes(fc.constantFrom("s0", "s1", "s2")),
      recipientId: sometimes(recipientId),
      after: sometimes(pick),
      fromAgo: sometimes(duration),
      toAgo: sometimes(duration),
    }),
  },
  {
    weight: 10,
    arbitrary: sparse({
      type: fc.constant("prune"),
      channel,
      olderThanMs: sometimes(duration, 4),
      keepLatest: sometimes(fc.nat(12), 4),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("redrive"), channel, pick }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("reopen") }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("clear"), channel }) },
);
