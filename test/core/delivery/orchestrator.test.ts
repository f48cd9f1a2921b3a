import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import fc from "fast-check";
import {
  asDeliveryChannel,
  type ChannelDelivery,
  ChannelRegistry,
  type DeliveryChannel,
  DeliveryOrchestrator,
  type DeliveryOrchestratorOptions,
  FallbackCommunicator,
  htmlToText,
  ManualClock,
  type NotificationPayload,
  PosthornError,
  type Receipt,
  renderNotification,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { BUSY, LOST, REFUSED, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

type Answer = boolean | Receipt | Error | "hang";

/** A channel with a log of its own; accepts once its answers have run out. */
class Way implements DeliveryChannel {
  readonly name: string;
  readonly addressKind?: string;
  readonly log: ChannelDelivery[] = [];
  readonly answers: Answer[];
  available: boolean | Error = true;

  constructor(name: string, answers: readonly Answer[] = [], addressKind?: string) {
    this.name = name;
    this.answers = [...answers];
    if (addressKind !== undefined) this.addressKind = addressKind;
  }

  isAvailable(): boolean {
    if (this.available instanceof Error) throw this.available;
    return this.available;
  }

  async send(delivery: ChannelDelivery): Promise<boolean | Receipt> {
    this.log.push(delivery);
    const answer = this.answers.shift() ?? true;
    if (answer instanceof Error) throw answer;
    return answer === "hang" ? await new Promise<never>(() => {}) : answer;
  }
}

const TO = { email: "ann@example.com", phone: "+4912345", telegram: "4711", whatsapp: "4912345" };

function payload(more: Partial<NotificationPayload> = {}): NotificationPayload {
  return { notificationId: "n1", recipient: TO, subject: "Disk", textContent: "Disk usage at 95%", ...more };
}

function of(channels: readonly DeliveryChannel[], options: Omit<DeliveryOrchestratorOptions, "channels"> = {}) {
  return new DeliveryOrchestrator({ channels, ...options });
}

function logOf(...ways: readonly Way[]): readonly number[] {
  return ways.map((way) => way.log.length);
}

describe("DeliveryOrchestrator.deliver", () => {
  it("tries channels in order and stops at the first success", async () => {
    const ways = [new Way("email", [false]), new Way("phone"), new Way("telegram")] as const;
    assert.equal(await of(ways).deliver(payload()), true);
    assert.deepEqual(logOf(...ways), [1, 1, 0]);
  });

  it("is false when all are exhausted, and logs that with the notification's id (C6)", async () => {
    const errors: unknown[] = [];
    const logger = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (message: string, fields?: unknown) => errors.push([message, fields]),
    };
    const orchestrator = of([new Way("email", [false]), new Way("phone", [false])], { logger });
    assert.equal(await orchestrator.deliver(payload()), false);
    assert.deepEqual(errors, [["all channels exhausted", { notificationId: "n1", tried: 2 }]]);
  });

  it("logs what a channel throws, without its message, and tries the next", async () => {
    const errors: string[] = [];
    const logger = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (message: string, fields?: unknown) => errors.push(`${message} ${JSON.stringify(fields)}`),
    };
    const ways = [new Way("email", [new TypeError("down")]), new Way("phone")] as const;
    const outcome = await of(ways, { logger }).deliverDetailed(payload());
    assert.equal(outcome.channel, "phone");
    assert.match(errors.join(), /delivery channel threw.*"n1".*"email"/);
    const [first] = outcome.attempts;
    assert.deepEqual(first?.receipt, {
      outcome: "rejected",
      retryable: true,
      reason: "network",
      detail: "it threw TypeError",
    });
  });

  it("asks isAvailable before each delivery, and records why it skipped (C2, C8)", async () => {
    const email = new Way("email");
    const phone = new Way("phone");
    const orchestrator = of([email, phone]);
    email.available = false;
    const first = await orchestrator.deliverDetailed(payload({ notificationId: "1" }));
    assert.deepEqual([first.channel, first.attempts.map(({ channel, receipt }) => [channel, receipt.outcome])], [
      "phone",
      [["email", "skipped"], ["phone", "accepted"]],
    ]);
    email.available = new Error("cannot say");
    assert.equal((await orchestrator.deliverDetailed(payload({ notificationId: "2" }))).channel, "phone");
    email.available = true;
    assert.equal((await orchestrator.deliverDetailed(payload({ notificationId: "3" }))).channel, "email");
  });

  it("gives each channel the address of its own kind, and no other (C1)", async () => {
    const ways = [new Way("email", [false]), new Way("sms", [false], "phone"), new Way("pager")] as const;
    const outcome = await of(ways).deliverDetailed(payload({ htmlContent: "<b>x</b>", eventType: "disk" }));
    assert.deepEqual(ways.map((way) => way.log.map(({ to }) => to)), [["ann@example.com"], ["+4912345"], []]);
    const last = outcome.attempts.at(-1)?.receipt;
    assert.deepEqual(last, { outcome: "skipped", detail: "the recipient has no address of this kind" });
    const [seen] = ways[0].log;
    assert.deepEqual([seen?.subject, seen?.textContent, seen?.htmlContent, seen?.eventType, seen?.notificationId], [
      "Disk",
      "Disk usage at 95%",
      "<b>x</b>",
      "disk",
      "n1",
    ]);
  });

  it("lets payload.channels choose and order, and refuses unknown and repeated names (C2)", async () => {
    const ways = [new Way("email"), new Way("phone", [false]), new Way("telegram", [false])] as const;
    const orchestrator = of(ways);
    const outcome = await orchestrator.deliverDetailed(payload({ channels: ["telegram", "phone"] }));
    assert.deepEqual(outcome.attempts.map(({ channel }) => channel), ["telegram", "phone"]);
    assert.deepEqual(logOf(...ways), [0, 1, 1]);
    await assert.rejects(orchestrator.deliver(payload({ channels: ["emial"] })), /did you mean "email"/);
    await assert.rejects(orchestrator.deliver(payload({ channels: ["email", "email"] })), { argument: "channels" });
    assert.deepEqual(logOf(...ways), [0, 1, 1]);
  });

  it("is idempotent by notificationId, also at once; what nobody took may be tried again (C4)", async () => {
    const email = new Way("email", [false]);
    const orchestrator = of([email]);
    assert.equal(await orchestrator.deliver(payload()), false);
    assert.deepEqual(await Promise.all([1, 2, 3].map(() => orchestrator.deliver(payload()))), [true, true, true]);
    assert.equal(await orchestrator.deliver(payload()), true);
    assert.equal(email.log.length, 2);
    assert.equal(email.log[0]?.deliveryId, email.log[1]?.deliveryId, "one identity for each try");
  });

  it("retries an unknown on the same channel and never moves on by default (C3)", async () => {
    const ways = [new Way("email", [LOST, LOST, LOST]), new Way("phone")] as const;
    const outcome = await of(ways).deliverDetailed(payload());
    assert.deepEqual([outcome.delivered, outcome.possiblyDelivered, logOf(...ways)], [false, true, [3, 0]]);
    const refused = [new Way("email", [LOST, REFUSED]), new Way("phone")] as const;
    await of(refused).deliver(payload());
    assert.deepEqual(logOf(...refused), [2, 0], "a refusal after an unknown leaves it unknown");
    const hold = [new Way("email", [LOST]), new Way("phone")] as const;
    await of(hold, { onUnknown: "hold" }).deliver(payload());
    assert.deepEqual(logOf(...hold), [1, 0]);
    const told = [new Way("email", [LOST]), new Way("phone")] as const;
    assert.equal((await of(told, { onUnknown: "fallback" }).deliverDetailed(payload())).channel, "phone");
    assert.deepEqual(logOf(...told), [1, 1]);
  });

  it("takes a timeout for an unknown, be it ours or the channel's, and tells the channel to end (C3, C4)", async () => {
    const clock = new ManualClock();
    const ways = [new Way("email", ["hang"]), new Way("phone")] as const;
    const delivered = of(ways, { clock, timeoutMs: 5_000, maxAttempts: 1 }).deliverDetailed(payload());
    await eventually(clock, () => ways[0].log.length === 1);
    await clock.advance(5_000);
    const outcome = await delivered;
    assert.deepEqual(outcome.attempts.map(({ receipt }) => receipt), [{
      outcome: "unknown",
      detail: "no answer in 5000 ms",
    }]);
    assert.equal(ways[0].log[0]?.signal.aborted, true);
    assert.equal(ways[1].log.length, 0);
    for (const error of [new PosthornError("timeout", "Cannot wait"), new DOMException("late", "TimeoutError")]) {
      const own = [new Way("email", [error]), new Way("phone")] as const;
      await of(own, { maxAttempts: 1 }).deliver(payload());
      assert.deepEqual(logOf(...own), [1, 0]);
    }
    assert.equal(clock.pending, 0);
  });

  it("sends by all at once with policy parallel: the first success wins, also when it comes last", async () => {
    const ways = [new Way("email", [false]), new Way("phone", ["hang"]), new Way("telegram")] as const;
    const clock = new ManualClock();
    const outcome = await of(ways, { policy: "parallel", clock }).deliverDetailed(payload());
    assert.equal(outcome.channel, "telegram");
    assert.deepEqual(logOf(...ways), [1, 1, 1]);
    await clock.advance(60_000);
    assert.equal(ways[1].log.length, 1, "nobody tries again what another channel delivered");
    const none = [new Way("email", [false]), new Way("phone", [REFUSED])] as const;
    assert.equal(await of(none, { policy: "parallel" }).deliver(payload()), false);
    assert.equal(await of([], { policy: "parallel" }).deliver(payload()), false);
  });

  it("rests a channel that keeps failing, shows that, and ends the rest with one trial", async () => {
    const clock = new ManualClock();
    clock.jumpWall(86_400_000);
    const email = new Way("email", [BUSY, BUSY, BUSY]);
    const orchestrator = of([email, new Way("phone")], { clock, resting: { afterFailures: 3, forMs: 1_000 } });
    for (const id of ["1", "2", "3"]) await orchestrator.deliver(payload({ notificationId: id }));
    assert.deepEqual(orchestrator.restingState("email"), { failures: 3, restsUntil: clock.now() + 1_000 });
    const rested = await orchestrator.deliverDetailed(payload({ notificationId: "4" }));
    assert.deepEqual([rested.channel, rested.attempts[0]?.receipt.outcome, email.log.length], ["phone", "skipped", 3]);
    const until = new Date(clock.now() + 1_000).toISOString();
    assert.equal(rested.attempts[0]?.receipt.detail, `resting until ${until} after 3 failures in a row`);
    await clock.advance(1_000);
    const both = ["5", "6"].map((id) => orchestrator.deliverDetailed(payload({ notificationId: id })));
    assert.deepEqual((await Promise.all(both)).map(({ channel }) => channel), ["email", "phone"]);
    assert.deepEqual(orchestrator.restingState("email"), { failures: 0 });
  });

  it("does not rest a channel for what is wrong with one recipient", async () => {
    const email = new Way("email", [REFUSED, REFUSED]);
    const orchestrator = of([email], { resting: { afterFailures: 2 } });
    for (const id of ["1", "2"]) await orchestrator.deliver(payload({ notificationId: id }));
    assert.deepEqual(orchestrator.restingState("email"), { failures: 0 });
  });

  it("refuses two channels of one name, and payloads that are none (C8)", async () => {
    assert.throws(() => of([new Way("email"), new Way("email")]), { code: "routing" });
    for (const bad of [{ notificationId: "" }, { textContent: " " }, { textContent: "", htmlContent: "<p></p>" }]) {
      await assert.rejects(of([new Way("email")]).deliver(payload(bad)), { code: "invalid-argument" });
    }
  });

  it("tries 6 outcomes on 4 channels, 1,296 cases: one definite delivery, the attempt list complete (G14)", async () => {
    const outcomes = ["accepted", "false", "rejected", "threw", "unknown", "skipped"] as const;
    const answers = { accepted: true, false: false, rejected: REFUSED, threw: new Error("x"), unknown: LOST } as const;
    const names = ["email", "phone", "telegram", "whatsapp"];
    let cases = 0;
    for (let number = 0; number < 6 ** 4; number++) {
      cases++;
      const chosen = names.map((_, index) => outcomes[Math.floor(number / 6 ** index) % 6] ?? "skipped");
      const ways = chosen.map((outcome, index) => {
        const way = new Way(names[index] ?? "", outcome === "skipped" ? [] : Array(3).fill(answers[outcome]));
        way.available = outcome !== "skipped";
        return way;
      });
      const outcome = await of(ways, { resting: { afterFailures: 9 } }).deliverDetailed(payload());
      const stop = chosen.findIndex((each) => each === "accepted" || each === "unknown");
      const reached = chosen.slice(0, stop === -1 ? 4 : stop + 1);
      const tries = chosen.map((each, index) => {
        return index >= reached.length || each === "skipped" ? 0 : each === "unknown" ? 3 : 1;
      });
      assert.deepEqual(ways.map((way) => way.log.length), tries, chosen.join());
      const wanted = reached.flatMap((each, index) => Array(Math.max(1, tries[index] ?? 1)).fill([names[index], each]));
      const words = outcome.attempts.map(({ channel, receipt }, index) => {
        const word = wanted[index]?.[1];
        const isRejected = word === "false" || word === "rejected" || word === "threw";
        assert.equal(receipt.outcome, isRejected ? "rejected" : word, chosen.join());
        return [channel, word];
      });
      assert.deepEqual(words, wanted);
      assert.equal(outcome.channel, chosen[stop] === "accepted" ? names[stop] : undefined);
      assert.equal(outcome.possiblyDelivered, chosen[stop] === "unknown");
    }
    assert.equal(cases, 1_296);
  });
});

