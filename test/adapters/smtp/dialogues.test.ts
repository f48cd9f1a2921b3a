import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { ManualClock, type Receipt } from "../../../core/mod.ts";
import type { SmtpStandIn, SmtpStandInAction, SmtpStandInStage } from "../../../adapters/emulator/smtp-stand-in.ts";
import { AUTHORITY, LOCAL } from "./certificates.ts";
import { type Fixture, type FixtureOptions, withMail } from "./fixture.ts";

type Answer = "421" | "4xx" | "5xx" | "cut" | "reset" | "timeout";

interface Dialogue {
  readonly stage: SmtpStandInStage;
  readonly answer: Answer;
  /** `retry`, `never`, `unknown`, and the stable word. */
  readonly expected: string;
  /** Whether the server takes commands in batches. */
  readonly pipelining?: boolean;
  /** Whether the server has the mail in spite of what it says. */
  readonly keep?: boolean;
  readonly reply?: string;
}

const SECURE: FixtureOptions = {
  server: { tls: LOCAL, users: { ann: "correct horse" } },
  mail: { allowInsecure: false, startTls: true, username: "ann", password: "correct horse", tls: { ca: AUTHORITY } },
};
const LIMITS_MS: Partial<Record<SmtpStandInStage, number>> = {
  connect: 60_000,
  ehlo: 60_000,
  starttls: 60_000,
  auth: 60_000,
};

function everyAnswer(
  stage: SmtpStandInStage,
  expected: Readonly<Record<Answer, string>>,
  more: Partial<Dialogue> = {},
): readonly Dialogue[] {
  return (Object.keys(expected) as Answer[]).map((answer) => ({ stage, answer, expected: expected[answer], ...more }));
}

const LOST: Readonly<Record<"cut" | "reset" | "timeout", string>> = {
  cut: "retry network",
  reset: "retry network",
  timeout: "retry network",
};
const OPENING = { "421": "retry unavailable", "4xx": "retry unavailable", ...LOST };

const DIALOGUES: readonly Dialogue[] = [
  ...everyAnswer("connect", { ...OPENING, "5xx": "retry unavailable down" }),
  ...everyAnswer("ehlo", { ...OPENING, "5xx": "retry unavailable down" }),
  ...everyAnswer("starttls", { ...OPENING, "5xx": "retry policy down" }),
  ...everyAnswer("auth", { ...OPENING, "5xx": "retry auth down" }),
  ...[true, false].flatMap((pipelining) =>
    [
      ...everyAnswer("mail", { ...OPENING, "5xx": "never policy" }, { pipelining }),
      ...everyAnswer("rcpt", { ...OPENING, "4xx": "retry recipient-unreachable", "5xx": "never invalid-recipient" }, {
        pipelining,
      }),
      ...everyAnswer("data", { ...OPENING, "5xx": "never policy" }, { pipelining }),
      ...everyAnswer("dot", {
        "421": "retry unavailable",
        "4xx": "retry unavailable",
        "5xx": "never policy",
        cut: "unknown",
        reset: "unknown",
        timeout: "unknown",
      }, { pipelining }),
      { stage: "dot", answer: "cut", expected: "unknown", keep: true, pipelining },
      { stage: "dot", answer: "reset", expected: "unknown", keep: true, pipelining },
      { stage: "dot", answer: "timeout", expected: "unknown", keep: true, pipelining },
      { stage: "dot", answer: "5xx", expected: "never policy", reply: "554 5.7.1 No", pipelining },
      { stage: "rcpt", answer: "4xx", expected: "retry policy", reply: "450 4.7.1 Greylisted", pipelining },
      { stage: "rcpt", answer: "4xx", expected: "retry rate-limited", reply: "452 4.5.3 Too many", pipelining },
      { stage: "rcpt", answer: "5xx", expected: "retry rate-limited", reply: "552 Too many recipients", pipelining },
      { stage: "mail", answer: "5xx", expected: "retry auth down", reply: "530 5.7.0 Log in", pipelining },
      { stage: "data", answer: "5xx", expected: "never other", reply: "503 5.5.1 No valid recipients", pipelining },
    ] satisfies Dialogue[]
  ),
];

