// What must not depend on other people's messages or on history, counted in steps rather than in time.
import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "bun:test";
import { DiscoveryChannel, MailboxChannel, ManualClock, MemoryStore, type StoredMessage } from "../../../core/mod.ts";
import { nextTurn } from "../../../core/support/clock.ts";
import { SeededRandom } from "../../simulation/random.ts";

describe("MailboxChannel among 100 recipients", () => {
  it("read() touches the reader's own messages and no others (S11)", async () => {
    let looked = 0;
    /** Counts what is handed out of the store. */
    class Counted extends MailboxChannel<number> {
      protected override typed<M extends StoredMessage>(message: M): M & StoredMessage<number> {
        looked++;
        return super.typed(message);
      }
    }
    const channel = new Counted({ id: "mail", store: new MemoryStore() });
    await channel.start();
    for (let value = 0; value < 20_000; value++) {
      await channel.write("s", value, { recipientId: `r${value % 100}` });
    }
    looked = 0;
    const seen: number[] = [];
    for (let page = await channel.read("r7", { limit: 20 }); page.length > 0;) {
      for (const { content, recipientId } of page) {
        assert.equal(recipientId, "r7");
        seen.push(content);
      }
      page = await channel.read("r7", { limit: 20 });
    }
    assert.equal(seen.length, 200);
    assert.equal(looked, 200);
    await channel.stop();
  });
});

const ticks = process.env["POSTHORN_LONG"] === "1" ? 1_000_000 : 100_000;

describe("DiscoveryChannel over a long time", () => {
  it(`gives nothing that has ended, nothing twice, and always what is kept alive (G40, ${ticks} ticks)`, async () => {
    const seed = Number(process.env["POSTHORN_SEED"] ?? 20_261);
    const random = new SeededRandom(seed);
    const clock = new ManualClock();
    const ttlMs = 3_000;
    const store = new MemoryStore({ clock });
    const open = (): DiscoveryChannel =>
      new DiscoveryChannel({
        id: "registry",
        store,
        clock,
        registrationTtlMs: ttlMs,
        maintenanceIntervalMs: 3_600_000,
        retention: { maxCount: 100 },
      });
    const [channel, other] = [open(), open()];
    await Promise.all([channel.start(), other.start()]);
    await channel.announceSystem({ id: "alive", capabilities: ["x"] });
    const ends = new Map<string, number>();
    for (let tick = 0; tick < ticks; tick++) {
      const id = `s${random.below(20)}`;
      const dice = random.below(100);
      if (dice < 30) {
        await (random.chance(0.5) ? channel : other).registerSystem({ id, capabilities: dice < 15 ? ["x"] : [] });
        ends.set(id, clock.monotonic() + ttlMs);
      } else if (dice < 35) {
        assert.equal(await channel.deregisterSystem(id), (ends.get(id) ?? 0) > clock.monotonic(), `seed ${seed}`);
        ends.delete(id);
      } else if (dice < 40) {
        clock.jumpWall((random.chance(0.5) ? 1 : -1) * random.below(86_400_000));
      } else if (dice < 41) {
        await clock.advance(random.below(ttlMs));
      } else {
        const found = await (random.chance(0.5) ? channel : other).findSystems();
        const ids = found.map((system) => system.id);
        assert.equal(new Set(ids).size, ids.length, `one of each (seed ${seed}, tick ${tick})`);
        assert.ok(ids.includes("alive"), `what is kept alive is there (seed ${seed}, tick ${tick})`);
        const expected = [...ends].filter(([, endsAt]) => endsAt > clock.monotonic()).map(([each]) => each);
        assert.deepEqual(ids.filter((each) => each !== "alive"), expected.toSorted(), `seed ${seed}, tick ${tick}`);
      }
      if (tick % 1_000 === 999) await nextTurn();
    }
    await channel.stop();
    await other.stop();
  }, ticks / 2);
});
