/**
 * An application on Cloudflare Workers: `posthorn/worker`.
 *
 * One Durable Object holds the store and runs the application; the Worker hands every request to it. Nothing runs between
 * requests but the object's alarm, which is set to when the next thing is due: a retry, a timer, a message that waits.
 *
 * @module
 */
import { Application, type BackendType, type Logger, silentLogger } from "../../core/mod.ts";
import { type DurableObjectStorageLike, DurableObjectStore } from "../durable-object/mod.ts";
import { createHttpApp } from "../http/mod.ts";
import { httpOptionsFrom } from "./http-options.ts";
import { prepareApplication } from "./prepare-application.ts";

/** What is used of a Durable Object's storage: SQL for the store, and the alarm. */
export interface WorkerStorageLike extends DurableObjectStorageLike {
  /** When the alarm is set to, in milliseconds since 1970. */
  getAlarm(): Promise<number | null>;
  /** Sets the alarm. */
  setAlarm(scheduledTime: number): Promise<void>;
}

/** What is used of a Durable Object's state. */
export interface WorkerObjectStateLike {
  /** Its storage. */
  readonly storage: WorkerStorageLike;
  /** Keeps the object alive while a promise is open. */
  waitUntil(promise: Promise<unknown>): void;
}

/** A namespace of Durable Objects, as a Worker is given it. */
export interface WorkerNamespaceLike {
  /** The id of a name. */
  idFromName(name: string): unknown;
  /** The object of an id. */
  get(id: never): { fetch(request: Request): Promise<Response> };
}

/** What {@link createWorker} may be told. */
export interface WorkerOptions {
  /** Kinds of backend of your own. Those that come with the library are loaded when the configuration names them. */
  readonly backends?: readonly BackendType[];
  /** Called with the application each time the object wakes, before anything is handled: set the route here. */
  readonly onStart?: (app: Application) => void | Promise<void>;
  /** Where it says what it does: `console` is the Worker's log. @default nowhere */
  readonly logger?: Logger;
  /** The name of the Durable Object binding in the Worker's environment. @default `"POSTHORN"` */
  readonly binding?: string;
  /** The name of the object: one object is one application. @default `"posthorn"` */
  readonly objectName?: string;
  /** How long one round of work may take. @default `20_000` */
  readonly budgetMs?: number;
  /** How many sends one round may make on each backend. @default `100` */
  readonly maxSends?: number;
}

/** The object that runs the application. */
export interface WorkerObject {
  /** Answers a request. */
  fetch(request: Request): Promise<Response>;
  /** Does what is due. */
  alarm(): Promise<void>;
}

/** A Worker's entry: export it as the default, and its class under the name the binding says. */
export interface PosthornWorker {
  /** Hands a request to the object. */
  fetch(request: Request, env: Readonly<Record<string, unknown>>): Promise<Response>;
  /** The class of the object. Export it by name, and bind it with SQLite storage (`new_sqlite_classes`). */
  readonly PosthornObject: new (state: WorkerObjectStateLike, env: Readonly<Record<string, unknown>>) => WorkerObject;
}

/** Only one instance of an object runs at a time, so a lease need not outlast a dead one by much. */
const LEASE_MS = 5_000;
/** A round that did all it could at once goes on this much later: others of the object get their turn. */
const NEXT_ROUND_MS = 50;

/**
 * Makes a Worker of a configuration. `${NAME}` in the configuration is taken from the Worker's variables and secrets.
 *
 * @param source The configuration: YAML, or an object. Its `store` is not used: the object is the store.
 * @param options The route, backends of your own, limits.
 *
 * @example
 * ```ts
 * import { createWorker } from "posthorn/worker";
 *
 * const worker = createWorker({ communications: { enabled: true, backends: {} } }, {
 *   onStart: (app) => app.messenger.route((context) => void context.reply(`You said: ${context.message.text}`)),
 * });
 * export const PosthornObject = worker.PosthornObject;
 * export default worker;
 * ```
 */
