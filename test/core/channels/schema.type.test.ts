// Types that flow from a schema to what is written and read. `deno check` is the test; running it does nothing more.
import { describe, it } from "bun:test";
import * as v from "valibot";
import {
  BroadcastChannel,
  type ClaimedMessage,
  type JsonValue,
  MailboxChannel,
  type StandardSchemaV1,
  type StoredMessage,
  WorkQueueChannel,
} from "../../../core/mod.ts";

/** Fails to compile unless both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
function assertSame<A, B>(_same: Same<A, B>): void {}

const Job = v.object({ file: v.string(), size: v.optional(v.number()) });
type Job = v.InferOutput<typeof Job>;

const even: StandardSchemaV1<unknown, number> = {
  "~standard": { version: 1, vendor: "hand-made", validate: (value) => ({ value: Number(value) }) },
};

describe("The types of a channel", () => {
  it("come from its schema: valibot's", () => {
    const queue = new WorkQueueChannel({ id: "jobs", schema: Job });
    assertSame<typeof queue, WorkQueueChannel<Job>>(true);
    const read = () => queue.read("w", { exclusive: true });
    assertSame<Awaited<ReturnType<typeof read>>, readonly ClaimedMessage<Job>[]>(true);
    const write = () => queue.write("s", { file: "a" });
    // @ts-expect-error no such file
    const wrong = () => queue.write("s", { file: 7 });
    const consume = () => queue.consume("w", (message) => assertSame<typeof message.content.file, string>(true));
    void [write, wrong, consume];
  });

  it("come from its schema: one made by hand", () => {
    const channel = new BroadcastChannel({ id: "even", schema: even });
    const read = () => channel.read("r");
    assertSame<Awaited<ReturnType<typeof read>>, readonly StoredMessage<number>[]>(true);
    const stream = () => channel.stream("r");
    assertSame<ReturnType<typeof stream>, ReadableStream<StoredMessage<number>>>(true);
    const subscribe = () => channel.subscribe("s", (message) => assertSame<typeof message.content, number>(true));
    void subscribe;
  });

  it("are any JSON value without one, or what is said", () => {
    const untyped = new BroadcastChannel({ id: "any" });
    assertSame<typeof untyped, BroadcastChannel<JsonValue>>(true);
    const typed = new MailboxChannel<{ readonly text: string }>({ id: "mail" });
    const read = () => typed.read("me");
    assertSame<Awaited<ReturnType<typeof read>>[number]["content"], { readonly text: string }>(true);
    const letters = () => new WorkQueueChannel({ id: "jobs", schema: Job }).deadLetters();
    assertSame<Awaited<ReturnType<typeof letters>>[number]["content"], Job>(true);
  });
});
