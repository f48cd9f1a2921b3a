import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { telegramButtons } from "../../adapters/telegram/mod.ts";
import { type Networks, type OnCall, page, startNetworks, startOnCall } from "../../examples/on-call.ts";

interface Scene extends Networks {
  readonly onCall: OnCall;
  readonly lines: readonly string[];
}

/** Runs the example against the three networks on sockets of this machine. */
async function withOnCall(env: Record<string, string>, run: (scene: Scene) => Promise<void>): Promise<void> {
  const networks = await startNetworks();
  try {
    const lines: string[] = [];
    const onCall = await startOnCall({ ...networks.env, ...env }, (line) => lines.push(line));
    try {
      await run({ ...networks, onCall, lines });
    } finally {
      await onCall.stop();
    }
  } finally {
    await networks.stop();
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** What the networks' own logs say was said, in order. */
function said({ whatsapp, telegram, mail }: Networks): readonly (readonly unknown[])[] {
  return [
    whatsapp.taken.map(({ payload }) => (payload["text"] as { readonly body?: string })?.body),
    telegram.api.messages.map(({ text }) => text),
    mail.mails.map(({ text }) => /^Subject: (.*?)\r$/m.exec(text)?.[1]),
  ];
}

describe("examples/on-call", () => {
  it("page() goes from channel to channel until somebody answers, and the others hear of it", async () => {
    await withOnCall({ ON_CALL_WITHIN: "2s" }, async (scene) => {
      const { onCall, whatsapp, telegram, mail, lines } = scene;
      const paged = page(onCall, "The database is down");
      await mail.waitForMails(1);
      assert.deepEqual(said(scene), [["The database is down"], ["The database is down"], ["Page"]]);
      assert.equal(telegram.api.calls.filter(({ method }) => method === "sendMessage").length, 1);
      scene.answerOnTelegram("I take care of it");
      const answer = await paged;
      assert.deepEqual([answer?.backendName, answer?.sender, answer?.text], ["telegram", "ada", "I take care of it"]);
      await onCall.stop();
      const note = "Answered by ada on telegram";
      assert.deepEqual(said(scene), [
        ["The database is down", note],
        [`The database is down\n\n${note}`],
        ["Page", "Re: Page"],
      ]);
      const [first, second] = whatsapp.taken;
      assert.deepEqual(second?.payload["context"], { message_id: first?.wamid });
      const [asked, told] = mail.mails.map(({ text }) => text);
      const messageId = /^Message-ID: (.*?)\r$/m.exec(asked ?? "")?.[1];
      assert.match(messageId ?? "", /^<.+@example\.com>$/);
      assert.equal(/^In-Reply-To: (.*?)\r$/m.exec(told ?? "")?.[1], messageId);
      assert.deepEqual(lines.filter((line) => line.includes("next:")), [
        "after whatsapp: not answered within 2 s; next: telegram",
        "after telegram: not answered within 2 s; next: mail",
      ]);
      assert.ok(lines.includes("settled: answered on telegram"));
    });
  });

  it("page() sends no mail when a late answer comes by WhatsApp, and changes what stands on Telegram", async () => {
    await withOnCall({ ON_CALL_WITHIN: "2s" }, async (scene) => {
      const { onCall, telegram, mail } = scene;
      const paged = page(onCall, "The database is down");
      await until(() => telegram.api.messages.length === 1);
      await scene.pushFromWhatsApp(onCall.url, { text: "on my way" });
      const answer = await paged;
      assert.deepEqual([answer?.backendName, answer?.sender, answer?.text], ["whatsapp", "Ada", "on my way"]);
      await scene.pushFromWhatsApp(onCall.url, { text: "on my way" }); // Meta says it twice
      await onCall.stop();
      assert.deepEqual(said(scene), [
        ["The database is down"],
        ["The database is down\n\nAnswered by Ada on whatsapp"],
        [],
      ]);
      assert.equal(telegram.api.calls.filter(({ method }) => method === "editMessageText").length, 1);
      assert.deepEqual(mail.sessions, []);
    });
  });

  it("page() sends no mail when WhatsApp says late that it was read, where that is enough", async () => {
    await withOnCall({ ON_CALL_WITHIN: "2s", ON_CALL_CONFIRM: "read" }, async (scene) => {
      const { onCall, telegram, mail, lines } = scene;
      const paged = page(onCall, "The database is down");
      await until(() => telegram.api.messages.length === 1);
      await scene.pushFromWhatsApp(onCall.url, "read");
      assert.equal(await paged, undefined);
      assert.ok(lines.includes("settled: delivered"));
      await onCall.stop();
      assert.deepEqual(said(scene), [["The database is down"], ["The database is down"], []]);
      assert.deepEqual(mail.sessions, []);
    });
  });

  it("Application.ask() puts buttons under the question; a press is an answer, and takes them away", async () => {
    await withOnCall({}, async (scene) => {
      const { onCall, whatsapp, telegram, mail } = scene;
      const buttons = telegramButtons([[{ title: "Yes", id: "yes" }, { title: "No", id: "no" }]]);
      const ask = (notificationId: string) =>
        onCall.app.ask({
          notificationId,
          recipient: { whatsapp: "491234567", telegram: "4711" },
          textContent: `${notificationId}?`,
          metadata: { telegram: buttons },
          channels: ["whatsapp", "telegram"],
        });
      const [first, second] = [ask("first"), ask("second")];
      await until(() => whatsapp.taken.length === 2 && telegram.api.messages.length === 2);
      const asked = telegram.api.messages.find(({ text }) => text === "first?");
      telegram.api.press(asked ?? assert.fail("not asked"), "no");
      const answer = await first;
      assert.deepEqual([answer.backendName, answer.sender, answer.text], ["telegram", "ada", "No"]);
      await scene.pushFromWhatsApp(onCall.url, { text: "yes" }, "second?");
      assert.equal((await second).text, "yes");
      await until(() => telegram.api.messages.every(({ editedAt }) => editedAt !== undefined));
      const shown = telegram.api.messages.map(({ text, replyMarkup }) =>
        `${text}${replyMarkup === undefined ? "" : " […]"}`
      );
      assert.deepEqual(shown.toSorted(), [
        "first?\n\nAnswered by ada on telegram",
        "second?\n\nAnswered by Ada on whatsapp",
      ]);
      assert.deepEqual(mail.sessions, []);
    });
  });

  it("Application.ask() asks by all three at once; the first answer counts, and the others hear of it once", async () => {
    await withOnCall({}, async (scene) => {
      const { onCall, whatsapp, telegram, mail } = scene;
      const asked = onCall.app.ask({
        notificationId: "deploy-42",
        recipient: { whatsapp: "+49 123 4567", telegram: "4711", email: "ann@example.com" },
        subject: "Deploy",
        htmlContent: "<p>Deploy <b>now</b>?</p>",
        channels: ["whatsapp", "telegram", "mail"],
      });
      await until(() => whatsapp.taken.length === 1 && telegram.api.messages.length === 1 && mail.mails.length === 1);
      await scene.pushFromWhatsApp(onCall.url, { text: "yes" });
      scene.answerOnTelegram("no");
      const answer = await asked;
      assert.deepEqual([answer.backendName, answer.text], ["whatsapp", "yes"]);
      await until(() => telegram.api.pendingUpdates.length === 0);
      await onCall.stop();
      assert.deepEqual(said(scene), [
        ["Deploy now?"],
        ["Deploy now?\n\nAnswered by Ada on whatsapp"],
        ["Deploy", "Re: Deploy"],
      ]);
      assert.deepEqual(mail.mails.map(({ to }) => to), [["ann@example.com"], ["ann@example.com"]]);
    });
  });
});
