import { it } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { TelegramCommunicator } from "../../adapters/telegram/mod.ts";
import { createWebhookSecret, WebhookCommunicator } from "../../adapters/webhook/mod.ts";
import { WhatsAppCommunicator } from "../../adapters/whatsapp/mod.ts";
import {
  createHmacSha256,
  decodeBase64,
  encodeBase64,
  encodeHex,
  ManualClock,
  secureEqual,
  type WebhookReceiver,
} from "../../core/mod.ts";
import { describeLong } from "../support/require.ts";

const SAMPLES = 1_000_000;
const WARM_UP = 20_000;
/** Above this, the two classes are told apart (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?"). */
const LIMIT = 4.5;
const TEN_MINUTES_MS = 600_000;

/** One guess at a secret, ready to be timed. */
type Guess = () => Promise<boolean>;

/** Makes a guess whose byte at a place is wrong, and only that one. */
type Guesser = (wrongAt: number) => Guess;

/** Welch's t of how long guesses take that are wrong at their first byte, against those wrong at their last. */
async function compare(guesser: Guesser, length: number): Promise<number> {
  // Both classes are made in the same way and come by chance, so that nothing but the place differs between them.
  const early = Array.from({ length: 16 }, () => guesser(0));
  const late = Array.from({ length: 16 }, () => guesser(length - 1));
  const chance = crypto.getRandomValues(new Uint8Array(65_536));
  const times: number[] = [];
  const classes: boolean[] = [];
  for (let sample = -WARM_UP; sample < SAMPLES; sample++) {
    if (sample % chance.length === 0) crypto.getRandomValues(chance);
    const byte = chance[(sample + WARM_UP) % chance.length] ?? 0;
    const isLate = byte % 2 === 1;
    const guess = (isLate ? late : early)[byte >> 4] ?? assert.fail();
    const before = process.hrtime.bigint();
    const matches = await guess();
    const took = Number(process.hrtime.bigint() - before);
    assert.equal(matches, false);
    if (sample < 0) continue;
    times.push(took);
    classes.push(isLate);
  }
  // What the scheduler and the collector of garbage did is in the upper tail, of both classes alike.
  const most = Float64Array.from(times).sort()[Math.floor(SAMPLES * 0.9)] ?? Infinity;
  return welch(times, classes, most);
}

function welch(times: readonly number[], classes: readonly boolean[], most: number): number {
  const count = [0, 0];
  const mean = [0, 0];
  const squares = [0, 0];
  for (const [index, time] of times.entries()) {
    if (time > most) continue;
    const group = classes[index] === true ? 1 : 0;
    const known = count[group] = (count[group] ?? 0) + 1;
    const off = time - (mean[group] ?? 0);
    mean[group] = (mean[group] ?? 0) + off / known;
    squares[group] = (squares[group] ?? 0) + off * (time - mean[group]);
  }
  const [a = 0, b = 0] = count.map((known, group) => (squares[group] ?? 0) / (known - 1) / known);
  return ((mean[1] ?? 0) - (mean[0] ?? 0)) / Math.sqrt(a + b);
}

/** Chance alone goes over the limit once in 150,000 times, a neighbour on the same machine more often: two of three count. */
async function assertEven(guesser: Guesser, length: number): Promise<void> {
  const seen: number[] = [];
  for (let run = 0; run < 3; run++) {
    seen.push(await compare(guesser, length));
    if (seen.filter((t) => Math.abs(t) < LIMIT).length > seen.length / 2) return;
  }
  assert.fail(`t is ${seen.join(", ")}`);
}

function wrongAt(bytes: Uint8Array, place: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[place] = (copy[place] ?? 0) ^ 0x01;
  return copy;
}

function textWrongAt(text: string, place: number): string {
  return new TextDecoder().decode(wrongAt(new TextEncoder().encode(text), place));
}

const BODY = new TextEncoder().encode('{"update_id":1}');
const SECRET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789";

function verifying(receiver: WebhookReceiver | undefined, headers: Readonly<Record<string, string>>): Guess {
  assert.ok(receiver !== undefined);
  const given = new Headers(headers);
  return () => receiver.verify(given, BODY);
}

describeLong("secrets and signatures are compared in constant time (G20)", () => {
  it(`sees a comparison that stops at the first difference, in ${SAMPLES} samples (G20)`, async () => {
    const secret = new TextEncoder().encode(SECRET);
    // deno-lint-ignore require-await -- as asynchronous as what it stands beside
    async function stopsEarly(given: Uint8Array): Promise<boolean> {
      for (let index = 0; index < secret.length; index++) if (given[index] !== secret[index]) return false;
      return true;
    }
    const t = await compare((place) => {
      const given = wrongAt(secret, place);
      return () => stopsEarly(given);
    }, secret.length);
    assert.ok(t > LIMIT, `t is ${t}: what follows would show nothing`);
  }, TEN_MINUTES_MS);

  it(`secureEqual(): t below ${LIMIT} in ${SAMPLES} samples (G20)`, async () => {
    await assertEven((place) => {
      const given = textWrongAt(SECRET, place);
      return () => secureEqual(given, SECRET);
    }, SECRET.length);
  }, TEN_MINUTES_MS);

  it(`createHmacSha256().verify(): t below ${LIMIT} in ${SAMPLES} samples (G20)`, async () => {
    const hmac = createHmacSha256(SECRET);
    const signature = await hmac.sign(BODY);
    await assertEven((place) => {
      const given = wrongAt(signature, place);
      return () => hmac.verify(BODY, given);
    }, signature.length);
  }, TEN_MINUTES_MS);

  it(`the verifier of Telegram: t below ${LIMIT} in ${SAMPLES} samples (G20)`, async () => {
    const { webhook } = new TelegramCommunicator("it", {
      token: "1:a",
      listenToCommands: true,
      webhookSecret: SECRET,
      chats: {},
    });
    const name = "x-telegram-bot-api-secret-token";
    await assertEven((place) => verifying(webhook, { [name]: textWrongAt(SECRET, place) }), SECRET.length);
  }, TEN_MINUTES_MS);

  it(`the verifier of WhatsApp: t below ${LIMIT} in ${SAMPLES} samples (G20)`, async () => {
    const { webhook } = new WhatsAppCommunicator("it", { token: "t", phoneNumberId: "1", appSecret: SECRET });
    const signature = await createHmacSha256(SECRET).sign(BODY);
    await assertEven(
      (place) => verifying(webhook, { "x-hub-signature-256": `sha256=${encodeHex(wrongAt(signature, place))}` }),
      signature.length,
    );
  }, TEN_MINUTES_MS);

  it(`the verifier of Standard Webhooks: t below ${LIMIT} in ${SAMPLES} samples (G20)`, async () => {
    const secret = createWebhookSecret();
    const clock = new ManualClock();
    const { webhook } = new WebhookCommunicator("it", { secret, clock });
    const at = String(clock.now() / 1_000);
    const signed = new TextEncoder().encode(`id.${at}.${new TextDecoder().decode(BODY)}`);
    const key = decodeBase64(secret.slice("whsec_".length)) ?? assert.fail();
    const signature = await createHmacSha256(key).sign(signed);
    const headers = (given: Uint8Array): Record<string, string> => ({
      "webhook-id": "id",
      "webhook-timestamp": at,
      "webhook-signature": `v1,${encodeBase64(given)}`,
    });
    assert.equal(await verifying(webhook, headers(signature))(), true);
    await assertEven((place) => verifying(webhook, headers(wrongAt(signature, place))), signature.length);
  }, TEN_MINUTES_MS);
});
