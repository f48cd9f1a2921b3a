// People whose ids change, or who hide their number, go on in the conversation they began: state, lane and answers.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { WhatsAppStandIn } from "../../../adapters/emulator/whatsapp-stand-in.ts";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { type RunningServer, serve } from "../../../adapters/serve/mod.ts";
import { WhatsAppCommunicator } from "../../../adapters/whatsapp/mod.ts";
import { PeopleBook } from "../../../adapters/whatsapp/people-book.ts";
import { Application, MemoryStore } from "../../../core/mod.ts";
import { payloadOf, WHEN } from "./fixtures.ts";

const ADA = "US.1349120865530274";
const ADA_LATER = "US.2000000000000000";
const PHONE = "16505551234";

interface Program {
  readonly app: Application;
  readonly server: RunningServer;
}

describe("WhatsAppCommunicator, when ids change", () => {
  let meta: WhatsAppStandIn;
  let store: MemoryStore;
  let program: Program;
  let count = 0;

  beforeEach(async () => {
    meta = new WhatsAppStandIn();
    await meta.start();
    store = new MemoryStore();
    program = await start();
  });

  afterEach(async () => {
    await stop();
    await store.close();
    await meta.stop();
  });

  /** A program that counts what each conversation says. */
  async function start(): Promise<Program> {
    const communicator = new WhatsAppCommunicator("wa", {
      token: meta.token,
      phoneNumberId: meta.phoneNumberId,
      apiRoot: meta.origin,
      appSecret: meta.appSecret,
      store,
    });
    const app = await Application.create({}, { store, communicators: [{ communicator }] });
    app.messenger.route(async (context) => {
      const { message, state } = context;
      const said = Number(await state.get() ?? 0) + 1;
      state.set(said);
      if (message.kind === "text") context.reply(`${message.conversation} ${said}`);
    });
    return { app, server: await serve(createHttpApp(app), { port: 0 }) };
  }

  async function stop(): Promise<void> {
    await program.server.stop();
    await program.app.stop();
  }

  async function push(value: object, field?: string): Promise<void> {
    const payload = payloadOf({ metadata: { phone_number_id: meta.phoneNumberId }, ...value }, field);
    assert.equal(await meta.push(`${program.server.url}/webhooks/wa`, payload), 200);
  }

  async function say(from: object): Promise<void> {
    await push({
      messages: [{ ...from, id: `wamid.${++count}`, timestamp: WHEN, type: "text", text: { body: "hi" } }],
    });
  }

  /** What was answered, and where it went. */
  async function answers(expected: number): Promise<readonly (readonly [to: string, text: string])[]> {
    const until = Date.now() + 10_000;
    while (meta.taken.length < expected && Date.now() < until) await new Promise((done) => setTimeout(done, 5));
    return meta.taken.map(({ payload }) => {
      const { to, recipient, text } = payload;
      const body = typeof text === "object" && text !== null && "body" in text ? text.body : undefined;
      return [String(to ?? recipient), String(body)] as const;
    });
  }

  it("goes on under a new user id, and answers to it, also after a restart", async () => {
    await say({ from_user_id: ADA });
    await answers(1);
    const update = { user_id: { previous: ADA, current: ADA_LATER }, timestamp: WHEN };
    await push({ user_id_update: [update] }, "user_id_update");
    await stop();
    program = await start();
    await say({ from_user_id: ADA_LATER });
    await push({ user_id_update: [update] }, "user_id_update"); // told twice
    await program.app.messenger.sendMsg("by the old name", `wa:${ADA}`);
    const seen = await answers(3);
    assert.deepEqual(seen.filter(([, text]) => text !== "by the old name"), [
      [ADA, `${ADA} 1`],
      [ADA_LATER, `${ADA} 3`], // the second was the news of the new id
    ]);
    assert.ok(seen.some(([to, text]) => to === ADA_LATER && text === "by the old name"));
  });

  it("goes on when a number that was known is hidden, and when a hidden one is shown", async () => {
    await say({ from: PHONE, from_user_id: ADA });
    await answers(1);
    await say({ from_user_id: ADA });
    await answers(2);
    await say({ from_user_id: "DE.1" });
    await answers(3);
    await say({ from: "491701234567", from_user_id: "DE.1" });
    assert.deepEqual(await answers(4), [
      [PHONE, `${PHONE} 1`],
      [PHONE, `${PHONE} 2`],
      ["DE.1", "DE.1 1"],
      ["DE.1", "DE.1 2"],
    ]);
  });

  it("goes on when somebody changes their number, and gives neither state nor answers to who has it next", async () => {
    await say({ from: PHONE, from_user_id: ADA });
    await answers(1);
    // As Meta tells it: nobody is named but in its words, whose end counts.
    await push({
      messages: [{
        id: "wamid.system",
        timestamp: WHEN,
        type: "system",
        system: {
          type: "user_changed_user_id",
          user_id: ADA_LATER,
          body: `User Eve changed from US.666 to ${ADA_LATER} changed from ${ADA} to ${ADA_LATER}`,
        },
      }],
    });
    await say({ from: "16505550000", from_user_id: ADA_LATER });
    await answers(2);
    await say({ from: PHONE, from_user_id: "US.3" });
    await answers(3);
    await program.app.messenger.sendMsg("to whoever has the number", `wa:+${PHONE}`);
    assert.deepEqual(await answers(4), [
      [PHONE, `${PHONE} 1`],
      [ADA_LATER, `${PHONE} 3`],
      ["US.3", "US.3 1"],
      [PHONE, "to whoever has the number"],
    ]);
  });

  it("takes a number for somebody else's when another user writes from it, though nobody said why", async () => {
    await say({ from: PHONE, from_user_id: ADA });
    await answers(1);
    await say({ from: PHONE, from_user_id: "US.3" });
    assert.deepEqual(await answers(2), [[PHONE, `${PHONE} 1`], ["US.3", "US.3 1"]]);
  });
});

