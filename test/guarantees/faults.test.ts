// Faults of the systems before this one that no other test would notice if they came back.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "bun:test";
import { TelegramStandIn } from "../../adapters/emulator/telegram-stand-in.ts";
import { SmtpStandIn } from "../../adapters/emulator/smtp-stand-in.ts";
import { email } from "../../adapters/smtp/mod.ts";
import { telegram } from "../../adapters/telegram/mod.ts";
import {
  Application,
  CommunicationDispatcher,
  emitMessage,
  getDispatcher,
  Message,
  NotRunningError,
  recvMsg,
  sendMsg,
  ValidationError,
} from "../../core/mod.ts";
import { said, ScriptedCommunicator } from "../support/scripted-communicator.ts";

describe("faults of backends that do not come back", () => {
  it("a backend that is taken out while a message goes round leaves the others theirs (P2)", async () => {
    const dispatcher = new CommunicationDispatcher();
    const names = ["a", "b", "c", "d"];
    const backends = names.map((name) => new ScriptedCommunicator(name));
    const [first = assert.fail()] = backends;
    first.script.push(async () => {
      await dispatcher.unregister("b");
      dispatcher.register(new ScriptedCommunicator("late"));
      return { outcome: "accepted" };
    });
    for (const backend of backends) dispatcher.register(backend);
    await dispatcher.startAll();
    const report = await dispatcher.emit({ message: "x" });
    assert.deepEqual(report.deliveries.map(({ backendName, status }) => `${backendName} ${status}`), [
      "a accepted",
      "b rejected", // it was stopped by then, and the report says so
      "c accepted",
      "d accepted",
    ]);
    assert.deepEqual(backends.map(({ texts }) => texts), [["x"], [], ["x"], ["x"]]);
    await dispatcher.stopAll();
  });

  it("a network that is away for a while gets every message once it is back, in order (P8)", async () => {
    const before = await TelegramStandIn.start();
    const port = Number(new URL(before.url).port);
    const { token } = before.api;
    await before.stop();
    const app = await telegramAt(before.url, token);
    const reports = [];
    for (const text of ["1", "2", "3"]) reports.push(await app.emit({ message: text, label: "chat" }));
    const [first = assert.fail()] = reports;
    while ((await app.ledger.eventsOf(first.messageId)).every(({ status }) => status !== "rejected")) await tick();
    const after = await TelegramStandIn.start({ port, token });
    for (const report of reports) assert.equal((await report.settled())[0]?.status, "accepted");
    assert.deepEqual(after.api.messages.map(({ text }) => text), ["1", "2", "3"]);
    await app.stop();
    await after.stop();
  });

  it("a wrong message is tried once, a flood is waited out, and neither holds up another chat (P9)", async () => {
    const server = await TelegramStandIn.start();
    const app = await telegramAt(server.url, server.api.token);
    server.api.inject({ kind: "error", code: 400, chatId: "1" });
    const wrong = await app.emit({ message: "wrong", label: "chat", recipients: ["1"] });
    assert.deepEqual((await wrong.settled()).map(({ status }) => status), ["dead"]);
    const tries = (await app.ledger.eventsOf(wrong.messageId)).filter(({ status }) => status === "attempting");
    assert.equal(tries.length, 1);
    server.api.inject({ kind: "rate-limit", retryAfter: 1, chatId: "2", times: 6 });
    const flooded = await app.emit({ message: "flooded", label: "chat", recipients: ["2"] });
    while ((await app.ledger.eventsOf(flooded.messageId)).every(({ status }) => status !== "rejected")) await tick();
    const other = await app.emit({ message: "other", label: "chat", recipients: ["3"] });
    assert.equal((await other.settled())[0]?.status, "accepted");
    assert.ok((await app.ledger.eventsOf(flooded.messageId)).every(({ status }) => status !== "accepted"));
    // Six waits are more than the five attempts there are: a wait that is asked for costs none.
    assert.equal((await flooded.settled())[0]?.status, "accepted");
    assert.deepEqual(server.api.messages.map(({ text }) => text), ["other", "flooded"]);
    await app.stop();
    await server.stop();
  }, 30_000);

  it("no secret is compared by a comparison that stops at the first difference (G20)", () => {
    const name = String.raw`[\w.#?]*(?:secret|token|signature|password|digest|hmac)\b(?:\(\))?`;
    const compared = new RegExp(String.raw`${name} *[!=]==? |[!=]==? *${name}`, "i");
    // Whether there is one at all, and the tokens of leases, which nobody outside of the process has.
    const harmless = /[!=]== *(?:undefined|null|""|true|false)|typeof |lease\.token/i;
    const found: string[] = [];
    for (const { path, text } of sources("core", "adapters")) {
      if (/^adapters\/(?:emulator\/.*stand-in|testing\/)/.test(path)) continue;
      for (const line of text.split("\n")) {
        if (compared.test(line) && !harmless.test(line) && !/^\s*(?:\/?\*|\/\/)/.test(line)) {
          found.push(`${path}: ${line}`);
        }
      }
    }
    assert.deepEqual(found, []);
    assert.ok(compared.test("if (given === secret)") && compared.test("signature !== wanted"));
  });

  it("no backend writes a file: there is no session to lie about with open permissions (P15)", () => {
    const folders = [
      "core",
      "adapters/telegram",
      "adapters/smtp",
      "adapters/whatsapp",
      "adapters/webhook",
      "adapters/net",
    ];
    let looked = 0;
    for (const { path, text } of sources(...folders)) {
      looked++;
      assert.doesNotMatch(text, /["'](?:node:)?fs(?:\/promises)?["']/, path);
    }
    assert.ok(looked > 150, String(looked));
  });

  it("one recipient written as a text is one recipient, and no list of its letters (P17)", async () => {
    const server = await SmtpStandIn.start();
    const app = await Application.create({
      communications: {
        enabled: true,
        backends: {
          mail: {
            type: "email",
            host: server.host,
            port: server.port,
            allow_insecure: true,
            from_address: "a@example.com",
            labels: ["mail"],
          },
        },
      },
    }, { backends: [email] });
    const metadata = { recipients: "bob@example.com" };
    const report = await app.emit({ message: "x", label: "mail", metadata });
    assert.deepEqual((await report.settled()).map(({ recipient, status }) => `${recipient} ${status}`), [
      "bob@example.com accepted",
    ]);
    assert.deepEqual(server.mails.map(({ to }) => to), [["bob@example.com"]]);
    const several = await app.emit({
      message: "x",
      label: "mail",
      metadata: { recipients: "a@b.example, c@d.example" },
    });
    assert.deepEqual((await several.settled()).map(({ reason }) => reason), ["invalid-recipient"]);
    for (const recipients of [7, { to: "x" }, [["x"]], [null]]) {
      await assert.rejects(app.emit({ message: "x", label: "mail", metadata: { recipients } }), ValidationError);
    }
    assert.equal(server.mails.length, 1);
    await app.stop();
    await server.stop();
  });
});

describe("faults of conversations that do not come back", () => {
  it("files and additions of a payload are carried, and its sender is not taken for WhatsApp's (L5)", () => {
    const attachments = [{ kind: "audio" as const, providerId: "f1", contentType: "audio/ogg" }];
    const message = Message.fromPayload({
      sender: "4711",
      msg_type: "audio",
      raw_msg: "",
      client_type: "telegram",
      metadata: { topic: 7 },
      attachments,
    }, 1);
    assert.deepEqual([message.backendName, message.kind, message.metadata], ["telegram", "audio", { topic: 7 }]);
    assert.deepEqual(message.attachments, attachments);
    assert.equal(Message.fromPayload({ sender: "4711" }, 1).backendName, "");
  });

  it("what an answer holds beside its text reaches the backend (L5)", async () => {
    const files: unknown[] = [];
    const chat = new ScriptedCommunicator("chat");
    chat.script.push((message) => {
      files.push(message.attachments.map(({ filename, bytes }) => [filename, bytes]), message.metadata);
      return Promise.resolve({ outcome: "accepted" });
    });
    const app = await Application.create({}, { communicators: [{ communicator: chat }] });
    const attachments = [{ filename: "a.png", contentType: "image/png", bytes: Uint8Array.of(1, 2) }];
    await app.messenger.sendMsg({ message: "x", attachments, metadata: { quiet: true } }, said("1", "c", "hello"));
    while (chat.seen.length === 0) await tick();
    assert.deepEqual(files, [[["a.png", Uint8Array.of(1, 2)]], { quiet: true }]);
    assert.equal(chat.seen[0]?.recipient, "c");
    await app.stop();
  });

  it("without an application, sending and receiving are errors that say what to do (L6)", async () => {
    for (const act of [() => sendMsg("x", "chat:a"), () => recvMsg(), () => emitMessage({ message: "x" })]) {
      await assert.rejects(act, (error) => error instanceof NotRunningError && /init\(\)/.test(error.message));
    }
    assert.throws(() => getDispatcher(), NotRunningError);
  });
});

/** The library's own files. */
function* sources(...folders: readonly string[]): Generator<{ readonly path: string; readonly text: string }> {
  for (const folder of folders) {
    const root = new URL(`../../${folder}/`, import.meta.url);
    for (const file of readdirSync(root, { recursive: true, encoding: "utf8" })) {
      if (file.endsWith(".ts")) {
        yield { path: `${folder}/${file.replaceAll("\\", "/")}`, text: readFileSync(new URL(file, root), "utf8") };
      }
    }
  }
}

async function telegramAt(url: string, token: string): Promise<Application> {
  return await Application.create({
    communications: {
      enabled: true,
      backends: {
        tg: {
          type: "telegram",
          token,
          api_root: url,
          chats: { default: { chat_id: "1" } },
          labels: ["chat"],
          retry: { max_attempts: 5, base_delay: 1, max_delay: 1 },
          rate: { backend: { count: 1_000 }, destination: { count: 1_000 } },
        },
      },
    },
  }, { backends: [telegram] });
}

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
