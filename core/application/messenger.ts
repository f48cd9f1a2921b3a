/**
 * Conversations: messages in, answers out.
 *
 * @module
 */
import type { Communicator } from "../communicators/communicator.ts";
import { FallbackCommunicator } from "../delivery/fallback-group.ts";
import type { CommunicationDispatcher } from "../dispatcher/communication-dispatcher.ts";
import { kindOf, NotRunningError, PosthornError, RoutingError, ValidationError } from "../errors.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { IncomingMessageHandler, PendingSend, SendTarget } from "../inbox/message-context.ts";
import { Router } from "../inbox/router.ts";
import { type PreparedSends, RouterWorker } from "../inbox/router-worker.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import { createOutgoingMessage, type OutgoingMessage, type OutgoingMessageInit } from "../message/outgoing-message.ts";
import type { DeliveryTarget, Outbox, PreparedDelivery } from "../outbox/outbox.ts";
import type { BackoffOptions } from "../support/backoff.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";
import { MessageLoop, type ReceivedMessage, type ReceiveOptions } from "./message-loop.ts";

export type { ReceivedMessage, ReceiveOptions } from "./message-loop.ts";

/** What a messenger is made from: the parts of an application it uses. */
export interface MessengerParts {
  /** Messages on their way in. */
  readonly inbox: Inbox;
  /** Messages on their way out. */
  readonly outbox: Outbox;
  /** Knows the backends. */
  readonly dispatcher: CommunicationDispatcher;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Gives ids. */
  readonly newId: () => string;
  /** Names this process in leases. */
  readonly workerId: string;
  /** Where `sendMsg` goes when its address names no backend. */
  readonly defaultBackend?: string;
  /** How many conversations a route handles at once. @default `100` */
  readonly concurrency?: number;
  /** How long to wait before the next try of a handler that threw. */
  readonly backoff?: BackoffOptions;
}

/**
 * Conversations, two ways: `route(handler)` calls a handler with each message, many conversations at a time; `recvMsg()`
 * and `sendMsg()` make a loop of your own. One or the other: using both is an error.
 *
 * Every answer goes to the outbox and from there to the network, with retries; `sendMsg` resolves once it is committed.
 */
export class Messenger {
  readonly #parts: MessengerParts;
  #router: RouterWorker | undefined;
  #pumped: RouterWorker | undefined;
  #handler: IncomingMessageHandler | undefined;
  #running = false;
  readonly #loop: MessageLoop;
  /**
   * Makes a messenger.
   *
   * @param parts What it uses of an application.
   */
  constructor(parts: MessengerParts) {
    this.#parts = parts;
    this.#loop = new MessageLoop({ clock: parts.clock, look: async () => await this.#router?.look() });
  }

  /** Whether somebody handles messages: a route, or a loop. */
  get isHandling(): boolean {
    return this.#handler !== undefined;
  }

  /** Whether a route handles messages, as they come and as many as wait. A loop goes only as long as its program wants. */
  get isRouting(): boolean {
    return this.isHandling && !this.#isLoop;
  }

