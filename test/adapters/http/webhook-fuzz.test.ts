// G19: every provider's webhook, end to end through the HTTP app and at its verifier alone. Nothing that is almost
// authentic is taken, nothing crashes, nothing is written, nobody is called; everything that is authentic is taken whole.
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { StandardWebhookSigner, WebhookCommunicator } from "../../../adapters/webhook/mod.ts";
import { WhatsAppCommunicator } from "../../../adapters/whatsapp/mod.ts";
import {
  type Communicator,
  createHmacSha256,
  encodeHex,
  ManualClock,
  type WebhookReceiver,
} from "../../../core/mod.ts";
import { refuseStranger } from "../../../adapters/http/local-guard.ts";
import { mutations } from "../net/random.ts";
import { metaJson } from "../whatsapp/fixtures.ts";
import { type HttpBench, problemIn, setUpHttp, TOKEN } from "./http-bench.ts";
import {
  Chance,
  type FuzzTarget,
  fuzzWebhook,
  mutationsFor,
  toRequest,
  type WebhookRequest,
} from "./webhook-fuzzer.ts";

const ORIGIN = "http://127.0.0.1:8787";
const NUMBER = "106540352242922";
const META_SECRET = "6f1ed002ab5595859014ebf0951522d9";
const HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_HOOK_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const TELEGRAM_SECRET = "Correct-horse_battery-staple-0123456789";
const OTHER_TELEGRAM_SECRET = "Correct-horse_battery-staple-0123456780";

/** How many requests go through the app, for each provider. */
const THROUGH_APP = 10_000;
/** How many of them are authentic and odd: with `POSTHORN_LONG=1` all, otherwise a tenth. */
const ODD = mutations() / 100;

/** What people write, in every writing that a provider may send it in. */
const TEXTS = ["Grüße", "a/b <c> 100% @d", "مرحبا", "👩‍👩‍👧‍👦 😀", "\u2028\u2029", '"\\', "日本語", "ä"];

interface Provider {
  readonly backendName: string;
  readonly target: FuzzTarget;
  /** A payload with everything in it, and a mark where a person wrote something. */
  readonly whole: (count: number, mark: string) => object;
  /** A body as an authentic request. */
  readonly signed: (text: string, id: string) => Promise<WebhookRequest>;
  /** Authentic requests, each with how many messages it brings. */
  readonly corpus: () => Promise<readonly (readonly [request: WebhookRequest, messages: number])[]>;
}

interface Bench extends HttpBench {
  /** Requests that left the program. */
  readonly calls: string[];
}

