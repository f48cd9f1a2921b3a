import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Communicator,
  ManualClock,
  MemoryStore,
  type OperationResult,
  type Receipt,
  StoreError,
  type WebhookReceiver,
} from "../../../core/mod.ts";
import { type HttpBench, problemIn, setUpHttp, TOKEN } from "./http-bench.ts";
import { SignedNetwork, signedRequest, type WireItem } from "./signed-network.ts";
import { Chance, toRequest } from "./webhook-fuzzer.ts";

const ORIGIN = "http://127.0.0.1:8787";
const SECRET = "the secret of the wire";

async function post(bench: HttpBench, items: readonly WireItem[] | string, secret = SECRET): Promise<Response> {
  const request = toRequest(await signedRequest("wire", secret, items), ORIGIN);
  return await bench.app.fetch(request ?? assert.fail("no request"));
}

function said(id: string, text = "Hello"): WireItem {
  return { id, from: "anna", text };
}

function setUp(options: { readonly store?: MemoryStore; readonly maxBodyBytes?: number } = {}): Promise<HttpBench> {
  const { store, ...rest } = options;
  return setUpHttp({
    emulator: true,
    communicators: [new SignedNetwork("wire", SECRET, { proves: true, ...rest })],
    ...(store === undefined ? {} : { store }),
  });
}

/** A store that can be told to fail. */
class BreakableStore extends MemoryStore {
  isBroken = false;

  override commit(
    ...args: Parameters<MemoryStore["commit"]>
  ): Promise<{ readonly committed: boolean; readonly results: readonly OperationResult[] }> {
    if (this.isBroken) return Promise.reject(new StoreError("Cannot commit: the disk at /secret/place is full"));
    return super.commit(...args);
  }
}