  /**
   * Handles every message with a handler, or with a {@link Router}.
   *
   * @param handler What to call. Returning acknowledges, throwing gives back.
   * @throws {PosthornError} With code `misuse` if there is a route or a loop already.
   */
  route(handler: IncomingMessageHandler | Router): void {
    const call = handler instanceof Router ? handler.handler : handler;
    if (typeof call !== "function") {
      throw new ValidationError(
        "handler",
        `Cannot route as 'handler' must be a function or a Router, not ${kindOf(handler)}`,
      );
    }
    this.#assertKept("route");
    if (this.#handler !== undefined) {
      throw new PosthornError(
        "misuse",
        "Cannot route: messages have a handler already; use one route, or a recvMsg loop",
      );
    }
    this.#handler = call;
    if (this.#running) this.#startRouter(call, this.#parts.concurrency);
  }

  /** Begins to hand out messages. */
  start(): Promise<void> {
    this.#running = true;
    if (this.#handler !== undefined && this.#router === undefined) {
      this.#startRouter(this.#handler, this.#isLoop ? 1 : this.#parts.concurrency);
    }
    return Promise.resolve();
  }

  /**
   * Stops: finishes what is being handled, at most until the deadline; what goes on then is told to end, and left behind
   * after a grace. A message a loop holds is given back; a loop that waits for one is told by a {@link NotRunningError}.
   */
  async stop(deadlineMs: number = 10_000, graceMs: number = 5_000): Promise<void> {
    this.#running = false;
    this.#loop.stop();
    await Promise.all([this.#router?.stop(deadlineMs, graceMs), this.#pumped?.stop(deadlineMs, graceMs)]);
    this.#router = undefined;
    this.#pumped = undefined;
  }

  /** Handles what is due now. @returns How many messages. */
  async pump(limits: { readonly budgetMs?: number; readonly maxMessages?: number } = {}): Promise<number> {
    if (this.#handler === undefined) return 0;
    // One for all pumps: they share its limits, and stopping waits for what they handle.
    const router = this.#router ?? (this.#pumped ??= this.#makeRouter(this.#handler, this.#parts.concurrency));
    return await router.pump(limits);
  }

  #startRouter(handler: IncomingMessageHandler, concurrency: number | undefined): void {
    this.#router = this.#makeRouter(handler, concurrency);
    this.#router.start();
  }

  #makeRouter(handler: IncomingMessageHandler, concurrency: number | undefined): RouterWorker {
    const { inbox, dispatcher, clock, logger, workerId, backoff } = this.#parts;
    return new RouterWorker({
      inbox,
      clock,
      logger,
      workerId,
      handler: async (context) => {
        const isTold = inbox.takeTold(context.message.id);
        if (context.attempt === 1 && !isTold) dispatcher.incomingPublisher.publish(context.message);
        await handler(context);
      },
      prepareSends: (sends) => this.prepareSends(sends),
      revive: (message) => this.#revive(message),
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(backoff === undefined ? {} : { backoff }),
    });
  }

  /** Gives a message that came back from the store the means to open its attachments. */
  #revive(message: IncomingMessage): IncomingMessage {
    const communicator = this.#parts.dispatcher.communicators.get(message.backendName);
    if (communicator?.openAttachment === undefined || message.attachments.length === 0) return message;
    const open = communicator.openAttachment.bind(communicator);
    return {
      ...message,
      attachments: message.attachments.map((attachment) => ({
        ...attachment,
        open: (options = {}) => open(attachment, options),
      })),
    };
  }

  /**
   * The next message, for a loop of your own. The call says of the message before that it is done; `ack()` says it
   * earlier, `nack()` gives it back. One loop: two would acknowledge each other's messages.
   *
   * @param options How long to wait.
   * @returns The message; `undefined` when there is none with `block: false`, or in time.
   * @throws {PosthornError} With code `misuse` if there is a route.
   * @throws {NotRunningError} If the messenger does not run, or stops meanwhile.
   */
  async recvMsg(options: ReceiveOptions = {}): Promise<ReceivedMessage | undefined> {
    this.#assertLoop();
    options.signal?.throwIfAborted();
    await this.#loop.finish();
    if (!this.#running) throw new NotRunningError("Cannot receive: the messenger stops");
    return await this.#loop.take(options);
  }

  #assertKept(what: string): void {
    if (this.#parts.inbox.keeps) return;
    throw new PosthornError("misuse", `Cannot ${what}: the inbox keeps nothing, as inbox.enabled is false`);
  }

  #assertLoop(): void {
    this.#assertKept("receive");
    if (!this.#running) {
      throw new NotRunningError("Cannot receive: the messenger is not running; call start() or init()");
    }
    if (this.#handler === undefined) {
      this.#handler = (context) => this.#loop.hand(context);
      this.#startRouter(this.#handler, 1);
    } else if (this.#handler !== undefined && !this.#isLoop) {
      throw new PosthornError("misuse", "Cannot receive in a loop: messages are handled by a route");
    }
    this.#isLoop = true;
  }

  #isLoop = false;

  /**
   * Says something to somebody. Resolves once it is committed to the outbox.
   *
   * @param message A text, or a whole message.
   * @param to `"backend:address"`, an address on the default backend, or a message to answer it. A message that is being
   * answered in a loop is answered once, though the loop crash and see it again.
   * @returns The message's id.
   * @throws {RoutingError} If the backend is not known, or no address is given.
   * @throws {QueueFullError} If as many deliveries wait for the backend as may; nothing is queued then.
   */
  async sendMsg(message: string | OutgoingMessageInit, to?: SendTarget): Promise<string> {
    const target = to ?? (typeof message === "string" ? undefined : message.recipients?.[0]);
    if (target === undefined) {
      throw new RoutingError(
        "Cannot send: 'to' is missing; name \"backend:address\" or pass the message that is answered",
      );
    }
    const { to: _to, ...content } = typeof message === "string" ? { message, to } : { ...message, to };
    const { recipients: _recipients, ...rest } = content as OutgoingMessageInit;
    // Said by a loop about the message it holds: the same words on a repeat are the same answer.
    const ordinal = typeof target === "string" ? undefined : this.#loop.countAnswer(target.id);
    const answerId = typeof target === "string" || ordinal === undefined ? undefined : `${target.id}/${ordinal}`;
    return await this.#commit({ content: rest, to: target, id: rest.id ?? answerId ?? this.#parts.newId() });
  }

  async #commit(send: PendingSend): Promise<string> {
    const { operations, committed } = await this.prepareSends([send]);
    const { results } = await this.#parts.outbox.commit(operations);
    committed(results);
    return send.id;
  }

