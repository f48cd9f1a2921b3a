import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { TelegramCommunicator } from "../../adapters/telegram/mod.ts";
import {
  createWebhookSecret,
  DiscordCommunicator,
  NtfyCommunicator,
  SlackCommunicator,
  WebhookCommunicator,
} from "../../adapters/webhook/mod.ts";
import { WhatsAppCommunicator } from "../../adapters/whatsapp/mod.ts";
import { Application, type Communicator, type DeliveryEvent, ManualClock, MemoryStore } from "../../core/mod.ts";
import { SeededRandom } from "../simulation/random.ts";
import { BUSY, ScriptedCommunicator } from "../support/scripted-communicator.ts";

const SEED = 20_261_121;
const SECOND = 1_000;
/** With many recipients, which wait at the same time, and with one. Together 10,200. */
const REFUSALS = { many: 2_800, one: 600 };
const LANES = 40;
const REFUSALS_PER_MESSAGE = 6;

/** One answer that asks to wait, and for how long. */
interface Refusal {
  readonly response: Response;
  readonly waitMs: number;
}

/** How a network is asked, and how it says "later". */
interface Network {
  readonly name: string;
  readonly make: (name: string, fetch: typeof globalThis.fetch, clock: ManualClock) => Communicator;
  readonly recipient: (lane: number) => string | undefined;
  /** Where a request goes and what it says. */
  readonly read: (body: Readonly<Record<string, unknown>>) => { readonly lane: string; readonly text: string };
  readonly refuse: (waitSeconds: number, refusedBefore: number, now: number) => Refusal;
  readonly accept: (count: number) => Response;
}

function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}

function textAt(value: unknown, ...path: readonly string[]): string {
  let found = value;
  for (const key of path) found = typeof found === "object" && found !== null ? Reflect.get(found, key) : undefined;
  assert.ok(typeof found === "string" || typeof found === "number", path.join("."));
  return String(found);
}

/** By seconds, or by a date, which knows whole seconds only. */
function retryAfter(seconds: number, now: number): { readonly header: string; readonly waitMs: number } {
  if (seconds % 3 !== 0) return { header: String(seconds), waitMs: seconds * SECOND };
  const until = Math.ceil(now / SECOND) * SECOND + seconds * SECOND;
  return { header: new Date(until).toUTCString(), waitMs: until - now };
}

function byHeader(status: number, body: object): Network["refuse"] {
  return (seconds, _before, now) => {
    const { header, waitMs } = retryAfter(seconds, now);
    return { response: json(status, body, { "retry-after": header }), waitMs };
  };
}

const NETWORKS: readonly Network[] = [
  {
    name: "telegram",
    make: (name, fetch, clock) => new TelegramCommunicator(name, { token: "1:a", chats: {}, fetch }, { clock }),
    recipient: (lane) => String(lane + 1),
    read: (body) => ({ lane: textAt(body, "chat_id"), text: textAt(body, "text") }),
    refuse: (seconds, before, now) => {
      if (before % 3 === 2) {
        // Somebody in between, with a page of its own.
        const { header, waitMs } = retryAfter(seconds, now);
        return { response: new Response("<html>", { status: 429, headers: { "retry-after": header } }), waitMs };
      }
      const parameters = { retry_after: seconds };
      return {
        response: json(429, { ok: false, error_code: 429, description: "slow", parameters }),
        waitMs: seconds * SECOND,
      };
    },
    accept: (count) =>
      json(200, { ok: true, result: { message_id: count, date: 0, chat: { id: 1, type: "private" } } }),
  },
  {
    name: "whatsapp",
    make: (name, fetch, clock) => new WhatsAppCommunicator(name, { token: "t", phoneNumberId: "1", fetch, clock }),
    recipient: (lane) => String(491_700_000_000 + lane),
    read: (body) => ({ lane: textAt(body, "to"), text: textAt(body, "text", "body") }),
    refuse: (seconds, before, now) => {
      // Meta's documentation asks for 4^n seconds, which we end at 15 minutes; who stands in between may ask for more by a header.
      const byCode = Math.min(4 ** before, 15 * 60) * SECOND;
      if (before % 2 === 0) return { response: json(400, { error: { code: 131_056 } }), waitMs: byCode };
      const { header, waitMs } = retryAfter(seconds, now);
      return {
        response: json(400, { error: { code: 131_056 } }, { "retry-after": header }),
        waitMs: Math.max(waitMs, byCode),
      };
    },
    accept: (count) => json(200, { messages: [{ id: `wamid.${count}` }] }),
  },
  {
    name: "webhook",
    make: (name, fetch, clock) =>
      new WebhookCommunicator(name, { url: "https://hooks.example.com/", secret: createWebhookSecret(), fetch, clock }),
    recipient: (lane) => `r${lane}`,
    read: (body) => ({ lane: textAt(body, "data", "recipient"), text: textAt(body, "data", "message") }),
    refuse: byHeader(429, {}),
    accept: () => new Response(null, { status: 204 }),
  },
  {
    name: "slack",
    make: (name, fetch, clock) =>
      new SlackCommunicator(name, { webhookUrl: "https://hooks.slack.com/services/a/b/c", fetch, clock }),
    recipient: () => undefined,
    read: (body) => ({ lane: "", text: textAt(body, "text") }),
    refuse: byHeader(429, {}),
    accept: () => new Response("ok"),
  },
  {
    name: "discord",
    make: (name, fetch, clock) =>
      new DiscordCommunicator(name, { webhookUrl: "https://discord.com/api/webhooks/1/a", fetch, clock }),
    recipient: () => undefined,
    read: (body) => ({ lane: "", text: textAt(body, "content") }),
    refuse: (seconds) => ({
      response: json(429, { retry_after: seconds + 0.25, global: false }),
      waitMs: (seconds + 0.25) * SECOND,
    }),
    accept: (count) => json(200, { id: String(count) }),
  },
  {
    name: "ntfy",
    make: (name, fetch, clock) => new NtfyCommunicator(name, { topic: "t", fetch, clock }),
    recipient: () => undefined,
    read: (body) => ({ lane: "", text: textAt(body, "message") }),
    refuse: byHeader(429, { code: 42_901 }),
    accept: (count) => json(200, { id: `n${count}` }),
  },
];