describe("POST /webhooks/:backend", () => {
  it("answers 200 once everything of a batch is committed", async () => {
    const bench = await setUp();
    for (const size of [1, 2, 10, 1_000]) {
      const items = Array.from({ length: size }, (_, index) => said(`${size}-${index}`));
      const before = (await bench.inbox()).length;
      const answer = await post(bench, items);
      assert.equal(answer.status, 200);
      assert.equal(await answer.text(), "");
      assert.equal((await bench.inbox()).length, before + size);
    }
  });

  it("takes a body to the last escape and script as it was signed", async () => {
    const bench = await setUp();
    const bodies = [
      '[{"id":"1","from":"anna","text":"\\u00e4\\/\\u003C\\u0025\\u0040"}]',
      '[{"id":"2","from":"anna","text":"مرحبا 😀 👨‍👩‍👧 \\ud83d\\ude00"}]',
      '  [ { "id" : "3" , "from" : "anna" , "text" : "" } ]\r\n',
      "[]",
    ];
    for (const body of bodies) assert.equal((await post(bench, body)).status, 200, body);
    assert.equal((await bench.inbox()).length, 3);
  });

  it("takes a repeat of a message for the same message", async () => {
    const bench = await setUp();
    for (let count = 0; count < 5; count++) {
      assert.equal((await post(bench, [said("same"), said("other")])).status, 200);
    }
    await Promise.all(Array.from({ length: 20 }, () => post(bench, [said("same")])));
    assert.equal((await bench.inbox()).length, 2);
  });

  it("refuses what is not authentic before anything is parsed or kept (L12)", async () => {
    const bench = await setUp();
    const before = await bench.snapshot();
    for (const secret of ["another secret", "THE SECRET OF THE WIRE"]) {
      const answer = await post(bench, [said("1")], secret);
      assert.equal(answer.status, 401);
      assert.equal((await problemIn(answer)).code, "unauthorized");
    }
    const bare = await bench.app.request(`${ORIGIN}/webhooks/wire`, { method: "POST", body: "[]" });
    assert.equal(bare.status, 401);
    assert.deepEqual(await bench.snapshot(), before);
  });

  it("keeps what is authentic but odd in quarantine, once, and answers 200 (L15)", async () => {
    const bench = await setUp();
    const odd = [7, { kind: "new" }, null, ["x"], "text", { id: "no text" }];
    for (let count = 0; count < 3; count++) {
      assert.equal((await post(bench, [...odd, said("1")])).status, 200);
    }
    assert.deepEqual(await bench.quarantined(), odd);
    assert.equal((await bench.inbox()).length, 1);
  });

  it("keeps a body that its receiver cannot read at all in quarantine", async () => {
    const bench = await setUp();
    for (const body of ["{", "", "null", "\u0000", '{"not":"a list"}']) {
      assert.equal((await post(bench, body)).status, 200, body);
    }
    assert.equal((await bench.quarantined()).length, 5);
    assert.equal((await bench.inbox()).length, 0);
    assert.equal(bench.complaints.length, 5);
  });

  it("keeps a message that can never be taken in aside, and takes in the others of its batch", async () => {
    const bench = await setUp();
    const tooLong = { id: "x".repeat(400), from: "anna", text: "y" };
    assert.equal((await post(bench, [said("1"), tooLong, said("2")])).status, 200);
    assert.equal((await bench.inbox()).length, 2);
    assert.equal((await bench.quarantined()).length, 1);
  });

  it("answers 503 with Retry-After while the store is down, keeps nothing, and takes the repeat", async () => {
    const store = new BreakableStore({ clock: new ManualClock() });
    const bench = await setUp({ store });
    const before = await bench.snapshot();
    store.isBroken = true;
    for (const items of [[said("1")], [7], [said("1"), 7, { sent: "p" }], [{ sent: "p" }]]) {
      const answer = await post(bench, items);
      assert.equal(answer.status, 503);
      assert.ok(Number(answer.headers.get("retry-after")) > 0);
      const problem = await problemIn(answer);
      assert.equal(problem.code, "store");
      assert.ok(!JSON.stringify(problem).includes("secret"));
    }
    assert.deepEqual(await bench.snapshot(), before);
    store.isBroken = false;
    assert.equal((await post(bench, [said("1")])).status, 200);
    assert.equal((await bench.inbox()).length, 1);
  });

  it("hands on what the provider says of sent messages", async () => {
    const bench = await setUp();
    assert.equal((await post(bench, [{ sent: "unknown to us" }])).status, 200);
    // Nobody knows the message: it is not dropped in silence.
    assert.equal((await bench.quarantined()).length, 1);
  });

  it("answers 413 to a body over the receiver's limit, also where its length is not said", async () => {
    const bench = await setUp({ maxBodyBytes: 1_000 });
    const before = await bench.snapshot();
    const { headers, body } = await signedRequest("wire", SECRET, [said("1", "x".repeat(2_000))]);
    const init = new Headers(headers.map(([name, value]): [string, string] => [name, value]));
    const plain = await bench.app.request(`${ORIGIN}/webhooks/wire`, {
      method: "POST",
      headers: init,
      body: Uint8Array.from(body),
    });
    assert.equal(plain.status, 413);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 100;
        controller.enqueue(new Uint8Array(100));
      },
    });
    const chunked = await bench.app.fetch(
      new Request(`${ORIGIN}/webhooks/wire`, { method: "POST", headers: init, body: endless, ...{ duplex: "half" } }),
    );
    assert.equal(chunked.status, 413);
    const problem = await problemIn(chunked);
    assert.equal(problem.code, "too-large");
    assert.ok(sent < 3_000, `${sent} bytes were read`);
    assert.deepEqual(await bench.snapshot(), before);
  });

  it("answers 408 when the body does not come", async () => {
    const bench = await setUp();
    const stuck = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(10));
      },
    });
    const answering = bench.app.fetch(
      new Request(`${ORIGIN}/webhooks/wire`, { method: "POST", body: stuck, ...{ duplex: "half" } }),
    );
    await bench.clock.advance(30_000);
    const answer = await answering;
    assert.equal(answer.status, 408);
    assert.equal((await problemIn(answer)).code, "timeout");
  });

  it("takes a receiver that throws while verifying for one that refuses", async () => {
    class Fragile extends Communicator {
      override readonly webhook: WebhookReceiver = {
        maxBodyBytes: 100,
        verify: () => Promise.reject(new Error("secret")),
        parse: () => assert.fail("parsed without verification"),
      };
      override send(): Promise<Receipt> {
        return Promise.resolve({ outcome: "accepted" });
      }
    }
    const bench = await setUpHttp({ communicators: [new Fragile("fragile")] });
    const answer = await bench.app.request(`${ORIGIN}/webhooks/fragile`, { method: "POST", body: "x" });
    assert.equal(answer.status, 401);
    assert.equal(bench.complaints.length, 1);
  });

  it("is not there for backends without a receiver, and for names that are none", async () => {
    const bench = await setUpHttp({});
    for (const name of ["emulator", "nobody", "constructor", "__proto__", "%2e%2e", "a%00b", "wire/x"]) {
      for (const method of ["GET", "POST"]) {
        const answer = await bench.app.request(`${ORIGIN}/webhooks/${name}`, { method });
        assert.equal(answer.status, 404, name);
        await problemIn(answer);
      }
    }
  });

  it("is not moved by middleware of others that reads the body too", async () => {
    const bench = await setUp();
    const { Hono } = await import("hono");
    const outer = new Hono();
    outer.route("/", bench.app);
    const request = toRequest(await signedRequest("wire", SECRET, [said("1")]), ORIGIN);
    assert.equal((await outer.fetch(request ?? assert.fail("no request"))).status, 200);
    assert.equal((await bench.inbox()).length, 1);
  });
});