  /** Makes what was said ready to be committed. */
  async prepareSends(sends: readonly PendingSend[]): Promise<PreparedSends> {
    const { outbox } = this.#parts;
    const ready: { readonly message: OutgoingMessage; readonly delivery: PreparedDelivery }[] = [];
    for (const send of sends) {
      const { message, targets } = this.#address(send);
      for (const delivery of await outbox.prepare(message, targets)) ready.push({ message, delivery });
    }
    return {
      operations: ready.flatMap(({ delivery }) => delivery.operations),
      committed: (results) => {
        let next = 0;
        for (const { message, delivery } of ready) {
          // The same said again, by a handler that ran again, is not queued again: nobody is told of it twice.
          if (results[next]?.status === "done") outbox.notify(delivery.event, message);
          next += delivery.operations.length;
        }
      },
    };
  }

  #address(send: PendingSend): { readonly message: OutgoingMessage; readonly targets: readonly DeliveryTarget[] } {
    const { backendName, recipient } = this.#resolve(send.to);
    const content = typeof send.content === "string" ? { message: send.content } : send.content;
    const { newId, clock } = this.#parts;
    const message = createOutgoingMessage(
      { ...content, id: send.id, label: "reply", recipients: [recipient] },
      { newId, now: () => clock.now() },
    );
    // The backend knows which lane an address is in: the topics of a group share their chat's.
    const destinations = this.#parts.dispatcher.find(backendName)?.destinations(message) ?? [];
    const known = destinations.length > 0 ? destinations : [{ recipient }];
    return { message, targets: known.map((destination) => ({ ...destination, backendName })) };
  }

  #resolve(to: SendTarget): { readonly backendName: string; readonly recipient: string } {
    const { dispatcher, defaultBackend } = this.#parts;
    if (typeof to !== "string") {
      return { backendName: this.#backend(to.backendName), recipient: to.conversation };
    }
    const colon = to.indexOf(":");
    const named = colon > 0 ? dispatcher.communicators.get(to.slice(0, colon)) : undefined;
    if (named !== undefined) return { backendName: this.#backend(named.name), recipient: to.slice(colon + 1) };
    const only = this.#onlyBackend(dispatcher.communicators);
    const backendName = defaultBackend ?? only?.name;
    if (backendName !== undefined) return { backendName: this.#backend(backendName), recipient: to };
    throw new RoutingError(
      `Cannot send: the address names no backend; write "backend:address" with one of ${
        [...dispatcher.communicators.keys()].join(", ")
      }`,
    );
  }

  /** A backend that takes single messages: a group's deliveries are plans, which only `emit` and `deliver` make. */
  #backend(name: string): string {
    const communicator = this.#parts.dispatcher.resolve(name);
    if (!(communicator instanceof FallbackCommunicator)) return communicator.name;
    throw new RoutingError(`Cannot send: "${name}" is a fallback group; name one of its backends, or emit by label`);
  }

  #onlyBackend(communicators: ReadonlyMap<string, Communicator>): Communicator | undefined {
    return communicators.size === 1 ? communicators.values().next().value : undefined;
  }
}
