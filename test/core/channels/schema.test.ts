import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import * as v from "valibot";
import {
  BroadcastChannel,
  ManualClock,
  PeriodicChannel,
  SchemaError,
  type StandardSchemaV1,
  WorkQueueChannel,
} from "../../../core/mod.ts";
import { advanceUntil } from "./channel-bench.ts";

const Job = v.object({
  task: v.picklist(["resize", "crop"]),
  file: v.pipe(v.string(), v.trim(), v.minLength(1)),
  size: v.optional(v.number()),
});

/** A schema by hand: even numbers, and not at once. */
const even: StandardSchemaV1<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "hand-made",
    validate: async (value) => {
      await Promise.resolve();
      if (typeof value === "number" && value % 2 === 0) return { value };
      return { issues: [{ message: "not even", path: [{ key: "number" }, 0] }] };
    },
  },
};

describe("A channel with a schema", () => {
  it("write() refuses what does not fit valibot's, names every issue, and stores nothing", async () => {
    const queue = new WorkQueueChannel({ id: "jobs", schema: Job });
    await queue.start();
    await assert.rejects(
      // @ts-expect-error the types say so too
      queue.write("s", { task: "delete", file: " " }),
      (error) => {
        assert.ok(error instanceof SchemaError);
        assert.equal(error.code, "schema");
        assert.deepEqual(error.issues.map(({ path }) => path), ["task", "file"]);
        assert.match(error.message, /^Cannot accept content of channel "jobs": task: .+; file: /);
        return true;
      },
    );
    assert.equal((await queue.stats()).stored, 0);
    await queue.stop();
  });

  it("what is stored and read is the schema's output", async () => {
    const queue = new WorkQueueChannel({ id: "jobs", schema: Job });
    await queue.start();
    await queue.write("s", { task: "resize", file: "  a.png " });
    const [job] = await queue.read("w", { exclusive: true });
    assert.deepEqual(job?.content, { task: "resize", file: "a.png" });
    await queue.stop();
  });

  it("write() with direct is checked too", async () => {
    const channel = new BroadcastChannel({ id: "even", schema: even });
    await channel.start();
    const message = { id: "x", timestamp: 1, senderId: "s", content: 3, metadata: {} };
    await assert.rejects(channel.write("s", message, { direct: true }), SchemaError);
    await channel.write("s", { ...message, content: 4 }, { direct: true });
    assert.equal((await channel.get("x"))?.content, 4);
    await channel.stop();
  });

  it("write() takes a schema made by hand that answers later", async () => {
    const channel = new BroadcastChannel({ id: "even", schema: even });
    await channel.start();
    await assert.rejects(channel.write("s", 1), (error) => {
      assert.ok(error instanceof SchemaError);
      assert.deepEqual(error.issues, [{ path: "number.0", message: "not even" }]);
      return true;
    });
    await channel.write("s", 2);
    const [message] = await channel.read("r");
    assert.equal(message?.content, 2);
    await channel.stop();
  });

  it("a raw item that does not fit goes into quarantine at once", async () => {
    const clock = new ManualClock();
    class Numbers extends PeriodicChannel<number> {
      readonly errors: unknown[] = [];
      protected override pullFn(): Promise<void> {
        return Promise.resolve();
      }
      protected override onError(error: unknown): void {
        this.errors.push(error);
      }
    }
    const channel = new Numbers({ id: "even", schema: even, clock });
    await channel.start();
    await channel.write("s", 1);
    await channel.write("s", 2);
    await advanceUntil(clock, 1, () => channel.errors.length === 1);
    await channel.drain();
    assert.deepEqual((await channel.quarantine.list()).map(({ content }) => content), [{ data: 1, options: {} }]);
    assert.equal((await channel.stats()).stored, 1);
    await channel.stop();
  });
});
