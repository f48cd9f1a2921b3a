import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type CommunicatorCapabilities,
  type DeliveryEvent,
  type EditedMessage,
  ManualClock,
  MemoryStore,
  type PlanAnswer,
  type Receipt,
} from "../../../core/mod.ts";
import { type Death, mortal } from "../../support/plan-crashes.ts";
import { said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

/** A network that can change what was sent, with a log of its own. */
class Changing extends ScriptedCommunicator {
  override readonly capabilities: CommunicatorCapabilities = {
    receives: true,
    html: false,
    attachments: false,
    edits: true,
  };
  readonly edits: string[] = [];

  override editMessage({ messageId, message }: EditedMessage): Promise<Receipt> {
    this.edits.push(message);
    return Promise.resolve({ outcome: "accepted", providerMessageId: messageId });
  }
}

interface End {
  readonly answer: PlanAnswer;
  readonly handled: number;
  readonly edits: readonly string[];
  readonly phone: ScriptedCommunicator;
  readonly mail: ScriptedCommunicator;
  readonly told: readonly DeliveryEvent[];
  readonly commits: number;
}

const LEASE_MS = 1_000;
const QUESTION = {
  notificationId: "q",
  recipient: { chat: "ann", phone: "bob", mail: "cem" },
  textContent: "Deploy?",
};

/** Asks three people. One answers; the provider says it again until it is told that we have it. Processes may die. */
async function askThree(death: Death | undefined): Promise<End> {
  const clock = new ManualClock();
  const memory = new MemoryStore({ clock });
  const chat = new Changing("chat");
  const [phone, mail] = [new ScriptedCommunicator("phone"), new ScriptedCommunicator("mail")];
  let isTaken = false;
  let handled = 0;
  const live = async ({ store, commits }: ReturnType<typeof mortal>, life: number): Promise<End> => {
    const communicators = [chat, phone, mail].map((communicator) => ({ communicator }));
    const options = { clock, store, closeStore: false, mode: "pump", random: () => 0.5, leaseMs: LEASE_MS } as const;
    const app = await Application.create({}, { ...options, communicators });
    app.messenger.route(() => void handled++);
    if (life > 0) await clock.advance(LEASE_MS + 1); // the leases of the dead end
    const asked = app.ask(QUESTION);
    asked.catch(() => {}); // what dies answers nobody
    const work = async (): Promise<void> => {
      for (let dueAt: number | undefined = clock.now(); dueAt !== undefined;) {
        if (dueAt > clock.now()) await clock.advance(dueAt - clock.now());
        dueAt = (await app.pump()).nextDueAt;
      }
    };
    while (await app.plans.find("q_notification") === undefined) await clock.advance(1);
    await work();
    if (!isTaken) {
      await mail.receive([{ ...said("m1", "cem", "yes", "mail"), sender: "Cem", timestamp: clock.now() }]);
      isTaken = true;
    }
    await work();
    const answer = await asked;
    const told = await app.ledger.eventsOf("q/answered");
    await app.stop();
    return { answer, handled, edits: chat.edits, phone, mail, told, commits: commits() };
  };
  for (let life = 0; life < 5; life++) {
    const process = mortal(memory, life === 0 ? death : undefined);
    const end = await Promise.race([live(process, life), process.died]);
    if (end !== undefined) return end;
  }
  throw new Error("5 processes were not enough");
}

function check({ answer, handled, edits, phone, mail, told }: End, death?: Death): void {
  const where = death === undefined ? "alive" : `dying ${death.when} commit ${death.commit}`;
  const spare = death === undefined ? 0 : 1;
  assert.deepEqual([answer.text, answer.sender, answer.backendName], ["yes", "Cem", "mail"], where);
  assert.ok(handled === 1 || (death !== undefined && handled === 2), `${where}: handled ${handled} times`);
  assert.deepEqual([...new Set(edits)], ["Deploy?\n\nAnswered by Cem on mail"], where);
  assert.deepEqual(mail.texts.filter((text) => text !== "Deploy?"), [], `${where}: who answered is told nothing`);
  const notes = phone.seen.filter(({ text }) => text === "Answered by Cem on mail");
  const repeats = [edits.length - 1, notes.length - 1, phone.texts.length - notes.length - 1, mail.texts.length - 1];
  // What was under way when the process died, one delivery of each network at most, is made again.
  assert.ok(repeats.every((count) => count >= 0 && count <= spare), `${where}: ${repeats.join()}`);
  assert.ok(notes.slice(1).every(({ possibleDuplicate }) => possibleDuplicate), `${where}: a repeat is marked`);
  for (const name of ["chat", "phone"]) {
    const log = told.filter(({ backendName }) => backendName === name).map(({ status }) => status);
    assert.equal(log.filter((status) => status === "queued").length, 1, where);
    assert.equal(log.at(-1), "accepted", where);
  }
}

describe("an answer, and what the others hear of it", () => {
  it("Application.ask() settles once and tells everybody, with a death before and after every commit", async () => {
    const whole = await askThree(undefined);
    check(whole);
    assert.ok(whole.commits > 12, `${whole.commits} commits`);
    for (let commit = 1; commit <= whole.commits; commit++) {
      for (const when of ["before", "after"] as const) check(await askThree({ commit, when }), { commit, when });
    }
  });
});
