/**
 * Plans followed by processes that die: 6 outcomes on 4 channels, 1,296 cases.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Application,
  createOutgoingMessage,
  type DeliveryEvent,
  ManualClock,
  MemoryStore,
  type MessageStore,
  type PlanNode,
  type PlanRecord,
  type PlanStatus,
} from "../../core/mod.ts";
import { LOST, REFUSED, ScriptedCommunicator, type ScriptStep } from "./scripted-communicator.ts";

/** What may come of a step. */
export const OUTCOMES = ["accepted", "failed", "unknown", "unknown-falls-back", "skipped", "not-confirmed"] as const;
/** One of them. */
export type Outcome = (typeof OUTCOMES)[number];

const NAMES = ["c0", "c1", "c2", "c3"];
const LEASE_MS = 1_000;
const WITHIN_MS = 3_000;

/** Where a process dies: nothing it asks is ever answered again, from just before or just after its n-th commit. */
export interface Death {
  readonly commit: number;
  readonly when: "before" | "after";
}

/** A store as one process sees it: once that has died, nothing it asks for happens. What it had committed stays. */
export function mortal(kept: MessageStore, death: Death | undefined): {
  readonly store: MessageStore;
  readonly died: Promise<undefined>;
  commits(): number;
} {
  const { promise: died, resolve } = Promise.withResolvers<undefined>();
  let commits = 0;
  let isDead = false;
  const end = (): Promise<never> => {
    isDead = true;
    resolve(undefined);
    return new Promise<never>(() => {});
  };
  const commit: MessageStore["commit"] = async (operations, options) => {
    if (isDead) return await end();
    const isLast = ++commits === death?.commit;
    if (isLast && death.when === "before") return await end();
    const result = await kept.commit(operations, options);
    return isLast ? await end() : result;
  };
  const store = new Proxy<MessageStore>(kept, {
    get(target, key): unknown {
      if (key === "commit") return commit;
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...values: unknown[]): unknown => isDead ? end() : Reflect.apply(value, target, values);
    },
  });
  return { store, died, commits: () => commits };
}

function scriptFor(outcome: Outcome | undefined): readonly ScriptStep[] {
  if (outcome === "failed") return Array(9).fill(REFUSED);
  return outcome === "unknown" || outcome === "unknown-falls-back" ? Array(9).fill(LOST) : [];
}

/** What stands in the store and in the networks' own logs at the end. */
interface End {
  readonly commits: number;
  readonly sends: readonly number[];
  readonly events: readonly DeliveryEvent[];
  readonly record: PlanRecord;
}

function leafFor(outcome: Outcome, backendName: string): PlanNode {
  const leaf = { kind: "leaf", backendName, recipient: "ann" } as const;
  if (outcome === "skipped") return { ...leaf, skip: "no address" };
  return outcome === "not-confirmed" ? { ...leaf, confirm: "delivered", withinMs: WITHIN_MS } : leaf;
}

/** A store that outlives processes. */
export interface Kept {
  /** The store as the next process opens it. */
  open(): MessageStore;
  /** That process has died. */
  died?(store: MessageStore): Promise<void>;
}

/** Keeps everything in the memory of this process. */
export function inMemory(clock: ManualClock): Kept {
  const memory = new MemoryStore({ clock });
  return { open: () => memory };
}

const MAX_LIVES = 60;

/**
 * Follows the plan to its end. Where a process dies on the way, everything of it is thrown away: the next one is a new
 * application on what stands in the store.
 *
 * @param outcomes What comes of each step.
 * @param deathOf Where each process dies, by its number from 0.
 * @param keep What outlives them.
 */
async function follow(
  outcomes: readonly Outcome[],
  deathOf: (life: number) => Death | undefined,
  keep: (clock: ManualClock) => Kept,
): Promise<End> {
  const clock = new ManualClock();
  const kept = keep(clock);
  const channels = NAMES.map((name, index) => new ScriptedCommunicator(name, { script: scriptFor(outcomes[index]) }));
  const backends = Object.fromEntries(NAMES.map((name, index) => {
    const policy = outcomes[index] === "unknown-falls-back" ? { on_unknown: "fallback" } : {};
    return [name, { type: name, ...policy }];
  }));
  const types = channels.map((each) => ({ type: each.name, create: () => each }));
  const plan: PlanNode = {
    kind: "ordered",
    children: outcomes.map((each, index) => leafFor(each, NAMES[index] ?? "")),
  };
  const message = createOutgoingMessage({ id: "n", message: "fire" }, { newId: () => "n", now: () => clock.now() });
  const live = async ({ store, commits }: ReturnType<typeof mortal>, life: number): Promise<End> => {
    const app = await Application.create({ communications: { enabled: true, backends } }, {
      backends: types,
      clock,
      store,
      closeStore: false,
      mode: "pump",
      random: () => 0.5,
      leaseMs: LEASE_MS,
    });
    if (life > 0) await clock.advance(LEASE_MS + 1); // the leases of the dead end
    if (await app.plans.find("plan") === undefined) {
      const { operations } = await app.plans.begin("plan", "reach", plan, message);
      assert.equal((await store.commit(operations)).committed, true);
    }
    for (let dueAt: number | undefined = clock.now(); dueAt !== undefined;) {
      if (dueAt > clock.now()) await clock.advance(dueAt - clock.now());
      dueAt = (await app.pump()).nextDueAt;
    }
    const record = await app.plans.find("plan");
    assert.ok(record !== undefined);
    const events = await app.ledger.eventsOf("n");
    await app.stop();
    return { commits: commits(), sends: channels.map(({ seen }) => seen.length), events, record };
  };
  for (let life = 0; life < MAX_LIVES; life++) {
    const store = kept.open();
    const process = mortal(store, deathOf(life));
    const end = await Promise.race([live(process, life), process.died]);
    await kept.died?.(store);
    if (end !== undefined) return end;
  }
  throw new Error(`${outcomes.join()}: ${MAX_LIVES} processes were not enough`);
}