describe("GET /webhooks/:backend", () => {
  it("lets the provider prove the address, where it does so, and is 405 elsewhere", async () => {
    const bench = await setUpHttp({
      communicators: [new SignedNetwork("wire", SECRET, { proves: true }), new SignedNetwork("plain", SECRET)],
    });
    const proven = await bench.app.request(`${ORIGIN}/webhooks/wire?challenge=1234`);
    assert.equal(proven.status, 200);
    assert.equal(await proven.text(), "1234");
    const other = await bench.app.request(`${ORIGIN}/webhooks/plain?challenge=1234`);
    assert.equal(other.status, 405);
    assert.equal(other.headers.get("allow"), "POST");
    await problemIn(other);
  });
});

const FUZZED = 10_000;

describe("10,000 webhook requests of the emulator", () => {
  it("whose body is odd are each taken whole or refused with a reason, and never break the emulator", async () => {
    const bench = await setUp();
    bench.application.messenger.route(() => {}); // nothing pumps it: what comes in stays
    await bench.emulator.openConversation("anna");
    const chance = new Chance(3);
    const taken = new Set<string>();
    for (let count = 0; count < FUZZED; count++) {
      const body = oddBody(chance, count);
      const answer = await bench.app.request(`${ORIGIN}/webhooks/emulator`, {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}` },
        body,
      });
      if (answer.status === 200) {
        taken.add((await answer.json()).id);
        continue;
      }
      assert.ok([400, 404, 413].includes(answer.status), `${answer.status} ${body}`);
      const { code, title } = await problemIn(answer);
      assert.match(code, /^[a-z-]+$/);
      assert.ok(title.length > 5);
    }
    assert.ok(taken.size > 1_000 && taken.size < FUZZED / 2, `${taken.size} were taken`);
    assert.equal((await bench.inbox()).length, taken.size);
    assert.deepEqual(bench.complaints, []);
  });
});

/** A body that is an emulator's message more or less. */
function oddBody(chance: Chance, count: number): string {
  const odd: readonly unknown[] = [
    undefined,
    null,
    7,
    -0,
    1e308,
    true,
    "",
    " ",
    "\u0000",
    "\ud800",
    [],
    ["anna"],
    {},
    { toString: 1 },
    "__proto__",
    "constructor",
    "x".repeat(chance.below(12_000)),
    "_stop",
    "<script>",
  ];
  const fields: Record<string, unknown> = {
    conversation: chance.below(4) === 0 ? chance.pick(odd) : "anna",
    text: chance.below(3) === 0 ? chance.pick(odd) : `text ${count}`,
  };
  if (chance.below(3) === 0) fields["id"] = chance.below(2) === 0 ? chance.pick(odd) : `id-${count}`;
  if (chance.below(6) === 0) fields[JSON.stringify(chance.pick(odd)) ?? "undefined"] = chance.pick(odd);
  let text = JSON.stringify(fields);
  if (chance.below(4) === 0) {
    const at = chance.below(text.length);
    text = text.slice(0, at) + String.fromCharCode(chance.below(0x250)) + text.slice(at + chance.below(3));
  }
  return text;
}