const USUAL: Partial<
  Record<
    Answer,
    Partial<Record<SmtpStandInStage, string>> & { readonly any: string }
  >
> = {
  "421": { any: "421 4.3.2 Closing" },
  "4xx": { rcpt: "450 4.2.1 Busy", any: "451 4.3.0 Try later" },
  "5xx": { rcpt: "550 5.1.1 Nobody", starttls: "502 5.5.1 No", auth: "535 5.7.8 Wrong", any: "554 No" },
};

function actionFor({ stage, answer, reply, keep = false }: Dialogue): SmtpStandInAction {
  const usual = USUAL[answer];
  if (answer === "timeout") return { keep };
  if (usual === undefined) {
    return { keep, cut: answer === "reset" ? "reset" : true };
  }
  return { keep, reply: reply ?? usual[stage] ?? usual.any, ...(answer === "421" ? { cut: true } : {}) };
}

function wordsOf(receipt: Receipt): string {
  if (receipt.outcome !== "rejected") return receipt.outcome;
  const { retryable, reason, backendDown } = receipt;
  return `${retryable ? "retry" : "never"} ${reason}${backendDown === true ? " down" : ""}`;
}

/** Sends one mail into the script; where the server falls silent, moves time to the end of our patience. */
async function playOut(dialogue: Dialogue, { server, send }: Fixture, clock: ManualClock): Promise<Receipt> {
  const reached = Promise.withResolvers<void>();
  const action = actionFor(dialogue);
  server.script(dialogue.stage, () => {
    reached.resolve();
    return action;
  });
  const sending = send();
  if (dialogue.answer === "timeout") {
    await reached.promise;
    const limitMs = LIMITS_MS[dialogue.stage] ??
      (dialogue.stage === "dot" ? 600_000 : 300_000);
    const early = await Promise.race([sending, clock.advance(limitMs - 1).then(() => undefined)]);
    assert.equal(early, undefined, "gave up too early");
    await clock.advance(1);
  }
  return await sending;
}

function extensionsOf({ pipelining = true }: Dialogue): readonly string[] {
  return ["8BITMIME", "ENHANCEDSTATUSCODES", ...(pipelining ? ["PIPELINING"] : [])];
}

function countOf(server: SmtpStandIn, verb: string): number {
  return server.sessions.flatMap(({ commands }) => commands).filter((command) => command.startsWith(verb)).length;
}

describe("SmtpCommunicator.send() in a scripted dialogue", () => {
  it("is tried in at least 60 dialogues (G29)", () => assert.ok(DIALOGUES.length >= 60));

  for (const dialogue of DIALOGUES) {
    const { stage, answer, expected, keep = false, pipelining, reply = "" } = dialogue;
    const batch = pipelining === undefined ? "" : pipelining ? ", pipelined" : ", one by one";
    const title = `takes ${answer} ${reply} at ${stage}${batch}${keep ? ", mail kept" : ""} for: ${expected}`;
    it(title.replace(/ {2,}/g, " "), async () => {
      const clock = new ManualClock();
      const isSecure = stage === "starttls" || stage === "auth";
      const base: FixtureOptions = isSecure ? SECURE : {};
      const options = { ...base, clock, server: { ...base.server, extensions: extensionsOf(dialogue) } };
      await withMail(options, async (fixture) => {
        const { server, send } = fixture;
        const receipt = await playOut(dialogue, fixture, clock);
        assert.equal(wordsOf(receipt), expected, JSON.stringify(receipt));
        assert.equal(server.mails.length, keep ? 1 : 0);
        assert.ok(countOf(server, "RCPT") <= 1, "one attempt is one recipient, once");
        assert.ok(countOf(server, "MAIL") <= 1, "one attempt is one mail");

        server.clear();
        assert.equal((await send({}, { deliveryId: "next" })).outcome, "accepted", "the next mail goes through");
        assert.deepEqual(server.mails.map(({ to }) => to), [["ops@example.com"]]);
        assert.match(server.mails[0]?.raw ?? "", /^Message-ID: <next@example.com>\r$/m);
      });
    });
  }
});

