import assert from "node:assert/strict";
import { afterEach, describe, it } from "bun:test";
import { SmtpStandIn } from "../../../adapters/emulator/smtp-stand-in.ts";
import { TelegramStandIn } from "../../../adapters/emulator/telegram-stand-in.ts";
import { runProgram } from "./support.ts";

const open: { stop(): Promise<unknown> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.stop()));
});

async function smtp(): Promise<SmtpStandIn> {
  const server = await SmtpStandIn.start();
  open.push(server);
  return server;
}

async function telegram(): Promise<TelegramStandIn> {
  const server = await TelegramStandIn.start();
  open.push(server);
  return server;
}

function config(mail: SmtpStandIn, bot: TelegramStandIn): string {
  return `
store: { type: sqlite, path: ./must-not-be-made.db }
communications:
  enabled: true
  backends:
    bot:
      type: telegram
      token: "\${TOKEN}"
      api_root: ${bot.url}
      listen_to_commands: true
      labels: [alerts, chat]
      chats: { default: { chat_id: "4711", command_authorized: true } }
    mail:
      type: email
      host: ${mail.host}
      port: ${mail.port}
      allow_insecure: true
      from_address: posthorn@example.com
      default_recipients: [ops@example.com]
      labels: [alerts, mail]
      retry: { max_attempts: 1 }
    group: { type: fallback, channels: [mail, bot], labels: [page] }
`;
}

describe("posthorn, as a program", () => {
  it("posthorn --help prints its help and ends with 0", async () => {
    const { code, out, err } = await runProgram(["--help"]);
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, /^Usage: posthorn COMMAND/);
  });

  it("posthorn check ends with 2 and lists what is wrong", async () => {
    const { code, out, err } = await runProgram(["check"], { files: { "posthorn.yaml": "stor: {}\nsever: {}\n" } });
    assert.deepEqual([code, out], [2, ""]);
    assert.equal(err.trimEnd().split("\n").length, 3, err);
  });

  it("posthorn send sends by mail and Telegram what comes in by the standard input, and receives nothing", async () => {
    const mail = await smtp();
    const bot = await telegram();
    const { code, out, err } = await runProgram(["send", "--label", "alerts", "--subject", "Disk", "--json"], {
      files: { "posthorn.yaml": config(mail, bot) },
      env: { TOKEN: bot.api.token },
      input: "Disk usage at 95%\n",
    });
    assert.equal(code, 0, err);
    assert.equal(err, "");
    assert.deepEqual(
      JSON.parse(out).deliveries.map((
        { backend, recipient, status }: Record<string, unknown>,
      ) => [backend, recipient, status]),
      [["bot", "4711", "accepted"], ["mail", "ops@example.com", "accepted"]],
    );
    assert.deepEqual(bot.api.messages.map(({ text }) => text), ["Disk usage at 95%"]);
    assert.equal(mail.mails.length, 1);
    assert.match(mail.mails[0]?.raw ?? "", /^Subject: Disk\r$/m);
    const methods = bot.api.calls.map(({ method }) => method);
    assert.ok(!methods.some((method) => /getUpdates|Webhook/i.test(method)), methods.join());
  });

  it("posthorn send ends with 1 when a network refuses, and says what it said without secrets", async () => {
    const mail = await smtp();
    const bot = await telegram();
    mail.script("rcpt", { reply: "550 5.1.1 \u001b[31mNo such user" });
    const { code, out, err } = await runProgram(["send", "-l", "mail", "hello"], {
      files: { "posthorn.yaml": config(mail, bot), "secret.env": "TOKEN=4711:cAnArY-7f3a\n" },
    });
    assert.equal(code, 2, "TOKEN is not set without --env-file");
    assert.match(err, /the environment variable TOKEN is not set/);
    const refused = await runProgram(["send", "-l", "mail", "--env-file", "secret.env", "hello"], {
      files: { "posthorn.yaml": config(mail, bot), "secret.env": "TOKEN=4711:cAnArY-7f3a\n" },
    });
    assert.equal(refused.code, 1, refused.err);
    assert.match(refused.out, /^ {2}mail {2}ops@example\.com {2}dead {2}.*550/m);
    const all = out + err + refused.out + refused.err;
    assert.ok(!all.includes("cAnArY"), all);
    assert.ok(!all.includes("\u001b"), all);
    assert.doesNotMatch(all, /^\s+at .*:\d+:\d+/m);
  });

  it("posthorn send tells a wrong token by its code, and never the token", async () => {
    const mail = await smtp();
    const bot = await telegram();
    const { code, out, err } = await runProgram(["send", "-l", "chat", "--timeout", "3s", "-v", "hello"], {
      files: { "posthorn.yaml": config(mail, bot) },
      env: { TOKEN: "1:cAnArY-7f3a" },
    });
    assert.equal(code, 1, out + err);
    assert.match(out, /^ {2}bot {2}4711 {2}/m);
    assert.ok(!(out + err).includes("cAnArY"), out + err);
  });

  it("posthorn send goes through a fallback group to the channel that takes it", async () => {
    const mail = await smtp();
    const bot = await telegram();
    mail.script("mail", { reply: "550 5.7.1 Not from you" });
    const { code, out, err } = await runProgram(["send", "-l", "page", "wake up"], {
      files: { "posthorn.yaml": config(mail, bot) },
      env: { TOKEN: bot.api.token },
    });
    assert.equal(code, 0, out + err);
    assert.deepEqual([mail.mails.length, bot.api.messages.map(({ text }) => text)], [0, ["wake up"]]);
  });
});
