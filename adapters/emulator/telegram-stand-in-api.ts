/**
 * The Bot API of the stand-in, without a socket: a request in, an answer out.
 *
 * @module
 */
import { type Clock, systemClock } from "../../core/mod.ts";
import { FaultQueue, type TelegramFault } from "./telegram-stand-in-faults.ts";
import { LimitBook, TELEGRAM_LIMITS, type TelegramStandInLimits } from "./telegram-stand-in-limits.ts";
import {
  bad,
  chatOf,
  describeMessage,
  done,
  fileOf,
  MEDIA_FIELDS,
  numberOf,
  readText,
  refusal,
  type TelegramStandInAnswer,
  type TelegramStandInMessage,
} from "./telegram-stand-in-messages.ts";
import { readParameters, type TelegramStandInParameters } from "./telegram-stand-in-request.ts";
import {
  type TelegramStandInDelivery,
  type TelegramStandInUpdate,
  type TelegramStandInWebhook,
  UpdateQueue,
} from "./telegram-stand-in-updates.ts";

/** A call, whatever came of it. */
export interface TelegramStandInCall {
  /** The method. */
  readonly method: string;
  /** The chat it was for. */
  readonly chatId: string | undefined;
  /** Every parameter, as it came. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The status of the answer; 0 when the connection was cut. */
  readonly status: number;
}

/** Options of the stand-in. */
export interface TelegramStandInApiOptions {
  /** The token it takes. @default one it makes up */
  readonly token?: string;
  /** Time. @default the platform's */
  readonly clock?: Clock;
  /** How it calls webhooks. @default the platform's `fetch` */
  readonly fetch?: typeof fetch;
  /** The pause before a webhook request is repeated. @default `100` */
  readonly retryDelayMs?: number;
  /** How many messages and calls it remembers, the latest. @default `10_000` */
  readonly remembered?: number;
  /** The chats there are; any other is not found. @default every chat there can be */
  readonly chats?: readonly string[];
  /**
   * How fast it lets itself be sent to: `documented` for what Telegram documents, or limits of your own. What comes earlier
   * is refused with a 429 and `retry_after`. @default as fast as you like
   */
  readonly limits?: "documented" | TelegramStandInLimits;
}

/** What somebody says to the bot. */
export interface TelegramStandInSaying {
  /** In which chat. */
  readonly chatId: number;
  /** The text. */
  readonly text?: string;
  /** Who. @default a person called Ada */
  readonly from?: Readonly<Record<string, unknown>>;
  /** In which thread. */
  readonly threadId?: number;
  /** Further members of the message: `photo`, `location`, `reply_to_message`, … */
  readonly more?: Readonly<Record<string, unknown>>;
}

const ADA = { id: 4711, is_bot: false, first_name: "Ada", username: "ada", language_code: "en" };

/**
 * A stand-in for the Bot API, to run programs without Telegram: it checks what it is sent as Telegram does, keeps its
 * own record of what it took, hands out updates by polling and by webhook, and can be made to fail.
 *
 * Its {@link TelegramStandInApi.fetch} can be given to a client in the place of the platform's; `TelegramStandIn` puts
 * it behind a socket.
 */
export class TelegramStandInApi {
  /** The token it takes. */
  readonly token: string;
  /** The bot it is the API of. */
  readonly bot: Readonly<Record<string, unknown>>;
  readonly #clock: Clock;
  readonly #faults = new FaultQueue();
  readonly #updates: UpdateQueue;
  readonly #messages: TelegramStandInMessage[] = [];
  readonly #calls: TelegramStandInCall[] = [];
  readonly #files = new Map<string, { readonly path: string; readonly bytes: Uint8Array }>();
  readonly #migrated = new Map<string, number>();
  readonly #lastIds = new Map<string, number>();
  readonly #chats: ReadonlySet<string> | undefined;
  readonly #remembered: number;
  readonly #limits: LimitBook | undefined;
  #fileCount = 0;

