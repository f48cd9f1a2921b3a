/**
 * The default application of a process, for programs that need only one: the module-level functions of the specifications.
 *
 * @module
 */
import type { BackendConfig, BackendContext, BackendType } from "../communicators/backend-registry.ts";
import type { Communicator } from "../communicators/communicator.ts";
import { NoOpCommunicator } from "../communicators/no-op-communicator.ts";
import type { CommunicationDispatcher, DispatchReport } from "../dispatcher/communication-dispatcher.ts";
import { NotRunningError, PosthornError } from "../errors.ts";
import type { SendTarget } from "../inbox/message-context.ts";
import type { OutgoingMessageInit } from "../message/outgoing-message.ts";
import type { StandardSchemaV1 } from "../support/standard-schema.ts";
import type { ApplicationConfig, CommunicationsConfig } from "./application-config.ts";
import { Application } from "./application.ts";
import type { ApplicationOptions } from "./application-options.ts";
import type { Messenger, ReceivedMessage, ReceiveOptions } from "./messenger.ts";
import { registeredBackends } from "./registered-backends.ts";

/** `type: noop`: accepts everything and sends nothing. */
export const noOp: BackendType = { type: "noop", create: (name) => new NoOpCommunicator(name) };

let current: Application | undefined;
let isInitialising = false;

/**
 * Makes an application the process's default, for {@link getDispatcher}, {@link emitMessage}, {@link recvMsg} and
 * {@link sendMsg}. One at a time.
 *
 * @param application The application; `undefined` for none.
 */
export function setDefaultApplication(application: Application | undefined): void {
  current = application;
}

/** The process's default application. @throws {NotRunningError} If there is none. */
export function getApplication(): Application {
  if (current !== undefined) return current;
  throw new NotRunningError(
    "Cannot find an application: call init(), initCommunications() or setDefaultApplication() first",
  );
}

/** What {@link init} takes: ready-made backends, or a configuration. */
export interface InitOptions extends ApplicationOptions {
  /** The configuration. @default none: only the ready-made backends */
  readonly config?: ApplicationConfig;
}

/**
 * Starts the default application, for a loop of {@link recvMsg} and {@link sendMsg}, or `getMessenger().route(handler)`.
 *
 * @param options Ready-made backends, or a configuration, and where everything is kept.
 * @returns The application.
 * @throws {PosthornError} With code `misuse` if there is one already: stop it first.
 *
 * @example
 * ```ts
 * import { init, NoOpCommunicator, sendMsg } from "posthorn";
 *
 * const app = await init({ communicators: [{ communicator: new NoOpCommunicator("chat") }] });
 * await sendMsg("Hello", "chat:somebody");
 * await app.stop();
 * ```
 */
export async function init(options: InitOptions = {}): Promise<Application> {
  if (current?.isRunning === true || isInitialising) {
    throw new PosthornError(
      "misuse",
      "Cannot init: an application runs already; stop it first, or use Application.create",
    );
  }
  const { config = {}, ...rest } = options;
  isInitialising = true;
  try {
    current = await Application.create(config, rest);
    return current;
  } finally {
    isInitialising = false;
  }
}

/**
 * Starts the default application from the `communications` part of a configuration.
 *
 * @param communications Backends and labels; `enabled` is taken as true unless it says false.
 * @param options The kinds of backend, the store, the surroundings.
 * @returns Its dispatcher.
 * @throws {ConfigError} If the configuration cannot be used.
 */
export async function initCommunications(
  communications: CommunicationsConfig,
  options: ApplicationOptions = {},
): Promise<CommunicationDispatcher> {
  const application = await init({ ...options, config: { communications: { enabled: true, ...communications } } });
  return application.dispatcher;
}

/** The default application's dispatcher. @throws {NotRunningError} If there is none. */
export function getDispatcher(): CommunicationDispatcher {
  return getApplication().dispatcher;
}

/** The default application's messenger. @throws {NotRunningError} If there is none. */
export function getMessenger(): Messenger {
  return getApplication().messenger;
}

/** Says a message to every backend whose labels fit; see {@link CommunicationDispatcher.emit}. */
export async function emitMessage(message: OutgoingMessageInit): Promise<DispatchReport> {
  return await getDispatcher().emit(message);
}

/** The next message; see {@link Messenger.recvMsg}. */
export async function recvMsg(options?: ReceiveOptions): Promise<ReceivedMessage | undefined> {
  return await getMessenger().recvMsg(options);
}

/** Says something to somebody; see {@link Messenger.sendMsg}. */
export async function sendMsg(message: string | OutgoingMessageInit, to?: SendTarget): Promise<string> {
  return await getMessenger().sendMsg(message, to);
}

/** Makes a backend of a configuration. */
export type BackendFactory = (name: string, config: BackendConfig, context: BackendContext) => Communicator;

/**
 * Teaches every application of the process a kind of backend.
 *
 * @param type The word for `type:`.
 * @param factory Makes one.
 * @param options What its options must look like. Without a schema they arrive unchecked. Either way the keys of its own
 * are in `context.extraFields`.
 * @throws {RoutingError} If the word is taken.
 *
 * @example
 * ```ts
 * import { NoOpCommunicator, registerBackend } from "posthorn";
 *
 * registerBackend("pager", (name) => new NoOpCommunicator(name));
 * ```
 */
export function registerBackend(
  type: string,
  factory: BackendFactory,
  options: { readonly schema?: StandardSchemaV1 } = {},
): void {
  registeredBackends().register({ type, create: factory, ...options });
}