/** Every provider behind one app, two of some, so that one's secret can be tried on the other's route. */
async function setUp(): Promise<Bench> {
  const calls: string[] = [];
  const fetch = (input: unknown): Promise<Response> => {
    calls.push(String(input));
    return Promise.reject(new Error("nobody is called"));
  };
  const chats = { default: { chatId: "-1001", commandAuthorized: true } };
  const telegramOf = (name: string, webhookSecret: string): Communicator =>
    new TelegramCommunicator(name, { token: "123456:webhook", chats, listenToCommands: true, webhookSecret, fetch });
  const clock = new ManualClock();
  const hookOf = (name: string, secret: string): Communicator =>
    new WebhookCommunicator(name, { secret, clock, maxBodyBytes: 3_000_000 });
  const bench = await setUpHttp({
    emulator: true,
    communicators: [
      telegramOf("telegram", TELEGRAM_SECRET),
      telegramOf("telegram2", OTHER_TELEGRAM_SECRET),
      hookOf("hook", HOOK_SECRET),
      hookOf("hook2", OTHER_HOOK_SECRET),
      new WhatsAppCommunicator("wa", { token: "t", phoneNumberId: NUMBER, appSecret: META_SECRET, fetch }),
    ],
  });
  await bench.emulator.openConversation("anna");
  return { ...bench, calls };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** JSON as a program in Java, PHP or Python may write it. */
function writings(value: unknown): readonly string[] {
  return [JSON.stringify(value), metaJson(value), JSON.stringify(value, null, "\t"), `\r\n ${JSON.stringify(value)}\n`];
}

async function fromMeta(text: string, secret = META_SECRET): Promise<WebhookRequest> {
  const body = utf8(text);
  const signature = encodeHex(await createHmacSha256(secret).sign(body));
  const headers = [["content-type", "application/json"], ["x-hub-signature-256", `sha256=${signature}`]] as const;
  return { path: "/webhooks/wa", headers, body };
}

/** A payload with so many messages, strewn over entries and changes. */
function metaPayload(count: number, from: number, text: string): object {
  const messageAt = (index: number): object => (
    { from: "16505551234", id: `wamid.${from + index}`, timestamp: "1763720000", type: "text", text: { body: text } }
  );
  const change = (indexes: readonly number[]): object => ({
    field: "messages",
    value: { messaging_product: "whatsapp", metadata: { phone_number_id: NUMBER }, messages: indexes.map(messageAt) },
  });
  const all = Array.from({ length: count }, (_, index) => index);
  const third = Math.ceil(count / 3);
  const parts = [all.slice(0, third), all.slice(third, 2 * third), all.slice(2 * third)].filter(({ length }) => length);
  const [first = [], ...others] = parts;
  return {
    object: "whatsapp_business_account",
    entry: [
      { id: "1", changes: [change(first)] },
      ...(others.length ? [{ id: "2", changes: others.map(change) }] : []),
    ],
  };
}

async function fromHook(now: number, text: string, id: string, secret = HOOK_SECRET): Promise<WebhookRequest> {
  const body = utf8(text);
  const signed = await new StandardWebhookSigner([secret]).sign(id, body, now);
  return { path: "/webhooks/hook", headers: [["content-type", "application/json"], ...Object.entries(signed)], body };
}

function fromTelegram(text: string, secret = TELEGRAM_SECRET): Promise<WebhookRequest> {
  const headers = [["content-type", "application/json"], ["x-telegram-bot-api-secret-token", secret]] as const;
  return Promise.resolve({ path: "/webhooks/telegram", headers, body: utf8(text) });
}

function updateOf(id: number, text: string): object {
  const chat = { id: -1001, type: "supergroup", title: "Ops" };
  const from = { id: 4711, is_bot: false, first_name: "Ada" };
  return { update_id: id, message: { message_id: id, date: 1_700_000_000, chat, from, text } };
}

function fromEmulator(text: string, token = TOKEN): Promise<WebhookRequest> {
  const headers = [["content-type", "application/json"], ["authorization", `Bearer ${token}`]] as const;
  return Promise.resolve({ path: "/webhooks/emulator", headers, body: utf8(text) });
}

const SIZES: readonly number[] = [1, 2, 3, 10, 100, 999, 1_000];

function providers(now: number): readonly Provider[] {
  return [
    {
      backendName: "wa",
      whole: (count, mark) => metaPayload(1, count, mark),
      signed: (text) => fromMeta(text),
      target: {
        proofs: ["x-hub-signature-256"],
        coversBody: true,
        valid: (count) => fromMeta(metaJson(metaPayload(1, count, `Grüße ${count} \u0001 😀`))),
        foreign: (count) => fromMeta(metaJson(metaPayload(1, count, `Grüße ${count} \u0001 😀`)), `${META_SECRET}!`),
      },
      corpus: () =>
        Promise.all([
          ...TEXTS.flatMap((text, at) =>
            writings(metaPayload(1, at * 10, text)).map(async (body) => [await fromMeta(body), 1] as const)
          ),
          ...SIZES.map(async (size) =>
            [await fromMeta(metaJson(metaPayload(size, 10_000 * size, "Grüße/مرحبا 😀"))), size] as const
          ),
        ]),
    },
    {
      backendName: "hook",
      whole: (count, mark) => ({
        type: "said",
        data: { messages: [{ id: `m${count}`, conversation: "c", text: mark, sender: "Ada", metadata: { a: [1] } }] },
      }),
      signed: (text, id) => fromHook(now, text, id),
      target: {
        proofs: ["webhook-id", "webhook-timestamp", "webhook-signature"],
        coversBody: true,
        valid: (count) => fromHook(now, JSON.stringify({ conversation: "c", text: `ä ${count} 😀` }), `m${count}`),
        foreign: (count) =>
          fromHook(now, JSON.stringify({ conversation: "c", text: `ä ${count} 😀` }), `m${count}`, OTHER_HOOK_SECRET),
      },
      corpus: () =>
        Promise.all([
          ...TEXTS.flatMap((text, at) =>
            writings({ conversation: "c", text, id: `t${at}` }).map(async (body, index) =>
              [await fromHook(now, body, `r${at}-${index}`), 1] as const
            )
          ),
          ...SIZES.map(async (size) => {
            const messages = Array.from({ length: size }, (_, index) => ({
              id: `b${size}-${index}`,
              conversation: `c${index % 7}`,
              text: "Grüße/مرحبا 😀",
            }));
            return [await fromHook(now, metaJson({ messages }), `batch${size}`), size] as const;
          }),
        ]),
    },
    {
      backendName: "telegram",
      whole: (count, mark) => updateOf(count, mark),
      signed: (text) => fromTelegram(text),
      target: {
        proofs: ["x-telegram-bot-api-secret-token"],
        coversBody: false,
        valid: (count) => fromTelegram(JSON.stringify(updateOf(count, `ä ${count}`))),
        foreign: (count) => fromTelegram(JSON.stringify(updateOf(count, `ä ${count}`)), OTHER_TELEGRAM_SECRET),
      },
      corpus: () =>
        Promise.all(
          TEXTS.flatMap((text, at) =>
            writings(updateOf(at, text)).map(async (body) => [await fromTelegram(body), 1] as const)
          ),
        ),
    },
    {
      backendName: "emulator",
      whole: (count, mark) => ({ conversation: "anna", text: mark, id: `o${count}` }),
      signed: (text) => fromEmulator(text),
      target: {
        proofs: ["authorization"],
        coversBody: false,
        valid: (count) => fromEmulator(JSON.stringify({ conversation: "anna", text: `ä ${count}` })),
        foreign: (count) => fromEmulator(JSON.stringify({ conversation: "anna", text: `ä ${count}` }), `${TOKEN}2`),
      },
      corpus: () =>
        Promise.all(
          TEXTS.flatMap((text, at) =>
            writings({ conversation: "anna", text, id: `e${at}` }).map(async (body) =>
              [await fromEmulator(body), 1] as const
            )
          ),
        ),
    },
  ];
}

async function send({ app }: Bench, request: WebhookRequest): Promise<number> {
  const answer = await app.fetch(toRequest(request, ORIGIN) ?? assert.fail("no request"));
  await answer.body?.cancel();
  return answer.status;
}

/** How many messages the corpus of each has. One text in several writings is one message: their ids are the same. */
const CORPUS_MESSAGES: Readonly<Record<string, number>> = {
  wa: TEXTS.length + SIZES.reduce((sum, size) => sum + size, 0),
  hook: TEXTS.length + SIZES.reduce((sum, size) => sum + size, 0),
  telegram: TEXTS.length,
  emulator: TEXTS.length,
};

for (const { backendName } of providers(0)) {
  describe(`The webhook of ${backendName}`, () => {
    it(`refuses ${THROUGH_APP} requests that are almost authentic, and nothing changes by them`, async () => {
      const bench = await setUp();
      const provider = providerOf(backendName, bench);
      const tried = await fuzzWebhook(provider.target, {
        count: THROUGH_APP,
        seed: backendName.length,
        fetch: (request) => bench.app.fetch(request),
        snapshot: bench.snapshot,
        origin: ORIGIN,
      });
      for (const [name] of mutationsFor(provider.target)) assert.ok((tried.get(name) ?? 0) > 50, name);
      assert.deepEqual(bench.calls, []);
      assert.deepEqual(bench.complaints, []);
      assert.equal(await send(bench, await provider.target.valid(1)), 200);
    }, 120_000);

    it("refuses what is authentic elsewhere", async () => {
      const bench = await setUp();
      const before = await bench.snapshot();
      const all = providers(bench.clock.now());
      for (const other of all) {
        const { body, headers } = await other.target.valid(1);
        for (
          const path of [
            "/webhooks/wa",
            "/webhooks/hook",
            "/webhooks/hook2",
            "/webhooks/telegram",
            "/webhooks/telegram2",
            "/webhooks/emulator",
          ]
        ) {
          if (path === `/webhooks/${other.backendName}`) continue;
          assert.ok([401, 403].includes(await send(bench, { path, headers, body })), `${other.backendName} at ${path}`);
        }
      }
      assert.deepEqual(await bench.snapshot(), before);
      assert.deepEqual(bench.calls, []);
    });

    it("takes all that is authentic, in whatever writing, in batches as large as they come", async () => {
      const bench = await setUp();
      const provider = providerOf(backendName, bench);
      let messages = 0;
      for (const [request, count] of await provider.corpus()) {
        assert.equal(await send(bench, request), 200);
        messages += count;
      }
      const expected = CORPUS_MESSAGES[backendName] ?? 0;
      assert.ok(messages > expected);
      const inbox = await bench.inbox();
      assert.equal(inbox.length, expected);
      const heard = new Set(inbox.map(({ content }) => Reflect.get(Object(content), "text")));
      for (const text of TEXTS) assert.ok(heard.has(text), text);
      assert.deepEqual(await bench.quarantined(), []);
      assert.deepEqual(bench.calls, []);
    });

    it(`answers 200 to ${ODD} authentic requests of whatever structure, and loses no part of them`, async () => {
      const bench = await setUp();
      bench.application.messenger.route(() => {}); // nothing pumps it: what comes in stays
      const provider = providerOf(backendName, bench);
      const chance = new Chance(4_711);
      const marks = new Set<string>();
      for (let count = 0; count < ODD; count++) {
        const mark = `mark-${count}-`;
        const text = JSON.stringify(bentBy(chance, provider.whole(count, mark)));
        const status = await send(bench, await provider.signed(text, `odd${count}`));
        // The emulator is typed at by a person, who is told what is wrong.
        const isFine = status === 200 || (backendName === "emulator" && [400, 404, 413].includes(status));
        assert.ok(isFine, `${status}: ${text}`);
        // Two with one id are one message and its repeat.
        const isRepeat = /"id":"(?:__proto__|constructor)"/.test(text);
        if (status === 200 && text.includes(mark) && !isRepeat) marks.add(mark);
      }
      const kept = JSON.stringify([await bench.inbox(), await bench.quarantined()]);
      assert.ok(marks.size > (backendName === "emulator" ? ODD / 50 : ODD / 3), `${marks.size} marks`);
      // Telegram tells of every chat the bot is in: what was said where nobody may be heard is counted, and not kept.
      const isKept = (mark: string): boolean => kept.includes(mark);
      if (backendName === "telegram") {
        const { received, unauthorised, malformed } = statsOf(bench);
        assert.equal(received + unauthorised + malformed, ODD);
        assert.ok(received > ODD / 10 && unauthorised > ODD / 100, `${received}, ${unauthorised}, ${malformed}`);
      } else {
        assert.deepEqual([...marks].filter((mark) => !isKept(mark)), []);
      }
      assert.deepEqual(bench.complaints.filter((line) => line.includes("threw") || line.includes("cannot")), []);
      assert.deepEqual(bench.calls, []);
    }, 300_000);

    it(`has a verifier that takes none of ${mutations()} mutated requests, and never throws`, async () => {
      const bench = await setUp();
      const provider = providerOf(backendName, bench);
      const verifier = verifierOf(bench, backendName);
      assert.equal(await verify(verifier, await provider.target.valid(0)), true);
      const chance = new Chance(20_261_121);
      const kinds = mutationsFor(provider.target).filter(([name]) => !SLOW.has(name));
      const pool = await poolOf(provider.target);
      let accepted = 0;
      let tried = 0;
      for (let round = mutations(); round > 0; round--) {
        const at = chance.below(pool.valid.length);
        const valid = pool.valid[at] ?? assert.fail("no request");
        const [, mutate] = chance.pick(kinds);
        const mutated = await mutate(valid, chance, pool.target, at);
        const verdict = await verify(verifier, mutated, valid);
        if (verdict === undefined) continue;
        tried++;
        if (verdict) accepted++;
      }
      assert.equal(accepted, 0);
      assert.ok(tried > mutations() * 0.8, `${tried} were tried`);
    }, 1_800_000);
  });
}

describe("The webhook of telegram", () => {
  it("does not even read what a stranger sends, as its header is enough to know", async () => {
    const bench = await setUp();
    const before = await bench.snapshot();
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent++;
        controller.enqueue(new Uint8Array(1_000));
      },
    }, { highWaterMark: 0 });
    const request = new Request(`${ORIGIN}/webhooks/telegram`, {
      method: "POST",
      headers: { "x-telegram-bot-api-secret-token": OTHER_TELEGRAM_SECRET },
      body,
      ...{ duplex: "half" },
    });
    const answer = await bench.app.fetch(request);
    assert.equal(answer.status, 401);
    assert.equal((await problemIn(answer)).code, "unauthorized");
    assert.equal(sent, 0);
    assert.deepEqual(await bench.snapshot(), before);
  });
});