describe("SmtpCommunicator.send() while the mail is under way", () => {
  const attachments = [{
    filename: "a.bin",
    contentType: "application/octet-stream",
    bytes: new Uint8Array(3_000_000),
  }];

  it("takes a cut in the middle of the mail for: not taken", () =>
    withMail({}, async ({ server, send }) => {
      server.script("body", { cut: true });
      const receipt = await send({ attachments });
      assert.equal(wordsOf(receipt), "retry network");
      assert.ok(receipt.outcome === "rejected");
      assert.match(receipt.detail ?? "", /^sending the mail: the connection ended/);
      assert.equal(server.mails.length, 0);
    }));

  it("takes a server that stops reading in the middle for: not taken", async () => {
    const clock = new ManualClock();
    await withMail({ clock }, async ({ server, send }) => {
      const reached = Promise.withResolvers<void>();
      server.script("body", () => {
        reached.resolve();
        return { stopReading: true };
      });
      const sending = send({
        attachments: [{ ...attachments[0], filename: "b", contentType: "a/b", bytes: new Uint8Array(30_000_000) }],
      });
      await reached.promise;
      await clock.advance(600_000);
      assert.equal(wordsOf(await sending), "retry network");
      assert.equal(server.mails.length, 0);
    });
  });

  it("takes an answer in the middle of the mail for the answer, and uses another connection for the next", () =>
    withMail({}, async ({ server, send }) => {
      server.script("body", { reply: "552 5.3.4 Too large", stopReading: true }, { times: 1 });
      const receipt = await send({
        attachments: [{ ...attachments[0], filename: "b", contentType: "a/b", bytes: new Uint8Array(30_000_000) }],
      });
      assert.equal(wordsOf(receipt), "never invalid-message");
      assert.equal((await send()).outcome, "accepted");
      assert.equal(server.sessions.length, 2);
    }));

  it("does not offer a mail that is larger than the server announced", () =>
    withMail(
      { server: { extensions: ["SIZE 1000000"] } },
      async ({ server, send }) => {
        const receipt = await send({ attachments });
        assert.equal(wordsOf(receipt), "never invalid-message");
        assert.deepEqual(server.sessions.flatMap(({ commands }) => commands), ["EHLO [127.0.0.1]"]);
        assert.equal((await send()).outcome, "accepted");
      },
    ));

  it("takes nonsense after the final dot for: nobody knows", () =>
    withMail({}, async ({ server, send }) => {
      server.script("dot", { reply: "moo", keep: true });
      assert.equal(wordsOf(await send()), "unknown");
    }));

  it("takes nonsense before that for: not taken", () =>
    withMail({}, async ({ server, send }) => {
      server.script("connect", { reply: "SSH-2.0-OpenSSH_9.2" });
      assert.equal(wordsOf(await send()), "retry unavailable");
    }));

  it("takes a 421 in the place of the answer, without a line end, for an answer", () =>
    withMail({}, async ({ server, send }) => {
      server.script("dot", { inject: "421 4.3.2 Bye", cut: true });
      assert.equal(wordsOf(await send()), "retry unavailable");
    }));

  it("takes an abort after the final dot for: nobody knows, and one before for: not taken", () =>
    withMail({}, async ({ server, send }) => {
      for (
        const [stage, expected] of [["rcpt", "retry unavailable"], ["dot", "unknown"]] as const
      ) {
        const abort = new AbortController();
        const remove = server.script(stage, () => {
          queueMicrotask(() => abort.abort());
          return {};
        });
        assert.equal(wordsOf(await send({}, { signal: abort.signal })), expected);
        remove();
      }
      assert.equal(wordsOf(await send({}, { signal: AbortSignal.abort() })), "retry unavailable");
    }));
});
