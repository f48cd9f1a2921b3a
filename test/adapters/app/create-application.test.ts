import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  type BackendContext,
  type BackendType,
  Communicator,
  ConfigError,
  type LogFields,
  type Logger,
  MemoryStore,
  noOp,
  type OutgoingMessage,
  type Receipt,
  registerBackend,
  type StandardSchemaV1,
} from "../../../core/mod.ts";
import { createApplication, openStore, prepareApplication, previewApplication } from "../../../adapters/app/mod.ts";

/** Keeps what it is given. */
class RecordingCommunicator extends Communicator {
  readonly texts: string[] = [];
  starts = 0;
  readonly context: BackendContext;

  constructor(name: string, context: BackendContext) {
    super(name);
    this.context = context;
  }

  override start(): Promise<void> {
    this.starts += 1;
    return super.start();
  }

  override send(message: OutgoingMessage): Promise<Receipt> {
    this.texts.push(message.message);
    return Promise.resolve({ outcome: "accepted" });
  }
}

/** A kind of backend that remembers what was made of it. */
function recording(type: string): { readonly backend: BackendType; readonly made: RecordingCommunicator[] } {
  const made: RecordingCommunicator[] = [];
  return {
    made,
    backend: {
      type,
      create(name, _config, context): Communicator {
        const communicator = new RecordingCommunicator(name, context);
        made.push(communicator);
        return communicator;
      },
    },
  };
}

class RecordingLogger implements Logger {
  readonly warnings: string[] = [];
  debug(): void {}
  info(): void {}
  warn(message: string, _fields?: LogFields): void {
    this.warnings.push(message);
  }
  error(): void {}
}

const NOOP = `
communications:
  enabled: true
  backends:
    ops: { type: noop, labels: [alerts] }
`;

async function refusal(promise: Promise<unknown>): Promise<readonly string[]> {
  const error = await promise.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof ConfigError, `not a ConfigError: ${String(error)}`);
  return error.issues.map(({ path, message }) => `${path}: ${message}`);
}

describe("createApplication", () => {
  it("createApplication() starts what a text describes", async () => {
    const app = await createApplication(NOOP);
    try {
      const report = await app.emit({ message: "hello", label: "alerts" });
      assert.deepEqual((await report.settled()).map(({ status }) => status), ["accepted"]);
    } finally {
      await app.stop();
    }
  });

  it("createApplication() starts what an object describes, with variables filled in", async () => {
    const app = await createApplication(
      { communications: { enabled: true, backends: { ops: { type: "noop", labels: ["${LABEL}"] } } } },
      { env: { LABEL: "alerts" } },
    );
    try {
      assert.equal((await app.emit({ message: "hello", label: "alerts" })).deliveries.length, 1);
    } finally {
      await app.stop();
    }
  });

  it("createApplication() starts nothing when communications are not enabled, and says so to the logger", async () => {
    const logger = new RecordingLogger();
    const app = await createApplication(NOOP.replace("true", "false"), { logger });
    try {
      assert.equal(app.communicators.size, 0);
      assert.deepEqual(logger.warnings, ["no backend starts, because communications.enabled is not true"]);
    } finally {
      await app.stop();
    }
  });

  it("createApplication() knows kinds of registerBackend() and gives them their extra keys", async () => {
    const { backend, made } = recording("createApplication-test-pager");
    registerBackend(backend.type, (name, config, context) => backend.create(name, config, context));
    const app = await createApplication({
      communications: {
        enabled: true,
        backends: { pager: { type: backend.type, room: 7, token: "${TOKEN}" } },
      },
    }, { env: { TOKEN: "t" } });
    try {
      await (await app.emit({ message: "hello" })).settled();
      assert.deepEqual(made.map(({ texts }) => texts), [["hello"]]);
      assert.deepEqual(made[0]?.context.extraFields, { room: 7, token: "t" });
    } finally {
      await app.stop();
    }
  });

  it("createApplication() gives a kind with a schema what that made of its extra keys, be it no JSON", async () => {
    const { backend, made } = recording("createApplication-test-schema");
    const schema: StandardSchemaV1 = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => ({ value: { url: new URL(String(Object(value).url)), keys: Object.keys(Object(value)) } }),
      },
    };
    registerBackend(backend.type, backend.create, { schema });
    const app = await createApplication({
      communications: {
        enabled: true,
        backends: { pager: { type: backend.type, url: "https://a.example", retry: {} } },
      },
    });
    await app.stop();
    assert.deepEqual(made.map(({ context }) => context.extraFields), [
      { url: new URL("https://a.example"), keys: ["url"] },
    ]);
  });

  it("createApplication() lets a kind of one's own take the word of one of the library", async () => {
    const { backend, made } = recording("slack");
    const app = await createApplication(
      { communications: { enabled: true, backends: { mine: { type: "slack", anything: true } } } },
      { backends: [backend] },
    );
    await app.stop();
    assert.deepEqual(made.map(({ name, context }) => [name, context.extraFields]), [["mine", { anything: true }]]);
  });

  it("createApplication() takes a kind of the library that is passed by hand for the library's", async () => {
    const source = { communications: { backends: { a: { type: "noop", lables: ["x"] } } } };
    assert.deepEqual(await refusal(createApplication(source, { backends: [noOp] })), [
      "communications.backends.a.lables: unknown key; did you mean labels?",
    ]);
  });

  it("createApplication() refuses what cannot be used, from text to backends", async () => {
    assert.deepEqual(await refusal(createApplication("server: { prt: 1 }")), [
      "server.prt: unknown key; did you mean port? (line 1)",
    ]);
    const mail = { type: "email", host: "mail.example.com", from_address: "a@b.example", allow_insecure: true };
    const source = { communications: { enabled: true, backends: { mail } } };
    const [problem, ...others] = await refusal(createApplication(source));
    assert.match(problem ?? "", /^communications\.backends\.mail\.allow_insecure: Cannot send in clear text/);
    assert.deepEqual(others, []);
  });

  it("createApplication() leaves a store that was passed to who passed it", async () => {
    const store = new MemoryStore();
    const app = await createApplication(NOOP, { store });
    assert.equal(app.store, store);
    await app.stop();
    assert.equal(await store.getState("nothing"), undefined);
    await store.close();
  });
});

