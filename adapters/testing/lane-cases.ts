/**
 * Cases about lanes: messages that share an `orderingKey`.
 *
 * @module
 */
import { equal, present } from "./expect.ts";
import { type CaseDefinition, CHANNEL, define, idsOf, needsExactLanes } from "./scene.ts";

const LANE = { orderingKey: "lane" } as const;

/** See the module. */
export const laneCases: readonly CaseDefinition[] = [
  define("claim() gives one message of a lane at a time, first in first out, and other lanes run on", async (scene) => {
    const [a1 = "", a2 = "", b1 = "", free = "", b2 = ""] = await scene.append("queue", [
      { orderingKey: "a" },
      { orderingKey: "a" },
      { orderingKey: "b" },
      {},
      { orderingKey: "b" },
    ]);
    const first = await scene.claim();
    equal(idsOf(first), [a1, b1, free], "first");
    equal(await scene.claimIds(), [], "both lanes are busy");
    await scene.ack(present(first[0], "a1"));
    equal(await scene.claimIds(), [a2], "a goes on");
    await scene.ack(present(first[1], "b1"));
    equal(await scene.claimIds(), [b2], "b goes on");
  }, needsExactLanes),

  define("claim() keeps to the order of a lane under many workers", async (scene) => {
    const inits = Array.from({ length: 60 }, (_, index) => ({ orderingKey: `lane ${index % 4}` }));
    await scene.append("queue", inits);
    const order = new Map<string, number[]>();
    const busy = new Set<string>();
    const work = async (workerId: string): Promise<void> => {
      for (let turn = 0; turn < 200; turn++) {
        for (const message of await scene.claim({ workerId, limit: 2 })) {
          const lane = present(message.orderingKey, "lane");
          equal(busy.has(lane), false, `${lane} has one out`);
          busy.add(lane);
          order.set(lane, [...order.get(lane) ?? [], message.seq]);
          await Promise.resolve();
          busy.delete(lane);
          await scene.ack(message);
        }
      }
    };
    await Promise.all(["w1", "w2", "w3"].map(work));
    equal([...order.values()].map((seqs) => seqs.length), [15, 15, 15, 15], "all");
    for (const [lane, seqs] of order) equal(seqs, [...seqs].sort((one, other) => one - other), lane);
  }, needsExactLanes),

  define("claim() lets a lane go on when the lease of its message ended: that message first", async (scene) => {
    const [first = "", second = ""] = await scene.append("queue", [LANE, LANE]);
    await scene.claimOne({ leaseMs: 1_000 });
    await scene.pass(1_000);
    const again = await scene.claim();
    equal(idsOf(again), [first], "the first again");
    await scene.ack(present(again[0], "first"));
    equal(await scene.claimIds(), [second], "then the second");
  }, needsExactLanes),

  define("release at once puts a message back at the head of its lane", async (scene) => {
    const [first = "", second = ""] = await scene.append("queue", [LANE, LANE]);
    await scene.pass(10);
    await scene.release(await scene.claimOne());
    const again = await scene.claim();
    equal(idsOf(again), [first], "first");
    await scene.ack(present(again[0], "first"));
    equal(await scene.claimIds(), [second], "second");
  }, needsExactLanes),

  define("release with delayMs holds the lane until the message is due", async (scene) => {
    const [first = "", , free = ""] = await scene.append("queue", [LANE, LANE, {}]);
    await scene.release(await scene.claimOne(), { delayMs: 1_000 });
    equal(await scene.claimIds(), [free], "others run on");
    await scene.pass(999);
    equal(await scene.claimIds(), [], "the lane waits");
    await scene.pass(1);
    equal(await scene.claimIds(), [first], "until the message is due");
  }, needsExactLanes),

  define("release with holdLaneMs lets the others of the lane pass after that", async (scene) => {
    const [first = "", second = "", third = ""] = await scene.append("queue", [LANE, LANE, LANE]);
    await scene.release(await scene.claimOne(), { delayMs: 1_000, holdLaneMs: 300 });
    await scene.pass(299);
    equal(await scene.claimIds(), [], "held");
    await scene.pass(1);
    const passing = await scene.claim();
    equal(idsOf(passing), [second], "the second passes");
    await scene.pass(700);
    equal(await scene.claimIds(), [], "the first is due, and the lane busy");
    await scene.ack(present(passing[0], "second"));
    const again = await scene.claim();
    equal(idsOf(again), [first], "the first comes before the third");
    await scene.ack(present(again[0], "first"));
    equal(await scene.claimIds(), [third], "the third");
  }, needsExactLanes),

  define("release with holdLaneMs 0 holds the lane not at all", async (scene) => {
    const [, second = ""] = await scene.append("queue", [LANE, LANE]);
    await scene.release(await scene.claimOne(), { delayMs: 1_000, holdLaneMs: 0 });
    equal(await scene.claimIds(), [second], "second");
  }, needsExactLanes),

  define("release with holdLaneMs longer than delayMs holds until the message is due", async (scene) => {
    const [first = "", second = ""] = await scene.append("queue", [LANE, LANE]);
    await scene.release(await scene.claimOne(), { delayMs: 100, holdLaneMs: 10_000 });
    await scene.pass(100);
    const again = await scene.claim();
    equal(idsOf(again), [first], "first");
    await scene.ack(present(again[0], "first"));
    equal(await scene.claimIds(), [second], "second");
  }, needsExactLanes),

  define("claim() enters a message into its lane when it is due, not before", async (scene) => {
    const later = await scene.enqueue({ ...LANE, notBefore: scene.now + 1_000 });
    const [now = "", next = ""] = await scene.append("queue", [LANE, LANE]);
    const first = await scene.claim();
    equal(idsOf(first), [now], "the delayed one blocks nobody");
    await scene.pass(1_000);
    await scene.ack(present(first[0], "now"));
    const second = await scene.claim();
    equal(idsOf(second), [later], "once due, the lowest sequence number goes first");
    await scene.ack(present(second[0], "later"));
    equal(await scene.claimIds(), [next], "next");
  }, needsExactLanes),

  define("claim() gives the lowest sequence number of a lane, although another stood ready first", async (scene) => {
    const [first = "", second = ""] = await scene.append("queue", [LANE, LANE]);
    await scene.release(await scene.claimOne(), { delayMs: 1_000, holdLaneMs: 100 });
    await scene.pass(500);
    equal((await scene.store.stats(CHANNEL)).ready, 1, "the second stands ready, and nobody takes it");
    await scene.pass(500);
    const again = await scene.claim();
    equal(idsOf(again), [first], "the first is due again");
    await scene.ack(present(again[0], "first"));
    equal(await scene.claimIds(), [second], "second");
  }, needsExactLanes),

  define("claim() puts the message of a lane in line by when that message was due", async (scene) => {
    const laned = await scene.enqueue(LANE);
    await scene.pass(1);
    const behind = await scene.enqueue(LANE);
    await scene.pass(1);
    const free = await scene.enqueue();
    const [first] = await scene.claim({ limit: 1 });
    equal(first?.id, laned, "laned");
    await scene.ack(present(first, "first"));
    equal(await scene.claimIds(), [behind, free], "the one behind has been due longer");
  }, needsExactLanes),

  define("claim() for a recipient does not pass the head of a lane that is for another", async (scene) => {
    const [bob = "", alice = ""] = await scene.append("queue", [
      { ...LANE, recipientId: "bob" },
      { ...LANE, recipientId: "alice" },
    ]);
    equal(await scene.claimIds({ recipientId: "alice" }), [], "alice waits");
    const first = await scene.claim({ recipientId: "bob" });
    equal(idsOf(first), [bob], "bob");
    await scene.ack(present(first[0], "bob"));
    equal(await scene.claimIds({ recipientId: "alice" }), [alice], "alice");
  }, needsExactLanes),

  define("claim() keeps lanes of the same name in different channels apart", async (scene) => {
    await scene.append("queue", [LANE], "a");
    await scene.append("queue", [LANE], "b");
    equal((await scene.claim({ channel: "a" })).length, 1, "a");
    equal((await scene.claim({ channel: "b" })).length, 1, "b");
  }, needsExactLanes),

  define("remove frees a lane, whether its message was held, waited or stood behind", async (scene) => {
    const ids = await scene.append("queue", [LANE, LANE, LANE, LANE]);
    const [first = "", second = "", third = "", fourth = ""] = ids;
    const remove = (id: string): Promise<string> => scene.statusOf({ type: "remove", channel: CHANNEL, id });
    await scene.claimOne();
    equal(await remove(first), "done", "held");
    const message = await scene.claimOne();
    equal(message.id, second, "second");
    await scene.release(message, { delayMs: 1_000 });
    equal(await remove(second), "done", "waiting");
    equal(await remove(third), "done", "behind, or at the head");
    equal(await scene.claimIds(), [fourth], "fourth");
  }, needsExactLanes),

  define("claim() lets a lane go on after its message was acknowledged in mode both", async (scene) => {
    const [, second = ""] = await scene.append("both", [LANE, LANE]);
    await scene.ack(await scene.claimOne());
    equal(await scene.claimIds(), [second], "second");
  }, needsExactLanes),

  define("claim() gives one of each of a hundred lanes at once", async (scene) => {
    const inits = Array.from({ length: 300 }, (_, index) => ({ orderingKey: `lane ${index % 100}` }));
    const ids = await scene.append("queue", inits);
    equal(await scene.claimIds(), ids.slice(0, 100), "first");
  }, needsExactLanes),
];
