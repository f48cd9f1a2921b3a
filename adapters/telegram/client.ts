/**
 * Calls of the Bot API through grammY, with every ending as a value.
 *
 * @module
 */
import { Api, GrammyError, HttpError, type Transformer } from "grammy/web";
import { readRetryAfterMs } from "../net/retry-after.ts";
import { httpByFetch } from "./fetch-http.ts";
import type { HttpCall } from "./http.ts";
import { ForeignAnswer, NetworkFailure, networkFailureOf } from "./network-error.ts";
import { httpByNode } from "./node-http.ts";

/** Why a call gave no result. */
export type CallFailure =
  | {
    /** The Bot API refused. */
    readonly kind: "refused";
    /** Its `error_code`. */
    readonly code: number;
    /** Its words, for people. Nothing is decided by them. */
    readonly description: string;
    /** Its `retry_after`, in milliseconds. */
    readonly retryAfterMs?: number;
    /** Its `migrate_to_chat_id`. */
    readonly migrateToChatId?: string;
  }
  | {
    /** Somebody else answered: a proxy, say. */
    readonly kind: "foreign";
    /** The HTTP status. */
    readonly status: number;
    /** What `Retry-After` asked for. */
    readonly retryAfterMs?: number;
  }
  | {
    /** The request never left, or nobody can say how far it came. */
    readonly kind: "not-sent" | "no-answer";
    /** The platform's code. */
    readonly code?: string;
  };

/** What came of a call. */
export type CallResult =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly failure: CallFailure };

/** What {@link TelegramClient} needs. */
export interface TelegramClientOptions {
  /** The bot's token. */
  readonly token: string;
  /** Where the API is, without a slash at the end. */
  readonly apiRoot: string;
  /** Telegram's production or test environment. */
  readonly environment: "prod" | "test";
  /** What every call goes through. */
  readonly transformers: readonly Transformer[];
  /** How requests are made. Absent: as the platform does it best. */
  readonly fetch: typeof fetch | undefined;
  /** The time, for a `Retry-After` with a date. */
  readonly now: () => number;
}

/** How one call is made. */
export interface CallOptions {
  /** How long it may take. */
  readonly timeoutMs: number;
  /** Ends it early. */
  readonly signal?: AbortSignal | undefined;
}

const MAX_DESCRIPTION_LENGTH = 300;
const TOKEN_IN_TEXT = /\d{1,20}:[A-Za-z0-9_-]{20,}/g;

/** Calls the Bot API. */
export class TelegramClient {
  readonly #apis = new Map<number, Api>();
  readonly #options: TelegramClientOptions;
  readonly #fetch: typeof fetch;
  readonly #http: HttpCall;
  readonly #fileRoot: string;

  /** @param options The token, where the API is, and how it is reached. */
  constructor(options: TelegramClientOptions) {
    const { token, apiRoot, environment } = options;
    // Held in a function, because a Worker's fetch must not be called as a method.
    const doFetch = options.fetch ?? fetch;
    this.#fetch = (input, init) => doFetch(input, init);
    this.#http = (options.fetch === undefined ? httpByNode() : undefined) ?? httpByFetch(this.#fetch);
    this.#fileRoot = `${apiRoot}/file/bot${token}/${environment === "test" ? "test/" : ""}`;
    this.#options = options;
  }