  /**
   * Makes one that nobody has called yet.
   *
   * @param options The token, the chats, time.
   */
  constructor(options: TelegramStandInApiOptions = {}) {
    const { token = "424242:stand-in-token-of-no-use-elsewhere", clock = systemClock, chats } = options;
    this.token = token;
    this.bot = { id: Number(token.split(":")[0]), is_bot: true, first_name: "Stand-in", username: "stand_in_bot" };
    this.#clock = clock;
    this.#chats = chats === undefined ? undefined : new Set(chats);
    this.#remembered = options.remembered ?? 10_000;
    const { limits } = options;
    this.#limits = limits === undefined ? undefined : new LimitBook(limits === "documented" ? TELEGRAM_LIMITS : limits);
    const doFetch = options.fetch;
    this.#updates = new UpdateQueue({
      clock,
      faults: this.#faults,
      fetch: doFetch === undefined ? (input, init) => fetch(input, init) : (input, init) => doFetch(input, init),
      retryDelayMs: options.retryDelayMs ?? 100,
    });
  }

  /** The messages it took, oldest first: what really arrived. */
  get messages(): readonly TelegramStandInMessage[] {
    return this.#messages;
  }

  /** The calls it got, oldest first. */
  get calls(): readonly TelegramStandInCall[] {
    return this.#calls;
  }

  /** Updates nobody has confirmed. */
  get pendingUpdates(): readonly TelegramStandInUpdate[] {
    return this.#updates.pending;
  }

  /** Requests it made to the webhook. */
  get deliveries(): readonly TelegramStandInDelivery[] {
    return this.#updates.deliveries;
  }

  /** The webhook that is set. */
  get webhook(): TelegramStandInWebhook | undefined {
    return this.#updates.webhook;
  }

  /** Makes something go wrong. Faults strike in the order they were injected. */
  inject(fault: TelegramFault): void {
    this.#faults.add(fault);
  }

  /** Makes nothing go wrong any more. */
  clearFaults(): void {
    this.#faults.clear();
  }

  /** From now on, the group has another id, and calls for the old one are told so. */
  migrate(from: string, to: string): void {
    this.#migrated.set(from, Number(to));
  }

  /** Chooses update ids anew, as Telegram does after a week without updates. */
  restartUpdateIds(from: number): void {
    this.#updates.nextId = from;
  }

  /** Adds an update as it is; its id is given here. */
  push(update: Readonly<Record<string, unknown>>): number {
    return this.#updates.push(update);
  }

  /** Lets somebody say something to the bot. Gives the update's id. */
  say({ chatId, text, from = ADA, threadId, more = {} }: TelegramStandInSaying): number {
    return this.#updates.push({
      message: {
        message_id: this.#newMessageId(String(chatId)),
        date: Math.floor(this.#clock.now() / 1_000),
        chat: chatOf(chatId),
        from,
        ...(threadId === undefined ? {} : { message_thread_id: threadId, is_topic_message: true }),
        ...(text === undefined ? {} : { text }),
        ...more,
      },
    });
  }

  /** Lets somebody press a button of a message the bot sent. */
  press(message: TelegramStandInMessage, data: string, from: Readonly<Record<string, unknown>> = ADA): number {
    return this.#updates.push({
      callback_query: {
        id: `${this.#updates.nextId}${message.messageId}`,
        from,
        chat_instance: "1",
        data,
        message: describeMessage(message, this.bot),
      },
    });
  }

  /** Lets somebody react to a message the bot sent. */
  react(message: TelegramStandInMessage, emoji: string, from: Readonly<Record<string, unknown>> = ADA): number {
    return this.#updates.push({
      message_reaction: {
        chat: chatOf(Number(message.chatId)),
        message_id: message.messageId,
        user: from,
        date: Math.floor(this.#clock.now() / 1_000),
        old_reaction: [],
        new_reaction: [{ type: "emoji", emoji }],
      },
    });
  }

  /** Keeps a file, to be fetched by the id it gives. */
  addFile(bytes: Uint8Array, path?: string): string {
    this.#fileCount += 1;
    const id = `file-${this.#fileCount}`;
    this.#files.set(id, { path: path ?? `documents/file_${this.#fileCount}.bin`, bytes });
    return id;
  }

  /** Resolves when the webhook has taken everything. */
  settled(): Promise<void> {
    return this.#updates.settled();
  }

  /** Ends polls and webhook requests. */
  stop(): Promise<void> {
    return this.#updates.stop();
  }

  /** A `fetch` that leads here, whatever the host: for a client in the same process. A cut connection is a `TypeError`. */
  get fetch(): typeof fetch {
    return async (input, init) => {
      const request = new Request(input, init);
      const answer = await this.handle(request, request.signal);
      request.signal.throwIfAborted();
      if (answer === undefined) throw new TypeError("Cannot fetch: connection closed");
      return answer;
    };
  }

  /**
   * Answers a request.
   *
   * @param request The request.
   * @param signal Fires when the client is gone.
   * @returns The answer, or `undefined` when the connection is to be cut.
   */
  async handle(request: Request, signal: AbortSignal): Promise<Response | undefined> {
    const { pathname } = new URL(request.url);
    const [, kind, token, rest = ""] = /^\/(file\/bot|bot)([^/]+)\/(.+)$/.exec(pathname) ?? [];
    if (kind === undefined) return json({ status: 404, body: refusal(404, "Not Found") });
    if (token !== this.token) return json({ status: 401, body: refusal(401, "Unauthorized") });
    return kind === "bot" ? await this.#call(rest.replace(/^test\//, ""), request, signal) : this.#sendFile(rest);
  }

  #sendFile(path: string): Response {
    const file = [...this.#files.values()].find((each) => each.path === decodeURIComponent(path));
    return file === undefined
      ? json({ status: 404, body: refusal(404, "Not Found") })
      : new Response(Uint8Array.from(file.bytes), { headers: { "content-length": String(file.bytes.length) } });
  }

  async #call(method: string, request: Request, signal: AbortSignal): Promise<Response | undefined> {
    const parameters = await readParameters(request);
    if (parameters === undefined) return json({ status: 400, body: refusal(400, "Bad Request: can't parse JSON") });
    const chatId = chatIdOf(parameters.values);
    const fault = method === "getUpdates" ? undefined : this.#faults.take(method, chatId);
    const struck = await this.#strike(fault, method, parameters, signal);
    if (struck === "cut") {
      this.#note({ method, chatId, parameters: parameters.values, status: 0 });
      return undefined;
    }
    if (struck instanceof Response) {
      this.#note({ method, chatId, parameters: parameters.values, status: struck.status });
      return struck;
    }
    const answer = struck ?? await this.#answer(method, parameters, signal);
    this.#note({ method, chatId, parameters: parameters.values, status: answer.status });
    return json(answer);
  }

  async #strike(
    fault: TelegramFault | undefined,
    method: string,
    parameters: TelegramStandInParameters,
    signal: AbortSignal,
  ): Promise<TelegramStandInAnswer | Response | "cut" | undefined> {
    switch (fault?.kind) {
      case "rate-limit":
        return tooMany(fault.retryAfter);
      case "error": {
        const { code, description = "made to fail", parameters: more } = fault;
        return { status: code, body: refusal(code, description, more) };
      }
      case "foreign":
        return new Response(fault.body ?? "<html><body>Bad gateway</body></html>", {
          status: fault.status,
          headers: { "content-type": "text/html", ...fault.headers },
        });
      case "slow":
        await this.#clock.sleep(fault.delayMs, { signal }).catch(() => {});
        return undefined;
      case "cut":
        if (fault.accept) await this.#answer(method, parameters, signal);
        return "cut";
      default:
        return undefined;
    }
  }

  #answer(
    method: string,
    parameters: TelegramStandInParameters,
    signal: AbortSignal,
  ): TelegramStandInAnswer | Promise<TelegramStandInAnswer> {
    const { values } = parameters;
    switch (method) {
      case "getMe":
        return done(this.bot);
      case "getUpdates":
        return this.#getUpdates(values, signal);
      case "setWebhook":
        return this.#setWebhook(values);
      case "deleteWebhook":
        this.#updates.setWebhook(undefined, values["drop_pending_updates"] === true);
        return done(true);
      case "getWebhookInfo":
        return done({
          url: this.webhook?.url ?? "",
          has_custom_certificate: false,
          pending_update_count: this.pendingUpdates.length,
        });
      case "getFile":
        return this.#getFile(values);
      case "editMessageText":
        return this.#edit(values);
      case "answerCallbackQuery":
      case "sendChatAction":
        return done(true);
      default:
        return method === "sendMessage" || MEDIA_FIELDS[method] !== undefined
          ? this.#send(method, parameters)
          : { status: 404, body: refusal(404, "Not Found: method not found") };
    }
  }

  #send(method: string, { values, files }: TelegramStandInParameters): TelegramStandInAnswer {
    const chatId = chatIdOf(values);
    if (chatId === undefined) return bad("chat_id is empty");
    const movedTo = this.#migrated.get(chatId);
    if (movedTo !== undefined) {
      return bad("group chat was upgraded to a supergroup chat", { migrate_to_chat_id: movedTo });
    }
    if (this.#chats !== undefined && !this.#chats.has(chatId)) return bad("chat not found");
    const field = MEDIA_FIELDS[method];
    const read = readText(values, field === undefined ? "text" : "caption");
    if ("status" in read) return read;
    const file = field === undefined ? undefined : fileOf(values[field], files);
    if (field !== undefined && file === undefined) return bad(`there is no ${field} in the request`);
    const reply: unknown = values["reply_parameters"];
    const replyTo: unknown = typeof reply === "object" && reply !== null && "message_id" in reply
      ? reply.message_id
      : undefined;
    const threadId = numberOf(values["message_thread_id"]);
    if (threadId === 1) return bad("message thread not found");
    const early = this.#tooEarly(chatId);
    if (early !== undefined) return early;
    const message: TelegramStandInMessage = {
      messageId: this.#newMessageId(chatId),
      chatId,
      threadId,
      method,
      ...read,
      replyTo: numberOf(replyTo),
      replyMarkup: values["reply_markup"],
      file,
      parameters: values,
      at: this.#clock.now(),
    };
    push(this.#messages, message, this.#remembered);
    return done(describeMessage(message, this.bot));
  }

  /** Edits count as messages do. */
  #tooEarly(chatId: string): TelegramStandInAnswer | undefined {
    const waitMs = this.#limits?.take(chatId, this.#clock.monotonic()) ?? 0;
    return waitMs > 0 ? tooMany(Math.ceil(waitMs / 1_000)) : undefined;
  }

  #edit(values: Readonly<Record<string, unknown>>): TelegramStandInAnswer {
    const chatId = chatIdOf(values);
    const id = numberOf(values["message_id"]);
    const place = this.#messages.findIndex((each) => each.chatId === chatId && each.messageId === id);
    const before = this.#messages[place];
    if (before === undefined) return bad("message to edit not found");
    const read = readText(values, "text");
    if ("status" in read) return read;
    const replyMarkup = values["reply_markup"];
    if (read.text === before.text && JSON.stringify(replyMarkup) === JSON.stringify(before.replyMarkup)) {
      return bad("message is not modified");
    }
    const early = this.#tooEarly(before.chatId);
    if (early !== undefined) return early;
    const after: TelegramStandInMessage = { ...before, ...read, replyMarkup, editedAt: this.#clock.now() };
    this.#messages[place] = after;
    return done(describeMessage(after, this.bot));
  }

  async #getUpdates(values: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<TelegramStandInAnswer> {
    if (this.webhook !== undefined) {
      const words = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first";
      return { status: 409, body: refusal(409, words) };
    }
    const fault = this.#pollFault();
    if (fault !== undefined) return fault;
    const allowed: unknown = values["allowed_updates"];
    this.#updates.allow(Array.isArray(allowed) ? allowed.filter((kind) => typeof kind === "string") : undefined);
    const limit = Math.min(100, Math.max(1, numberOf(values["limit"]) ?? 100));
    const timeoutMs = (numberOf(values["timeout"]) ?? 0) * 1_000;
    const result = await this.#updates.poll(numberOf(values["offset"]) ?? 0, limit, timeoutMs, signal);
    if ("updates" in result) return done(result.updates);
    const words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    return { status: 409, body: refusal(409, words) };
  }

  #pollFault(): TelegramStandInAnswer | undefined {
    const fault = this.#faults.take("pollRefusal", undefined);
    if (fault?.kind === "error") {
      return { status: fault.code, body: refusal(fault.code, fault.description ?? "made to fail", fault.parameters) };
    }
    return undefined;
  }

  #setWebhook(values: Readonly<Record<string, unknown>>): TelegramStandInAnswer {
    const url = String(values["url"] ?? "");
    const secret: unknown = values["secret_token"];
    if (secret !== undefined && !/^[A-Za-z0-9_-]{1,256}$/.test(String(secret))) {
      return bad("secret token contains unallowed characters");
    }
    const allowed: unknown = values["allowed_updates"];
    const webhook: TelegramStandInWebhook | undefined = url === "" ? undefined : {
      url,
      secretToken: secret === undefined ? undefined : String(secret),
      allowedUpdates: Array.isArray(allowed) ? allowed.map(String) : [],
    };
    this.#updates.setWebhook(webhook, values["drop_pending_updates"] === true);
    return done(true);
  }

  #getFile(values: Readonly<Record<string, unknown>>): TelegramStandInAnswer {
    const id = String(values["file_id"]);
    const file = this.#files.get(id);
    if (file === undefined) return bad("invalid file_id");
    return done({ file_id: id, file_unique_id: `u${id}`, file_size: file.bytes.length, file_path: file.path });
  }

  #newMessageId(chatId: string): number {
    const id = (this.#lastIds.get(chatId) ?? 0) + 1;
    this.#lastIds.set(chatId, id);
    return id;
  }

  #note(call: TelegramStandInCall): void {
    push(this.#calls, call, this.#remembered);
  }
}

/** Keeps the latest. Dropping many at once keeps each addition cheap. */
function push<Item>(list: Item[], item: Item, most: number): void {
  list.push(item);
  if (list.length >= most * 2) list.splice(0, list.length - most);
}

function tooMany(retryAfter: number): TelegramStandInAnswer {
  const body = refusal(429, `Too Many Requests: retry after ${retryAfter}`, { retry_after: retryAfter });
  return { status: 429, body };
}

function chatIdOf(values: Readonly<Record<string, unknown>>): string | undefined {
  const id = values["chat_id"];
  return typeof id === "string" || typeof id === "number" ? String(id) : undefined;
}

function json({ status, body }: TelegramStandInAnswer): Response {
  return Response.json(body, { status });
}