describe("PeopleBook", () => {
  it("follows ids through any order of changes, and comes to an end", async () => {
    for (const store of [undefined, new MemoryStore()]) {
      const book = new PeopleBook({ prefix: "people/", store });
      assert.equal(await book.conversationOf("US.1", undefined), "US.1");
      assert.equal(await book.rename("US.1", "US.2", 1), "US.1");
      assert.equal(await book.rename("US.2", "US.3", 2), "US.1");
      assert.equal(await book.rename("US.1", "US.2", 1), "US.1", "told again, late");
      assert.equal(await book.conversationOf("US.3", "491700000"), "US.1");
      for (const id of ["US.1", "US.2", "US.3"]) assert.equal(await book.addressOf(id), "US.3", id);
      assert.equal(await book.rename("US.3", "US.1", 3), "US.1", "back to the first");
      assert.equal(await book.rename("US.1", "US.2", 1), "US.1", "told again, later still");
      for (const id of ["US.1", "US.2", "US.3"]) assert.equal(await book.addressOf(id), "US.1", id);
      assert.equal(await book.conversationOf("US.1", undefined), "US.1");
      assert.equal(await book.addressOf("group:a"), "group:a");
      // News that comes after the first message under the new id: what is said from then on goes on with the old.
      assert.equal(await book.conversationOf("DE.1", "49170000001"), "49170000001");
      assert.equal(await book.conversationOf("DE.2", "49170000002"), "49170000002");
      assert.equal(await book.rename("DE.1", "DE.2", 4), "49170000001");
      assert.equal(await book.conversationOf("DE.2", "49170000002"), "49170000001");
      assert.equal(await book.addressOf("49170000001"), "DE.2");
      assert.equal(await book.addressOf("49170000002"), "49170000002");
      await store?.close();
    }
  });

  it("gives one conversation to a person whom several processes meet at once", async () => {
    const store = new MemoryStore();
    const books = Array.from({ length: 8 }, () => new PeopleBook({ prefix: "people/", store }));
    const found = await Promise.all(
      books.map((book, index) => book.conversationOf("US.1", index % 2 === 0 ? PHONE : undefined)),
    );
    assert.equal(new Set(found).size, 1);
    await store.close();
  });
});