/** Holds the end against the outcomes: by the networks' own logs and by the ledger. */
function check(outcomes: readonly Outcome[], { sends, events, record }: End, death?: Death): void {
  const where = `${outcomes.join()} dying ${death?.when} commit ${death?.commit}`;
  const of = (name: string | undefined) => events.filter((event) => event.backendName === name);
  // A process that died while it sent left an unknown. After it, a refusal does not say that nothing arrived.
  const effective = outcomes.map((outcome, index): Outcome => {
    const isDoubted = of(NAMES[index]).some((event) => event.status === "unknown");
    return isDoubted && outcome === "failed" ? "unknown" : outcome;
  });
  const stop = effective.findIndex((outcome) => outcome === "accepted" || outcome === "unknown");
  const last = stop === -1 ? 3 : stop;
  const wanted = stop === -1 ? "exhausted" : effective[stop] === "accepted" ? "delivered" : "unknown";
  assert.equal(record.outcome, wanted, where);
  assert.ok(outcomes.filter((each, index) => each === "accepted" && (sends[index] ?? 0) > 0).length <= 1, where);
  let extra = 0;
  for (const [index, outcome] of outcomes.entries()) {
    const log = of(NAMES[index]);
    const tries = log.filter((event) => event.status === "attempting").map(({ attempt }) => attempt);
    const sent = sends[index] ?? 0;
    const status = record.state.children?.[index]?.status ?? "idle";
    if (index > last || outcome === "skipped") {
      assert.deepEqual([sent, log.length], [0, 0], `${where}: c${index} is not reached`);
      assert.ok(index > last || status === "skipped", where);
      continue;
    }
    assert.equal(status, STATUS[effective[index] ?? "failed"], where);
    // Every send stands in the ledger before it is made, and every attempt has an end.
    assert.ok(tries.length >= sent && sent >= tries.length - 1, `${where}: c${index} ${tries.length} for ${sent}`);
    assert.equal(log.filter((event) => event.status === "queued").length, 1, where);
    for (const attempt of tries) {
      const ends = log.filter((event) => event.attempt === attempt && ENDS.has(event.status));
      assert.equal(ends.length, 1, `${where}: c${index} attempt ${attempt} ends ${ends.length} times`);
    }
    extra += sent - (outcome === "unknown" ? Math.min(sent, 3) : 1);
  }
  assert.ok(extra <= (death === undefined ? 0 : 1), `${where}: a step was repeated that had ended`);
}

const ENDS: ReadonlySet<string> = new Set(["accepted", "rejected", "unknown"]);
const STATUS: Readonly<Record<Outcome, PlanStatus>> = {
  accepted: "done",
  failed: "failed",
  unknown: "unknown",
  "unknown-falls-back": "failed",
  skipped: "skipped",
  "not-confirmed": "late",
};

/** Tries a case with a death before and after every commit of it. @returns How many deaths that were. */
export async function tryCase(number: number, keep: (clock: ManualClock) => Kept = inMemory): Promise<number> {
  const outcomes = outcomesOf(number);
  const whole = await follow(outcomes, () => undefined, keep);
  check(outcomes, whole);
  const places = whole.commits * 2;
  // All deaths at once: what is slow is a turn of the platform's loop, and they share it.
  await Promise.all(Array.from({ length: places }, async (_, at) => {
    const death: Death = { commit: (at >> 1) + 1, when: at % 2 === 0 ? "before" : "after" };
    check(outcomes, await follow(outcomes, (life) => life === 0 ? death : undefined, keep), death);
  }));
  return places;
}

/**
 * Tries a case in which every process dies before or after its n-th commit, until the plan has come to its end. With 1
 * nothing is ever sent: each process dies once it has noted that it is about to.
 */
export async function tryMortalCase(number: number, death: Death): Promise<void> {
  const outcomes = outcomesOf(number);
  const { sends, events, record } = await follow(
    outcomes,
    (life) => life < MAX_LIVES - 1 ? death : undefined,
    inMemory,
  );
  const where = `${outcomes.join()} dying ${death.when} every commit ${death.commit}`;
  assert.ok(record.outcome !== undefined, where);
  const isSure = (index: number): boolean => outcomes[index] === "accepted" && (sends[index] ?? 0) > 0;
  assert.ok(NAMES.filter((_, index) => isSure(index)).length <= 1, where);
  for (const [index, name] of NAMES.entries()) {
    const log = events.filter((event) => event.backendName === name);
    const tries = log.filter((event) => event.status === "attempting").map(({ attempt }) => attempt);
    assert.ok(tries.length >= (sends[index] ?? 0), `${where}: ${name} was sent and not noted`);
    for (const attempt of tries) {
      const ends = log.filter((event) => event.attempt === attempt && ENDS.has(event.status));
      assert.equal(ends.length, 1, `${where}: ${name} attempt ${attempt} ends ${ends.length} times`);
    }
  }
}

function outcomesOf(number: number): readonly Outcome[] {
  return NAMES.map((_, index) => OUTCOMES[Math.floor(number / 6 ** index) % 6] ?? "failed");
}
