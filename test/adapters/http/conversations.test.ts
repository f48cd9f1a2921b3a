import { afterEach, describe, it } from "bun:test";
import assert from "node:assert/strict";
import { EmulatorCommunicator } from "../../../adapters/emulator/mod.ts";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { type RunningServer, serve } from "../../../adapters/serve/mod.ts";
import { Application, type IncomingMessageHandler, type Logger, MemoryStore } from "../../../core/mod.ts";
import { EventReader, type ReceivedEvent } from "./sse-reader.ts";

interface Bench {
  readonly url: string;
  readonly token: string;
  readonly application: Application;
  readonly server: RunningServer;
  readonly complaints: string[];
}

let bench: Bench | undefined;

async function open(handler: IncomingMessageHandler): Promise<Bench> {
  const complaints: string[] = [];
  const complain = (text: string, fields?: unknown): void => void complaints.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: () => {}, info: () => {}, warn: complain, error: complain };
  const store = new MemoryStore();
  const emulator = new EmulatorCommunicator("emulator", { store, logger });
  const application = await Application.create({}, {
    store,
    closeStore: true,
    logger,
    communicators: [{ communicator: emulator }],
  });
  application.messenger.route(handler);
  const server = await serve(createHttpApp(application, { emulator: true }), { port: 0 });
  bench = { url: server.url, token: emulator.token, application, server, complaints };
  return bench;
}

/** Somebody who talks to the program, over real connections. */
class Person {
  readonly name: string;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  /** Everything that was seen, in order. */
  readonly seen: ReceivedEvent[] = [];
  #reader: EventReader | undefined;
  #place = "0";

  constructor(name: string, { url, token }: Bench) {
    this.name = name;
    this.#url = url;
    this.#headers = { authorization: `Bearer ${token}` };
  }

  async arrive(): Promise<void> {
    const answer = await this.#post("/emulator/conversations", { name: this.name });
    assert.equal(answer.status, 200);
    await answer.json();
  }

  async say(text: string): Promise<void> {
    const answer = await this.#post("/webhooks/emulator", { conversation: this.name, text });
    assert.equal(answer.status, 200, await answer.text());
  }

  /** Listens until so many answers were seen; now and then the connection is lost. */
  async listen(answers: number, cutEvery = Infinity): Promise<readonly string[]> {
    for (let heard = 0; this.answers().length < answers; heard++) {
      if (this.#reader !== undefined && heard % cutEvery === cutEvery - 1) await this.leave();
      this.#reader ??= await this.#connect();
      const event = await this.#reader.next();
      assert.ok(event !== undefined, "the stream ended");
      if (event.type === "hello") continue;
      assert.notEqual(event.type, "reset");
      this.#place = event.lastEventId;
      this.seen.push(event);
    }
    return this.answers();
  }

  answers(): readonly string[] {
    return this.seen.map(({ data }) => JSON.parse(data)).filter(({ from }) => from === "program").map(({ text }) =>
      text
    );
  }

  async leave(): Promise<void> {
    await this.#reader?.cancel();
    this.#reader = undefined;
  }

  async #connect(): Promise<EventReader> {
    const address = `${this.#url}/emulator/events?conversation=${this.name}`;
    const answer = await fetch(address, { headers: { ...this.#headers, "last-event-id": this.#place } });
    assert.equal(answer.status, 200);
    return new EventReader(answer.body ?? assert.fail("no body"));
  }

  #post(path: string, value: unknown): Promise<Response> {
    return fetch(this.#url + path, { method: "POST", headers: this.#headers, body: JSON.stringify(value) });
  }
}

afterEach(async () => {
  await bench?.server.stop();
  await bench?.application.stop();
  bench = undefined;
});

describe("conversations over HTTP and event streams", () => {
  it("answers 1,000 messages of 50 conversations once each and in order, while a handler sleeps", async () => {
    let wake = (): void => {};
    const asleep = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const running = await open(async (context) => {
      const { text, conversation } = context.message;
      if (conversation === "sleeper") await asleep;
      context.reply(`${conversation} said ${text}`);
    });
    const people = Array.from({ length: 50 }, (_, index) => new Person(`person-${index}`, running));
    const sleeper = new Person("sleeper", running);
    await Promise.all([sleeper, ...people].map((person) => person.arrive()));
    await sleeper.say("first");
    await sleeper.say("second");
    const numbers = Array.from({ length: 20 }, (_, index) => `${index + 1}`);
    await Promise.all(people.map(async (person, index) => {
      const heard = person.listen(numbers.length, index % 5 === 0 ? 7 : Infinity);
      for (const number of numbers) await person.say(number);
      assert.deepEqual(await heard, numbers.map((number) => `${person.name} said ${number}`));
    }));
    // Nobody waited for the sleeper, who has been handed one message and not the next.
    assert.deepEqual(sleeper.answers(), []);
    wake();
    assert.deepEqual(await sleeper.listen(2), ["sleeper said first", "sleeper said second"]);
    for (const person of people) {
      const ids = person.seen.map(({ lastEventId }) => Number(lastEventId));
      assert.deepEqual(ids, [...new Set(ids)].sort((left, right) => left - right), "no event twice, none out of order");
      for (const { data } of person.seen) assert.equal(JSON.parse(data).conversation, person.name);
    }
    await Promise.all([sleeper, ...people].map((person) => person.leave()));
    assert.deepEqual(running.complaints, []);
  });

  it("goes on after a handler that throws: the message is tried again and the others are not held up", async () => {
    const tries = new Map<string, number>();
    const running = await open((context) => {
      const { text } = context.message;
      tries.set(text, (tries.get(text) ?? 0) + 1);
      context.reply(`answer to ${text}`);
      if (text === "poison" && context.attempt === 1) throw new Error("the handler failed");
    });
    const [anna, bob] = [new Person("anna", running), new Person("bob", running)];
    await Promise.all([anna.arrive(), bob.arrive()]);
    await anna.say("poison");
    await bob.say("harmless");
    assert.deepEqual(await bob.listen(1), ["answer to harmless"]);
    assert.deepEqual(await anna.listen(1), ["answer to poison"]);
    assert.equal(tries.get("poison"), 2);
    const states = anna.seen.map(({ data }) => JSON.parse(data)).filter(({ type }) => type === "state");
    assert.ok(states.some(({ state }) => state === "retrying"));
    await Promise.all([anna.leave(), bob.leave()]);
  });
});