  /** grammY ends a call after a time that is set for all calls of an `Api`; there are two or three such times. */
  #apiFor(timeoutMs: number): Api {
    const known = this.#apis.get(timeoutMs);
    if (known !== undefined) return known;
    const { token, apiRoot, environment, transformers } = this.#options;
    const api = new Api(token, {
      apiRoot,
      environment,
      timeoutSeconds: timeoutMs / 1_000,
      fetch: (url: string, init?: RequestInit) => this.#transport(url, init),
    });
    if (transformers.length > 0) api.config.use(...transformers);
    this.#apis.set(timeoutMs, api);
    return api;
  }

  /**
   * Calls a method. It never throws.
   *
   * @param method The method, such as `"sendMessage"`.
   * @param payload Its parameters.
   * @param options How long it may take, and what ends it early.
   */
  async call(method: string, payload: object, options: CallOptions): Promise<CallResult> {
    const { signal, timeoutMs } = options;
    if (signal?.aborted) return { ok: false, failure: { kind: "not-sent", code: "aborted" } };
    try {
      const call: unknown = Reflect.get(this.#apiFor(timeoutMs).raw, method);
      if (typeof call !== "function") throw new TypeError(`Cannot call "${method}": it is no method of the Bot API`);
      // grammY's methods without parameters take the signal first.
      const result: unknown = await (method === "getMe" ? call(signal) : call(payload, signal));
      return { ok: true, result };
    } catch (error) {
      return { ok: false, failure: failureOf(error) };
    }
  }

  /**
   * Asks for a file by the path `getFile` gave. It goes to the API's own host and follows nobody elsewhere.
   *
   * @param path The path. It is checked: it must not lead out of the bot's own files.
   * @param signal Ends it early.
   * @returns The answer, whatever its status.
   * @throws {NetworkFailure} If there is none.
   */
  async download(path: string, signal: AbortSignal): Promise<Response> {
    try {
      return await this.#fetch(this.#fileRoot + path, { redirect: "manual", signal });
    } catch (error) {
      throw networkFailureOf(error);
    }
  }

  /** The `fetch` grammY gets: nothing of the platform's errors, which may hold the address, comes through it. */
  async #transport(url: string, init: RequestInit = {}): Promise<{ json(): Promise<unknown> }> {
    const { status, retryAfter, text } = await this.#http({
      url,
      contentType: contentTypeOf(init.headers),
      // A form with files is read into memory, so that its length is known.
      body: typeof init.body === "string" ? init.body : new Uint8Array(await new Response(init.body).arrayBuffer()),
      signal: init.signal ?? undefined,
    });
    const answer = parseAnswer(text, status);
    if (answer === undefined) throw new ForeignAnswer(status, readRetryAfterMs(retryAfter, this.#options.now()));
    return { json: () => Promise.resolve(answer) };
  }
}

/** Of the headers, only this one says something: the others are the connection's. */
function contentTypeOf(headers: RequestInit["headers"]): string {
  const type: unknown = headers === undefined ? undefined : Reflect.get(headers, "content-type");
  return typeof type === "string" ? type : "application/json";
}

/** The Bot API answers with `{ ok, … }`; anything else is somebody else's. */
function parseAnswer(text: string, status: number): object | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof answer !== "object" || answer === null || !("ok" in answer) || typeof answer.ok !== "boolean") {
    return undefined;
  }
  return answer.ok || "error_code" in answer ? answer : { ...answer, error_code: status };
}

/** Reads what grammY threw. Anything unforeseen counts as no answer: the request may have left. */
function failureOf(error: unknown): CallFailure {
  if (error instanceof GrammyError) return refusalOf(error);
  const inner: unknown = error instanceof HttpError ? error.error : error;
  if (inner instanceof ForeignAnswer) {
    const { status, retryAfterMs } = inner;
    return { kind: "foreign", status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  if (inner instanceof NetworkFailure) {
    return { kind: inner.phase, ...(inner.code === undefined ? {} : { code: inner.code }) };
  }
  return { kind: "no-answer" };
}

function refusalOf({ error_code: code, description, parameters }: GrammyError): CallFailure {
  const { retry_after: retryAfter, migrate_to_chat_id: migrateTo } = parameters;
  return {
    kind: "refused",
    code: typeof code === "number" ? code : 0,
    description: describe(description),
    ...(typeof retryAfter === "number" && retryAfter >= 0 ? { retryAfterMs: Math.ceil(retryAfter * 1_000) } : {}),
    ...(Number.isSafeInteger(migrateTo) ? { migrateToChatId: String(migrateTo) } : {}),
  };
}

/** Telegram's words in one line, short, and without anything that looks like a token. */
function describe(description: unknown): string {
  if (typeof description !== "string") return "";
  // deno-lint-ignore no-control-regex -- a log line must stay a line
  const line = description.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
  return line.replace(TOKEN_IN_TEXT, "[token]").slice(0, MAX_DESCRIPTION_LENGTH);
}