/** A network that refuses every message a few times, and writes down who comes before the time it asked for. */
class Limiter {
  refused = 0;
  accepted = 0;
  readonly early: string[] = [];
  readonly #network: Network;
  readonly #clock: ManualClock;
  readonly #random: SeededRandom;
  readonly #notBefore = new Map<string, number>();
  readonly #refusals = new Map<string, number>();

  constructor(network: Network, clock: ManualClock, seed: number) {
    this.#network = network;
    this.#clock = clock;
    this.#random = new SeededRandom(seed);
  }

  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const body: unknown = await new Request(input, { ...init, redirect: "follow" }).json();
    assert.ok(typeof body === "object" && body !== null);
    const { lane, text } = this.#network.read({ ...body });
    const now = this.#clock.now();
    const notBefore = this.#notBefore.get(lane) ?? 0;
    if (now < notBefore) this.early.push(`${text} to "${lane}" came ${notBefore - now} ms early`);
    const before = this.#refusals.get(text) ?? 0;
    if (before >= REFUSALS_PER_MESSAGE) {
      this.accepted++;
      return this.#network.accept(this.accepted);
    }
    this.#refusals.set(text, before + 1);
    this.refused++;
    const { response, waitMs } = this.#network.refuse(1 + this.#random.below(30), before, now);
    this.#notBefore.set(lane, now + waitMs);
    return response;
  };
}

describe("a network that asks to wait (G11)", () => {
  for (const [index, network] of NETWORKS.entries()) {
    const refusals = network.recipient(0) === undefined ? REFUSALS.one : REFUSALS.many;
    it(`${network.name} is not asked early: ${refusals} refusals with a time, of 10,200 in all (G11)`, async () => {
      const clock = new ManualClock();
      const limiter = new Limiter(network, clock, SEED + index);
      const app = await Application.create({
        communications: {
          enabled: true,
          backends: { it: { type: "it", rate: { backend: { count: 1_000_000 } }, retry: { max_attempts: 1 } } },
        },
      }, {
        backends: [{ type: "it", create: (name) => network.make(name, limiter.fetch, clock) }],
        clock,
        store: new MemoryStore({ clock }),
        closeStore: true,
      });
      const messages = Math.ceil(refusals / REFUSALS_PER_MESSAGE);
      for (let count = 0; count < messages; count++) {
        const recipient = network.recipient(count % LANES);
        await app.emit({ message: `m${count}`, ...(recipient === undefined ? {} : { recipients: [recipient] }) });
      }
      const start = clock.now();
      // Signing and hashing run beside the clock: it moves on once they have ended.
      while (limiter.accepted < messages) {
        assert.ok(clock.now() - start < 4 * 24 * 3_600 * SECOND, `${limiter.accepted} of ${messages} got through`);
        await clock.advance(60 * SECOND);
      }
      assert.ok(limiter.refused >= refusals, String(limiter.refused));
      assert.deepEqual(limiter.early, []);
      assert.equal((await app.outbox.deadLetters()).length, 0, "a wait that is asked for costs no attempt");
      await stop(app, clock);
    }, 120_000);
  }

  it("a server that asks for no wait at all gets the usual one, and it counts (G11)", async () => {
    const clock = new ManualClock();
    let asked = 0;
    const fetch = (): Promise<Response> => {
      asked++;
      return Promise.resolve(json(503, {}, { "retry-after": "0" }));
    };
    const url = "https://hooks.example.com/";
    const retry = { max_attempts: 4, base_delay: 10, max_delay: 10 };
    const app = await Application.create({
      communications: { enabled: true, backends: { hook: { type: "hook", retry } } },
    }, { backends: [{ type: "hook", create: (name) => new WebhookCommunicator(name, { url, fetch, clock }) }], clock });
    const report = await app.emit({ message: "hello" });
    for (let step = 0; step < 60; step++) await clock.advance(SECOND);
    assert.equal(asked, retry.max_attempts);
    assert.deepEqual((await report.settled()).map(({ status, reason }) => [status, reason]), [[
      "dead",
      "max-attempts",
    ]]);
    await stop(app, clock);
  });
});