/** They take long and are tried through the app. */
const SLOW: ReadonlySet<string> = new Set(["the body is compressed", "the body is padded", "a proof is very long"]);
const POOL = 64;

/** Requests that are signed once and changed often. */
async function poolOf(
  target: FuzzTarget,
): Promise<{ readonly valid: readonly WebhookRequest[]; readonly target: FuzzTarget }> {
  const counts = Array.from({ length: POOL + 1 }, (_, count) => count);
  const valid = await Promise.all(counts.map((count) => target.valid(count)));
  const foreign = await Promise.all(counts.map((count) => target.foreign(count)));
  const at = (requests: readonly WebhookRequest[]) => (count: number): Promise<WebhookRequest> =>
    Promise.resolve(requests[count] ?? assert.fail("no request"));
  return { valid: valid.slice(0, POOL), target: { ...target, valid: at(valid), foreign: at(foreign) } };
}

/** Whether it is taken for authentic; `undefined` for what cannot be a request, or is the original again. */
async function verify(
  verifier: WebhookReceiver["verify"],
  { headers, body }: WebhookRequest,
  original?: WebhookRequest,
): Promise<boolean | undefined> {
  const sent = headersOf(headers);
  if (sent === undefined) return undefined;
  if (original !== undefined && body === original.body) {
    const before = headersOf(original.headers);
    if (JSON.stringify([...sent]) === JSON.stringify([...before ?? []])) return undefined;
  }
  return await verifier(sent, body);
}