describe("ChannelRegistry", () => {
  it("builds channels in the order of registration, leaving out those not asked for; localhost is a host (C9)", () => {
    const registry = new ChannelRegistry<{ readonly host?: string }>();
    registry.register("email", ({ host }) => host === undefined ? undefined : new Way("email"));
    registry.register("phone", () => new Way("phone"));
    assert.deepEqual(registry.names, ["email", "phone"]);
    assert.deepEqual(registry.buildChannels({ host: "localhost" }).map(({ name }) => name), ["email", "phone"]);
    assert.deepEqual(registry.buildChannels({}).map(({ name }) => name), ["phone"]);
  });

  it("refuses a name twice and reports every factory that fails, without what it said (C8)", () => {
    const registry = new ChannelRegistry();
    registry.register("email", () => {
      throw new Error("password hunter2 refused");
    });
    registry.register("phone", () => {
      throw new PosthornError("config", "Cannot make phone: 'number' is missing");
    });
    assert.throws(() => registry.register("email", () => undefined), { code: "routing" });
    assert.throws(() => registry.buildChannels({}), (error: Error) => {
      assert.match(error.message, /email.*Error/s);
      assert.match(error.message, /phone.*'number' is missing/s);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });
});

describe("asDeliveryChannel()", () => {
  it("makes a channel of any backend; what it throws is an unknown (C3)", async () => {
    const chat = new ScriptedCommunicator("telegram", { script: [new Error("socket closed"), REFUSED] });
    const channel = asDeliveryChannel(chat);
    assert.deepEqual([channel.name, channel.addressKind, channel.isAvailable()], ["telegram", "telegram", false]);
    await chat.start();
    const phone = new Way("phone");
    const outcome = await of([channel, phone], { maxAttempts: 1 }).deliverDetailed(payload());
    assert.deepEqual([outcome.delivered, outcome.possiblyDelivered, phone.log.length], [false, true, 0]);
    assert.equal(chat.seen[0]?.recipient, "4711");
    assert.equal((await of([channel, phone]).deliverDetailed(payload())).channel, "phone");
    await chat.stop();
  });
});

describe("renderNotification()", () => {
  it("takes any template function; text that is absent is made from the HTML, never a placeholder (C5)", async () => {
    const { textContent: _text, ...rest } = payload();
    const rendered = await renderNotification(rest, () => ({ html: "<p>Disk at <b>95 %</b></p>" }));
    const email = new Way("email");
    assert.equal(await of([email]).deliver(rendered), true);
    assert.deepEqual([email.log[0]?.textContent, email.log[0]?.htmlContent], ["Disk at 95 %", rendered.htmlContent]);
    const both = await renderNotification(rest, () => Promise.resolve({ html: "<p>x</p>", text: "y" }));
    assert.deepEqual([both.htmlContent, both.textContent], ["<p>x</p>", "y"]);
    const nothing = await renderNotification(rest, () => ({ html: "<style>p { color: red }</style>" }));
    await assert.rejects(of([email]).deliver(nothing), { argument: "textContent" });
  });
});

describe("htmlToText()", () => {
  it("never throws, leaves no tag, and takes its time in proportion", () => {
    const tags = ["<p>", "</p>", ">", "<a href='x'>", "</a>", "<!--", "-->", "<script>", "<br/>", '"', "b "];
    const anything = fc.oneof(fc.string(), fc.array(fc.constantFrom("<", ...tags)).map((pieces) => pieces.join("")));
    fc.assert(fc.property(anything, (html) => assert.equal(typeof htmlToText(html), "string")), { numRuns: 2_000 });
    // A bare "<" is text, and what follows the next tag may then look like one: "<<i>b>" says "<b>".
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...tags)).map((pieces) => pieces.join("")), (html) => {
        assert.doesNotMatch(htmlToText(html), /[<]/);
      }),
      { numRuns: 2_000 },
    );
    for (const hostile of ["<", "<a href=''>", "<!--", "<script>", '<a ="', "</", "&"]) {
      assert.equal(typeof htmlToText(hostile.repeat(200_000 / hostile.length)), "string");
    }
  });

  it("keeps addresses of links, decodes entities, and does not take decoded text for tags", () => {
    assert.equal(htmlToText('<p>See <a href="https://example.com">here</a></p>'), "See here (https://example.com)");
    assert.equal(htmlToText("&lt;b&gt; &amp;amp; &#8364;"), "<b> &amp; €");
  });
});