export function createWorker(source: string | object, options: WorkerOptions = {}): PosthornWorker {
  const { binding = "POSTHORN", objectName = "posthorn" } = options;
  return {
    PosthornObject: class PosthornObject extends ApplicationObject {
      constructor(state: WorkerObjectStateLike, env: Readonly<Record<string, unknown>>) {
        super(state, env, source, options);
      }
    },
    async fetch(request: Request, env: Readonly<Record<string, unknown>>): Promise<Response> {
      const namespace = env[binding];
      if (!isNamespace(namespace)) {
        const detail = `bind a Durable Object namespace of the class PosthornObject as ${binding}`;
        return Response.json({
          type: "about:blank",
          title: "Not configured",
          status: 500,
          code: "not-configured",
          detail,
        }, {
          status: 500,
          headers: { "content-type": "application/problem+json" },
        });
      }
      return await namespace.get(namespace.idFromName(objectName) as never).fetch(request);
    },
  };
}

class ApplicationObject implements WorkerObject {
  readonly #state: WorkerObjectStateLike;
  readonly #env: Readonly<Record<string, unknown>>;
  readonly #source: string | object;
  readonly #options: WorkerOptions;
  #starting: Promise<Application> | undefined;
  #http: ReturnType<typeof createHttpApp> | undefined;
  #round: Promise<void> | undefined;

  constructor(
    state: WorkerObjectStateLike,
    env: Readonly<Record<string, unknown>>,
    source: string | object,
    options: WorkerOptions,
  ) {
    this.#state = state;
    this.#env = env;
    this.#source = source;
    this.#options = options;
  }

  /** Begins when the first request comes: the constructor may use neither time nor chance. */
  #application(): Promise<Application> {
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined; // the next request tries again
      throw error;
    });
    return this.#starting;
  }

  async #start(): Promise<Application> {
    const { backends, onStart, logger = silentLogger } = this.#options;
    const env = textsOf(this.#env);
    const own = backends === undefined ? {} : { backends };
    const { config, warnings, backends: kinds } = await prepareApplication(this.#source, { env, ...own });
    for (const warning of warnings) logger.warn(warning);
    const app = await Application.create(config, {
      backends: kinds,
      logger,
      store: new DurableObjectStore(this.#state.storage),
      mode: "pump",
      leaseMs: LEASE_MS,
    });
    await onStart?.(app);
    this.#http = createHttpApp(app, httpOptionsFrom(config));
    return app;
  }

  async fetch(request: Request): Promise<Response> {
    const app = await this.#application();
    const response = await (this.#http ??= createHttpApp(app)).fetch(request);
    // The alarm is on the disk before the answer leaves: whatever happens to this object, what was taken in is handled.
    await this.#setAlarm(await app.store.nextDueAt());
    this.#state.waitUntil(this.#work());
    return response;
  }

  async alarm(): Promise<void> {
    await this.#work();
  }

  /** One round at a time; when one runs, what is new is either seen by it or left to the alarm. */
  #work(): Promise<void> {
    return this.#round ??= this.#pump().finally(() => this.#round = undefined);
  }

  async #pump(): Promise<void> {
    const { budgetMs = 20_000, maxSends = 100 } = this.#options;
    const app = await this.#application();
    try {
      await app.pump({ budgetMs, maxSends });
    } finally {
      // Also when the round failed: an alarm that is not set again is work that nobody does.
      await this.#setAlarm(await app.store.nextDueAt());
    }
  }

  async #setAlarm(dueAt: number | undefined): Promise<void> {
    if (dueAt === undefined) return;
    const at = Math.max(dueAt, Date.now() + NEXT_ROUND_MS);
    const present = await this.#state.storage.getAlarm();
    if (present === null || present > at || present < Date.now()) await this.#state.storage.setAlarm(at);
  }
}

function isNamespace(value: unknown): value is WorkerNamespaceLike {
  return typeof value === "object" && value !== null && "idFromName" in value && "get" in value;
}

/** The variables and secrets among the bindings. */
function textsOf(env: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === "string") texts[name] = value;
  }
  return texts;
}