function headersOf(pairs: WebhookRequest["headers"]): Headers | undefined {
  try {
    return new Headers(pairs.map(([name, value]): [string, string] => [name, value]));
  } catch {
    return undefined;
  }
}

const ODDITIES: readonly unknown[] = [
  null,
  0,
  -1,
  1.5,
  1e308,
  true,
  "",
  " ",
  "\u0000",
  "__proto__",
  "constructor",
  "x".repeat(3_000),
  [],
  [[]],
  [null],
  {},
  { a: { b: {} } },
  { length: 3 },
];

/** A copy with one to three places bent: another value there, none, or one where there was none. */
function bentBy(chance: Chance, value: unknown): unknown {
  const copy: unknown = JSON.parse(JSON.stringify(value));
  for (let times = 1 + chance.below(3); times > 0; times--) {
    let at: unknown = copy;
    for (;;) {
      if (typeof at !== "object" || at === null) break;
      const key = chance.pick([...Object.keys(at), "extra"]);
      const below: unknown = Reflect.get(at, key);
      if (typeof below === "object" && below !== null && chance.below(4) > 0) {
        at = below;
        continue;
      }
      if (chance.below(4) === 0) Reflect.deleteProperty(at, key);
      else Reflect.set(at, key, structuredClone(chance.pick(ODDITIES)));
      break;
    }
  }
  return copy;
}

function statsOf(bench: Bench): TelegramCommunicator["stats"] {
  const backend = bench.application.communicators.get("telegram");
  return backend instanceof TelegramCommunicator ? backend.stats : assert.fail("no Telegram");
}

function providerOf(backendName: string, bench: Bench): Provider {
  return providers(bench.clock.now()).find((each) => each.backendName === backendName) ?? assert.fail(backendName);
}

/** What decides whether a request is authentic, and does nothing else. */
function verifierOf(bench: Bench, backendName: string): WebhookReceiver["verify"] {
  const receiver = bench.application.communicators.get(backendName)?.webhook;
  if (receiver !== undefined) return (headers, body) => receiver.verify(headers, body);
  return async (headers) => {
    const request = new Request(`${ORIGIN}/webhooks/${backendName}`, { method: "POST", headers });
    return await refuseStranger(request, TOKEN) === undefined;
  };
}