describe("FallbackCommunicator.send() without an outbox", () => {
  const message = { id: "m", timestamp: 0, message: "fire", label: "page", severity: "info" } as const;
  const rest = { metadata: {}, attachments: [], recipients: [] as readonly string[] };
  const context = { deliveryId: "d", attempt: 1, signal: new AbortController().signal };

  async function group(policy: "ordered" | "parallel", ...scripts: readonly (readonly (Receipt | Error)[])[]) {
    const channels = scripts.map((script, index) => new ScriptedCommunicator(`b${index}`, { script }));
    for (const channel of channels) await channel.start();
    const reach = new FallbackCommunicator("reach", { channels, policy });
    return { channels, reach, seen: () => channels.map((channel) => channel.seen.length) };
  }

  it("goes on after a definite failure, and stops at an unknown or a throw", async () => {
    const plain = await group("ordered", [REFUSED], [], []);
    assert.equal((await plain.reach.send({ ...message, ...rest }, context)).outcome, "accepted");
    assert.deepEqual(plain.seen(), [1, 1, 0]);
    for (const doubt of [LOST, new Error("socket closed")]) {
      const lost = await group("ordered", [doubt], []);
      assert.equal((await lost.reach.send({ ...message, ...rest }, context)).outcome, "unknown");
      assert.deepEqual(lost.seen(), [1, 0]);
    }
    const none = await group("ordered", [REFUSED], [BUSY]);
    assert.deepEqual(await none.reach.send({ ...message, ...rest }, context), BUSY);
  });

  it("sends to every recipient meant for a channel, each under an id of its own", async () => {
    const { reach, channels, seen } = await group("ordered", [REFUSED], []);
    const sent = { ...message, ...rest, recipients: ["b0:ann", "b0:bob", "b1:eve"] };
    assert.equal((await reach.send(sent, context)).outcome, "accepted");
    assert.deepEqual(seen(), [2, 0]);
    assert.deepEqual(channels[0]?.seen.map(({ recipient }) => recipient), ["ann", "bob"]);
    assert.equal(new Set(channels[0]?.seen.map(({ deliveryId }) => deliveryId)).size, 2);
  });

  it("sends by all at once with policy parallel, and nests", async () => {
    const { reach, seen } = await group("parallel", [REFUSED], [], [LOST]);
    const outer = new FallbackCommunicator("outer", { channels: [reach] });
    await reach.start();
    assert.equal((await outer.send({ ...message, ...rest }, context)).outcome, "accepted");
    assert.deepEqual(seen(), [1, 1, 1]);
  });
});