async function stop(app: Application, clock: ManualClock): Promise<void> {
  const stopped = app.stop();
  for (let turn = 0; turn < 40; turn++) await clock.advance(SECOND);
  await stopped;
}

async function eventsOf(app: Application): Promise<readonly DeliveryEvent[]> {
  const events: DeliveryEvent[] = [];
  for (let page = await app.ledger.channel.read("test", { limit: 1_000 }); page.length > 0;) {
    events.push(...page.map(({ content }) => content));
    page = await app.ledger.channel.read("test", { limit: 1_000 });
  }
  return events;
}

describe("the schedule of retries (G11)", () => {
  const schedules = [
    { name: "the usual one", retry: { max_attempts: 6 }, ceilings: [1, 2, 4, 8, 16], floor: 0 },
    {
      name: "one with a ceiling",
      retry: { max_attempts: 6, base_delay: 10, max_delay: 30 },
      ceilings: [10, 20, 30, 30, 30],
      floor: 0,
    },
    {
      name: "a fixed one",
      retry: { max_attempts: 6, schedule: [60, 300, 900, 3_600] },
      ceilings: [60, 300, 900, 3_600, 3_600],
      floor: 0.8,
    },
  ];
  for (const { name, retry, ceilings, floor } of schedules) {
    it(`keeps ${name} within its jitter: 2,500 delays of 7,500 (G11)`, async () => {
      const clock = new ManualClock();
      const busy = new ScriptedCommunicator("it", {
        now: () => clock.now(),
        script: Array.from({ length: 3_000 }, () => BUSY),
      });
      const random = new SeededRandom(SEED);
      const app = await Application.create({
        communications: { enabled: true, backends: { it: { type: "it", retry, concurrency: 1_000 } } },
      }, { backends: [{ type: "it", create: () => busy }], clock, random: () => random.next() });
      for (let count = 0; count < 500; count++) await app.emit({ message: "x", recipients: [`r${count}`] });
      for (let step = 0; step < 300 && busy.seen.length < 3_000; step++) await clock.advance(60 * SECOND);
      assert.equal(busy.seen.length, 3_000);
      const sums = ceilings.map(() => 0);
      const dueAt = new Map<string, number>();
      for (const event of await eventsOf(app)) {
        if (event.status !== "rejected" || event.retryAt === undefined) continue;
        const attempt = event.attempt ?? assert.fail("no attempt");
        const ceiling = (ceilings[attempt - 1] ?? assert.fail(String(attempt))) * SECOND;
        const share = (event.retryAt - event.at) / ceiling;
        assert.ok(share >= floor - 0.001 && share <= 1, `${share} of the delay after attempt ${attempt}`);
        sums[attempt - 1] = (sums[attempt - 1] ?? 0) + share;
        dueAt.set(`${event.deliveryId} ${attempt + 1}`, event.retryAt);
      }
      assert.equal(dueAt.size, 2_500);
      for (const { deliveryId, attempt, at } of busy.seen) {
        assert.ok(at >= (dueAt.get(`${deliveryId} ${attempt}`) ?? 0), `attempt ${attempt} came early`);
      }
      // All of the range is used: programs that failed together do not come back together.
      for (const sum of sums) assert.ok(Math.abs(sum / 500 - (1 + floor) / 2) < 0.05, String(sum / 500));
      await stop(app, clock);
    });
  }
});