describe("openStore", () => {
  it("openStore() opens memory by default, with the configured limit", async () => {
    const store = await openStore({ type: "memory", max_message_bytes: 2_048 });
    assert.equal(store.capabilities.durable, false);
    const value = "x".repeat(3_000);
    await assert.rejects(store.commit([{ type: "set-state", key: "k", value }]), { code: "too-large" });
    await store.close();
    await (await openStore()).close();
  });

  it("openStore() says why a store cannot be opened here", async () => {
    assert.deepEqual(await refusal(openStore({ type: "durable-object" })), [
      "store.type: a durable object is opened by Cloudflare, not by a path: use createWorker, or pass a store of your own",
    ]);
    assert.deepEqual(await refusal(openStore({ type: "nats", servers: ["localhost"] })), [
      "store.type: NATS is not in this version; use sqlite, or pass a store of your own",
    ]);
    assert.deepEqual(await refusal(openStore({ type: "sqlite" })), ["store.path: is missing"]);
  });
});

describe("previewApplication", () => {
  it("previewApplication() makes every backend, also where nothing is enabled, and starts none", async () => {
    const { backend, made } = recording("own");
    const source = { communications: { backends: { one: { type: "own" }, off: { type: "own", enabled: false } } } };
    const prepared = await prepareApplication(source, { backends: [backend] });
    assert.deepEqual(prepared.warnings, ["no backend starts, because communications.enabled is not true"]);
    const { application } = previewApplication(prepared);
    assert.deepEqual(application.explain({ message: "?" }).reaches.map(({ backendName }) => backendName), ["one"]);
    assert.deepEqual(made.map(({ name, starts, isStarted }) => [name, starts, isStarted]), [["one", 0, false]]);
    assert.equal(application.isRunning, false);
  });

  it("previewApplication() hands on what a backend warns of", async () => {
    const mail = { type: "email", host: "mail.example.com", from_address: "a@b.example" };
    const { warnings } = previewApplication(await prepareApplication({ communications: { backends: { mail } } }));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /requiring STARTTLS \(port 587\)/);
  });
});
