/**
 * An emulator behind the HTTP app, without a network: requests go straight into the app.
 *
 * @module
 */
import type { Hono } from "hono";
import { createHttpApp, type HttpAppOptions } from "../../../adapters/http/mod.ts";
import { EmulatorCommunicator } from "../../../adapters/emulator/mod.ts";
import {
  Application,
  type ApplicationConfig,
  type ApplicationOptions,
  type Communicator,
  type JsonValue,
  type Logger,
  ManualClock,
  MemoryStore,
  type StoredMessage,
} from "../../../core/mod.ts";

/** The token of the emulator in tests. */
export const TOKEN = "a-token-for-the-tests";

/** What a test may choose. */
export interface HttpBenchOptions extends HttpAppOptions {
  readonly config?: ApplicationConfig;
  readonly store?: MemoryStore;
  readonly communicators?: readonly Communicator[];
  readonly mode?: ApplicationOptions["mode"];
}

/** What a test works with. */
export interface HttpBench {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly emulator: EmulatorCommunicator;
  readonly application: Application;
  /** Lines of the log at `warn` and `error`. */
  readonly complaints: string[];
  readonly app: Hono;
  /** What the inbox holds. */
  inbox(): Promise<readonly StoredMessage[]>;
  /** What is quarantined. */
  quarantined(): Promise<readonly JsonValue[]>;
  /** Everything that a request could have changed. */
  snapshot(): Promise<unknown>;
}

/** Sets it up. No worker runs: what comes in stays where it is. */
export async function setUpHttp(
  options: HttpBenchOptions = { emulator: true },
): Promise<HttpBench> {
  const {
    config = {},
    communicators = [],
    mode = "pump",
    store: given,
    ...httpOptions
  } = options;
  const clock = new ManualClock();
  const store = given ?? new MemoryStore({ clock });
  const complaints: string[] = [];
  const complain = (text: string, fields?: unknown): void => void complaints.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: complain,
    error: complain,
  };
  const emulator = new EmulatorCommunicator("emulator", {
    store,
    clock,
    logger,
    token: TOKEN,
  });
  const application = await Application.create(config, {
    mode,
    store,
    clock,
    logger,
    communicators: [emulator, ...communicators].map((communicator) => ({
      communicator,
      labels: [communicator.name],
    })),
  });
  const inbox = async (): Promise<readonly StoredMessage[]> =>
    (await store.query({ channel: application.inbox.queue.key, limit: 10_000 }))
      .messages;
  const quarantined = async (): Promise<readonly JsonValue[]> =>
    (await store.query({
      channel: application.inbox.quarantine.key,
      limit: 10_000,
    })).messages.map(({ content }) => content);
  return {
    clock,
    store,
    emulator,
    application,
    complaints,
    app: createHttpApp(application, httpOptions),
    inbox,
    quarantined,
    snapshot: async () => ({
      inbox: (await inbox()).map(({ id }) => id),
      quarantined: await quarantined(),
      transcript: await store.stats(emulator.transcript.key),
      ledger: await store.stats(application.ledger.channel.key),
      state: await store.listState("", { limit: 10_000 }),
      conversations: emulator.conversations,
    }),
  };
}

/** The members of a problem that tests look at. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly argument?: string;
}

/** Reads an answer as a problem, and throws when it is none. */
export async function problemIn(response: Response): Promise<ProblemBody> {
  if (response.headers.get("content-type") !== "application/problem+json") {
    throw new Error(
      `Cannot read a problem from ${response.headers.get("content-type")}: ${await response.text()}`,
    );
  }
  return await response.json();
}
