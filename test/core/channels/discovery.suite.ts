/**
 * The registry.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  BroadcastChannel,
  DiscoveryChannel,
  type DiscoveryChannelOptions,
  NotRunningError,
  StoreError,
  type SystemDescriptor,
  ValidationError,
} from "../../../core/mod.ts";
import { type Bench, contents, eventually, FaultyStore, type OpenStore, settle, withBench } from "./channel-bench.ts";

const TTL_MS = 3_600_000;

async function registry({ base }: Bench, options: Partial<DiscoveryChannelOptions> = {}): Promise<DiscoveryChannel> {
  const channel = new DiscoveryChannel({
    id: "registry",
    name: "Service Registry",
    registrationTtlMs: TTL_MS,
    maintenanceIntervalMs: 86_400_000,
    ...base,
    ...options,
  });
  await channel.start();
  return channel;
}

export function discoverySuite(name: string, open: OpenStore): void {
  const test = (body: (bench: Bench) => Promise<void>): () => Promise<void> => withBench(open, body);

  describe(`DiscoveryChannel on ${name}`, () => {
    it(
      "channels and systems register and are found by visibility and capability",
      test(async (bench) => {
        const { base, clock } = bench;
        const channel = await registry(bench);
        const mine = new BroadcastChannel({ id: "my-channel-id", ...base, capabilities: ["telemetry"] });
        const hidden = new BroadcastChannel({ id: "hidden", ...base, visibility: "private" });
        await channel.registerChannel(mine.info);
        await channel.registerChannel(hidden.info);
        await channel.registerSystem({ id: "resizer", capabilities: ["process_image"], region: { name: "north" } });
        await channel.registerSystem({ id: "idle" });
        assert.deepEqual((await channel.findChannels({ visibility: "public" })).map(({ id }) => id), ["my-channel-id"]);
        assert.deepEqual((await channel.findChannels()).map(({ id }) => id), ["hidden", "my-channel-id"]);
        assert.deepEqual((await channel.findChannels({ capability: "telemetry" })).map(({ id }) => id), [
          "my-channel-id",
        ]);
        const systems = await channel.findSystems({ capability: "process_image" });
        assert.deepEqual(systems, [{
          id: "resizer",
          capabilities: ["process_image"],
          visibility: "public",
          region: { name: "north" },
          expiresAt: clock.now() + TTL_MS,
        }]);
        assert.deepEqual(await channel.getChannel("my-channel-id"), { ...mine.info, expiresAt: clock.now() + TTL_MS });
        assert.equal(await channel.getChannel("unknown"), undefined);
        assert.equal(await channel.getSystem("my-channel-id"), undefined, "a channel is no system");
        await channel.stop();
      }),
    );

    it(
      "a registration of the same id replaces the one before (S15)",
      test(async (bench) => {
        const channel = await registry(bench);
        await channel.registerSystem({ id: "s", capabilities: ["old"] });
        await channel.registerSystem({ id: "s", capabilities: ["new"] });
        assert.deepEqual((await channel.findSystems()).map(({ capabilities }) => capabilities), [["new"]]);
        assert.deepEqual((await channel.getSystem("s"))?.capabilities, ["new"]);
        await channel.stop();
      }),
    );

    it(
      "registrations end with their time to live, and not before; repeating one renews it",
      test(async (bench) => {
        const { clock } = bench;
        const channel = await registry(bench);
        await channel.registerSystem({ id: "once" });
        await channel.registerSystem({ id: "renewed" });
        await clock.advance(TTL_MS / 2);
        await channel.registerSystem({ id: "renewed" });
        await clock.advance(TTL_MS / 2 - 1);
        assert.ok(await channel.getSystem("once"));
        await clock.advance(1);
        assert.equal(await channel.getSystem("once"), undefined);
        assert.deepEqual((await channel.findSystems()).map(({ id }) => id), ["renewed"]);
        await channel.stop();
      }),
    );

    it(
      "deregister takes a registration back",
      test(async (bench) => {
        const channel = await registry(bench);
        await channel.registerSystem({ id: "s" });
        assert.equal(await channel.deregisterSystem("s"), true);
        assert.equal(await channel.deregisterSystem("s"), false);
        assert.equal(await channel.deregisterChannel("s"), false);
        assert.equal(await channel.getSystem("s"), undefined);
        await channel.stop();
      }),
    );

    it(
      "an announcement renews itself at a third of its time to live, until it is withdrawn",
      test(async (bench) => {
        const { clock, store } = bench;
        const counting = new FaultyStore(store);
        let writes = 0;
        counting.fault = (_method, operations) => {
          if (operations?.[0]?.type === "set-state") writes++;
          return undefined;
        };
        const channel = await registry(bench, { store: counting });
        const announcement = await channel.announceSystem({ id: "s", capabilities: ["x"] });
        for (let third = 1; third <= 9; third++) {
          await clock.advance(TTL_MS / 3);
          await settle();
          assert.equal(writes, 1 + third);
          assert.equal((await channel.getSystem("s"))?.expiresAt, clock.now() + TTL_MS);
        }
        await announcement.withdraw();
        await announcement.withdraw();
        assert.equal(await channel.getSystem("s"), undefined);
        await clock.advance(TTL_MS);
        await settle();
        assert.equal(writes, 10, "no timer is left behind");
        await channel.stop();
      }),
    );

    it(
      "a renewal that fails is reported and tried again",
      test(async (bench) => {
        const { clock, store, errors } = bench;
        const faulty = new FaultyStore(store);
        const channel = await registry(bench, { store: faulty });
        await channel.announceSystem({ id: "s" });
        faulty.fault = (method) => method === "commit" ? new StoreError("Cannot commit: gone") : undefined;
        await clock.advance(TTL_MS / 3);
        await settle();
        assert.equal(errors.length, 1);
        faulty.fault = () => undefined;
        await clock.advance(TTL_MS / 3);
        await settle();
        assert.equal((await channel.getSystem("s"))?.expiresAt, clock.now() + TTL_MS);
        await channel.stop();
      }),
    );

    it(
      "a signal and the end of the channel withdraw too",
      test(async (bench) => {
        const [channel, other] = [await registry(bench), await registry(bench)];
        const controller = new AbortController();
        await channel.announceSystem({ id: "by-signal" }, { signal: controller.signal });
        await channel.announceChannel(other.info);
        assert.equal((await other.findSystems()).length, 1);
        controller.abort();
        await eventually(async () => (await other.getSystem("by-signal")) === undefined);
        await channel.stop();
        assert.equal(await other.getChannel("registry"), undefined);
        await assert.rejects(other.announceSystem({ id: "late" }, { signal: AbortSignal.abort() }));
        assert.equal(await other.getSystem("late"), undefined);
        const during = new AbortController();
        const announced = other.announceSystem({ id: "during" }, { signal: during.signal });
        during.abort();
        await announced;
        await eventually(async () => (await other.getSystem("during")) === undefined);
        await other.stop();
      }),
    );

    it(
      "of two owners of an id, the one that ends does not take the other's registration with it (G40)",
      test(async (bench) => {
        const { clock } = bench;
        const [before, after] = [await registry(bench), await registry(bench)];
        await before.announceSystem({ id: "svc", version: 1 });
        await clock.advance(TTL_MS / 6);
        await after.announceSystem({ id: "svc", version: 2 });
        for (let step = 0; step < 12; step++) {
          await clock.advance(TTL_MS / 6);
          await settle();
          assert.equal((await after.getSystem("svc"))?.["version"], 2, "the later one stands");
        }
        await before.stop();
        assert.equal((await after.getSystem("svc"))?.["version"], 2);
        await after.stop();
      }),
    );

    it(
      "registering an announced id again changes what is kept alive; taking it back by hand ends it",
      test(async (bench) => {
        const { clock } = bench;
        const channel = await registry(bench);
        const first = await channel.announceSystem({ id: "s", load: 1 });
        await channel.registerSystem({ id: "s", load: 2 });
        await clock.advance(2 * TTL_MS);
        assert.equal((await channel.getSystem("s"))?.["load"], 2);
        const second = await channel.announceSystem({ id: "s", load: 3 });
        await first.withdraw();
        await clock.advance(2 * TTL_MS);
        assert.equal((await channel.getSystem("s"))?.["load"], 3, "the first gave way to the second");
        assert.equal(await channel.deregisterSystem("s"), true);
        await clock.advance(TTL_MS);
        await settle();
        assert.equal(await channel.getSystem("s"), undefined);
        await second.withdraw();
        await channel.stop();
      }),
    );

    it(
      "a registration that ran out while nothing ran is put back",
      test(async (bench) => {
        const { clock, store } = bench;
        const faulty = new FaultyStore(store);
        const channel = await registry(bench, { store: faulty });
        await channel.announceSystem({ id: "s" });
        faulty.fault = (method) => method === "commit" ? new StoreError("Cannot commit: asleep") : undefined;
        await clock.advance(TTL_MS + 1_000);
        await settle();
        assert.equal(await channel.getSystem("s"), undefined);
        faulty.fault = () => undefined;
        await clock.advance(TTL_MS / 3);
        await eventually(async () => (await channel.getSystem("s")) !== undefined);
        await channel.stop();
      }),
    );

    it(
      "the log tells who came and who went, and renewals make no noise",
      test(async (bench) => {
        const { clock } = bench;
        const channel = await registry(bench);
        const announcement = await channel.announceSystem({ id: "s" });
        await clock.advance(TTL_MS);
        await channel.registerSystem({ id: "s" });
        await announcement.withdraw();
        assert.deepEqual(contents(await channel.read("r")), [
          { type: "registered", kind: "system", id: "s" },
          { type: "deregistered", kind: "system", id: "s" },
        ]);
        await channel.stop();
      }),
    );

    it(
      "finds more than fits a page, and no more than asked for",
      test(async (bench) => {
        const channel = await registry(bench);
        for (let index = 0; index < 1_203; index++) {
          await channel.registerSystem({
            id: `s${String(index).padStart(4, "0")}`,
            capabilities: index % 2 === 0 ? ["even"] : [],
          });
        }
        assert.equal((await channel.findSystems({ limit: 10_000 })).length, 1_203);
        assert.equal((await channel.findSystems()).length, 1_000);
        assert.equal((await channel.findSystems({ capability: "even", limit: 601 })).at(-1)?.id, "s1200");
        await channel.stop();
      }),
    );

    it(
      "ids that look like parts of keys find only themselves",
      test(async (bench) => {
        const channel = await registry(bench);
        const other = await registry(bench, { id: "registry2" });
        for (const id of ["a/b", "a", "system/a", "ä"]) await channel.registerSystem({ id });
        await other.registerSystem({ id: "elsewhere" });
        assert.deepEqual(
          (await channel.findSystems()).map(({ id }) => id).toSorted(),
          ["a", "a/b", "system/a", "ä"].toSorted(),
        );
        assert.deepEqual((await other.findSystems()).map(({ id }) => id), ["elsewhere"]);
        await channel.stop();
        await assert.rejects(channel.getSystem("a"), NotRunningError);
        await other.stop();
      }),
    );

    it(
      "read() exclusively is a TypeError, and wrong input is named",
      test(async (bench) => {
        const channel = await registry(bench);
        await assert.rejects(async () => await channel.read("w", { exclusive: true }), TypeError);
        const cases: readonly (readonly [string, unknown])[] = [
          ["system", null],
          ["system", "resizer"],
          ["system.id", {}],
          ["system.id", { id: "a b" }],
          ["system.visibility", { id: "a", visibility: "secret" }],
          ["system.capabilities", { id: "a", capabilities: "x" }],
          ["system.capabilities[1]", { id: "a", capabilities: ["x", 7] }],
          ["system.f", { id: "a", f: () => 1 }],
        ];
        for (const [argument, value] of cases) {
          // @ts-expect-error what a program without types can do
          const descriptor: SystemDescriptor = value;
          for (const call of ["registerSystem", "announceSystem"] as const) {
            await assert.rejects(async () => void await channel[call](descriptor), (error) => {
              assert.ok(error instanceof ValidationError);
              assert.equal(error.argument, argument);
              return true;
            });
          }
        }
        // @ts-expect-error what a program without types can do
        await assert.rejects(channel.findSystems({ visibility: "all" }), { argument: "visibility" });
        await assert.rejects(channel.findSystems({ limit: 0 }), { argument: "limit" });
        await assert.rejects(channel.findSystems({ capability: "" }), { argument: "capability" });
        await assert.rejects(channel.getSystem(""), { argument: "id" });
        assert.deepEqual(await channel.findSystems(), []);
        assert.throws(() => new DiscoveryChannel({ id: "x", registrationTtlMs: Infinity }), {
          argument: "registrationTtlMs",
        });
        await channel.stop();
      }),
    );
  });
}
