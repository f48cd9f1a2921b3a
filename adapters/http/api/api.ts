/**
 * What the routes of the API share: the token, the body, the answers.
 *
 * @module
 */
import type { Hono } from "hono";
import {
  type ChannelCore,
  cloneJson,
  type JsonObject,
  type JsonValue,
  PosthornError,
  secureEqual,
  type StoredMessage,
} from "../../../core/mod.ts";
import type { Deadlines } from "../deadlines.ts";
import { EVENT_STREAM_HEADERS, placeOf } from "../event-frame.ts";
import { EventHub, type EventHubOptions } from "../event-hub.ts";
import type { HttpApplication } from "../http-application.ts";
import { bearerOf } from "../local-guard.ts";
import { problem } from "../problem.ts";
import { bodyDeadlines, readBody } from "../read-body.ts";
import { addRoute, type RouteHandler, type RouteMethods } from "../router.ts";
import type { AllowedRecipients } from "./recipient-policy.ts";

/** What the API is made of. */
export interface ApiOptions {
  /** What callers must show; `undefined`: the API is off. */
  readonly token: string | undefined;
  /** The largest body. */
  readonly maxBodyBytes: number;
  /** Limits of streams. */
  readonly events: Pick<EventHubOptions, "heartbeatMs" | "stallMs" | "maxBufferBytes" | "maxClients">;
  /** Whom callers may name. */
  readonly allowRecipients: AllowedRecipients | undefined;
}

/** Adds routes that ask for the token first. */
export class Api {
  /** What is served. */
  readonly application: HttpApplication;
  /** How. */
  readonly options: ApiOptions;
  readonly #app: Hono;
  readonly #deadlines: Deadlines;

  /**
   * @param app Where routes are added.
   * @param application What is served.
   * @param options How.
   */
  constructor(app: Hono, application: HttpApplication, options: ApiOptions) {
    this.#app = app;
    this.application = application;
    this.options = options;
    this.#deadlines = bodyDeadlines(application.clock);
  }

  /** Adds a path; nothing of its handlers runs without the token. */
  route(path: string, methods: RouteMethods): void {
    const guarded: { GET?: RouteHandler; POST?: RouteHandler } = {};
    if (methods.GET !== undefined) guarded.GET = this.#guard(methods.GET);
    if (methods.POST !== undefined) guarded.POST = this.#guard(methods.POST);
    addRoute(this.#app, path, guarded, this.application.logger);
  }

  #guard(handler: RouteHandler): RouteHandler {
    const { token } = this.options;
    return async function serveAuthorized(request, params) {
      if (token === undefined) return problem("api-off", { detail: "No token is configured for the API" });
      if (!await secureEqual(bearerOf(request) ?? "", token)) {
        return problem("unauthorized", { headers: { "www-authenticate": "Bearer" } });
      }
      return await handler(request, params);
    };
  }

  /** Reads the raw body of a request. */
  async readBody(request: Request): Promise<Uint8Array> {
    const { maxBodyBytes } = this.options;
    return await readBody(request, { maxBytes: maxBodyBytes, deadlines: this.#deadlines });
  }

  /** A channel of the application. @throws {PosthornError} With code `unknown-channel`, when it has none of that id. */
  channelOf(id: string): ChannelCore {
    const channel = this.application.channels.get(id);
    if (channel !== undefined) return channel;
    throw new PosthornError("unknown-channel", "Cannot find the channel: the application has none of that id");
  }

  /** Serves a log as events. A client that names no place gets what is new. */
  streamOf(key: string, encode: (message: StoredMessage) => Uint8Array): RouteHandler {
    const { store, clock, logger } = this.application;
    const hub = new EventHub({ ...this.options.events, store, key, clock, logger, encode });
    return function serveStream(request) {
      if (!hub.hasRoom) return problem("busy", { retryAfterSeconds: 5 });
      const after = placeOf(request);
      return new Response(hub.open(after === undefined ? {} : { after }), { headers: EVENT_STREAM_HEADERS });
    };
  }

  /** Answers with JSON. */
  json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
    return new Response(JSON.stringify(value), {
      status,
      headers: {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        ...headers,
      },
    });
  }

  /** What was parsed from JSON, as a value of it. */
  jsonValue(value: unknown): JsonValue {
    return cloneJson(value, "content");
  }

  /** What was parsed from JSON as an object, as one of it. */
  jsonObject(value: Readonly<Record<string, unknown>> | undefined): JsonObject | undefined {
    if (value === undefined) return undefined;
    const copy = cloneJson(value, "metadata");
    return typeof copy === "object" && copy !== null && isObject(copy) ? copy : undefined;
  }
}

function isObject(value: JsonObject | readonly JsonValue[]): value is JsonObject {
  return !Array.isArray(value);
}
