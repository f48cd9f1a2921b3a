/**
 * Channels over HTTP: write, read, claim, settle.
 *
 * @module
 */
import {
  assertId,
  type ClaimedMessage,
  type ClaimResult,
  kindOf,
  PassthroughChannel,
  type StoredMessage,
  ValidationError,
  WorkQueueChannel,
} from "../../../core/mod.ts";
import { encodeEvent } from "../event-frame.ts";
import { problem } from "../problem.ts";
import { parseJsonObject } from "../read-body.ts";
import type { RouteHandler } from "../router.ts";
import type { Api } from "./api.ts";
import { Fields, given, queryInteger } from "./api-input.ts";
import { FailureBook } from "./failure-book.ts";
import { lookUpKey } from "./idempotency.ts";

const MAX_LIMIT = 1_000;
const MAX_CLAIM_MS = 12 * 60 * 60_000;
/** Who writes over HTTP. The body cannot say: the token proves a caller, not a name. */
const SENDER = "http";

/**
 * Adds `/channels`, `/channels/{id}` and what is below.
 *
 * @param api What serves them.
 */
export function addChannelRoutes(api: Api): void {
  const { application } = api;
  const { channels } = application;
  const streams = new Map<string, RouteHandler>();
  const failures = new FailureBook();

  function claimableOf(id: string): PassthroughChannel | undefined {
    const channel = api.channelOf(id);
    return channel instanceof PassthroughChannel ? channel : undefined;
  }

  async function show(id: string): Promise<Response> {
    const channel = api.channelOf(id);
    return api.json({ ...channel.info, stats: await channel.stats() });
  }

  async function write(request: Request, id: string): Promise<Response> {
    const channel = api.channelOf(id);
    if (id === application.ledger.channel.id) {
      return problem("forbidden", { detail: "The ledger is written by the application alone" });
    }
    const body = await api.readBody(request);
    const fields = new Fields(parseJsonObject(body));
    const content = fields.any("content");
    if (content === undefined) {
      throw new ValidationError("content", "Cannot accept the message: 'content' is missing");
    }
    const options = {
      ...given("recipientId", fields.text("recipientId")),
      ...given("correlationId", fields.text("correlationId")),
      ...given("replyTo", fields.text("replyTo")),
      ...given("orderingKey", fields.text("orderingKey")),
      ...given("notBefore", fields.time("notBefore")),
      ...given("expiresAt", fields.time("expiresAt")),
      ...given("metadata", api.jsonObject(fields.object("metadata"))),
    };
    fields.done();
    const key = await lookUpKey(application.store, `channels/${id}`, request, body);
    if (key.isMismatch) return problem("idempotency-mismatch");
    const written = await channel.write(SENDER, api.jsonValue(content), { ...options, ...given("id", key.id) });
    return api.json({ id: written }, 201);
  }

  async function read(request: Request, id: string): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const reader = assertId(searchParams.get("reader") ?? undefined, "reader");
    const limit = queryInteger(searchParams, "limit", 1, MAX_LIMIT) ?? 10;
    const after = queryInteger(searchParams, "after", 0, Number.MAX_SAFE_INTEGER);
    const channel = api.channelOf(id);
    if (channel instanceof WorkQueueChannel) return notReadable();
    return api.json(await channel.readPage(reader, { limit, ...given("after", after) }));
  }

  async function claim(request: Request, id: string): Promise<Response> {
    const channel = claimableOf(id);
    const fields = new Fields(parseJsonObject(await api.readBody(request)));
    const worker = assertId(fields.any("worker"), "worker");
    const limit = fields.integer("limit", 1, MAX_LIMIT) ?? 1;
    const claimTimeoutMs = fields.integer("claimTimeoutMs", 1, MAX_CLAIM_MS);
    fields.done();
    if (channel === undefined) return notClaimable();
    try {
      const messages = await channel.read(worker, {
        exclusive: true,
        limit,
        ...given("claimTimeoutMs", claimTimeoutMs),
      });
      for (const message of messages) failures.remember(message);
      return api.json({ messages });
    } catch (error) {
      if (error instanceof TypeError) return notClaimable();
      throw error;
    }
  }

  async function settle(
    request: Request,
    id: string,
    kind: "acknowledge" | "release",
  ): Promise<Response> {
    const channel = claimableOf(id);
    const fields = new Fields(parseJsonObject(await api.readBody(request)));
    const worker = assertId(fields.any("worker"), "worker");
    const claims = (fields.list("claims", MAX_LIMIT) ?? []).map(readClaim);
    const delayMs = kind === "release" ? fields.integer("delayMs", 0, MAX_CLAIM_MS) : undefined;
    const detail = kind === "release" ? fields.text("detail") : undefined;
    fields.done();
    if (channel === undefined) return notClaimable();
    const found = await Promise.all(claims.map((each) => find(channel, worker, each)));
    const known = found.filter((each) => each !== undefined);
    const results = kind === "acknowledge"
      ? await channel.acknowledge(worker, known)
      : await channel.nack(worker, known, { ...given("delayMs", delayMs), ...given("detail", detail) });
    let next = 0;
    return api.json({
      results: claims.map((each, index): ClaimResult => {
        if (found[index] === undefined) return { id: each.id, status: "not-found" };
        failures.forget(each.token);
        return results[next++] ?? { id: each.id, status: "not-found" };
      }),
    });
  }

  /** The claim a caller means: the store knows the message, the token says which delivery of it. */
  async function find(
    channel: PassthroughChannel,
    workerId: string,
    { id, token }: ClaimReference,
  ): Promise<ClaimedMessage | undefined> {
    const stored = await application.store.get(channel.key, id);
    if (stored === undefined) return undefined;
    const lease = { token, workerId, attempt: Math.max(1, stored.attempts), until: 0 };
    return { ...stored, lease, failures: failures.of(token) };
  }

  function stream(request: Request, id: string): Response | Promise<Response> {
    const channel = api.channelOf(id);
    if (channel instanceof WorkQueueChannel) return notReadable();
    const { key } = channel;
    let handler = streams.get(key);
    if (handler === undefined) {
      handler = api.streamOf(key, encodeMessage);
      streams.set(key, handler);
    }
    return handler(request, {});
  }

  api.route("/channels", { GET: () => api.json({ channels: [...channels.values()].map(({ info }) => info) }) });
  api.route("/channels/:id", { GET: (_request, { id = "" }) => show(id) });
  api.route("/channels/:id/stream", { GET: (request, { id = "" }) => stream(request, id) });
  api.route("/channels/:id/messages", {
    GET: (request, { id = "" }) => read(request, id),
    POST: (request, { id = "" }) => write(request, id),
  });
  api.route("/channels/:id/claims", { POST: (request, { id = "" }) => claim(request, id) });
  api.route("/channels/:id/acknowledgements", {
    POST: (request, { id = "" }) => settle(request, id, "acknowledge"),
  });
  api.route("/channels/:id/releases", { POST: (request, { id = "" }) => settle(request, id, "release") });
}

interface ClaimReference {
  readonly id: string;
  readonly token: string;
}

function readClaim(value: unknown, index: number): ClaimReference {
  const path = `claims[${index}]`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ValidationError(path, `Cannot accept '${path}': it must be an object, not ${kindOf(value)}`);
  }
  const fields = new Fields(Object.fromEntries(Object.entries(value)), `${path}.`);
  const claim = { id: assertId(fields.any("id"), `${path}.id`), token: assertId(fields.any("token"), `${path}.token`) };
  fields.done();
  return claim;
}

function notClaimable(): Response {
  return problem("not-claimable");
}

/** Each message of a queue goes to one worker: whoever only looked would see none of what the others took. */
function notReadable(): Response {
  return problem("not-readable", {
    detail: "Each message goes to one worker: take some by POST /channels/{id}/claims",
  });
}

function encodeMessage(message: StoredMessage): Uint8Array {
  return encodeEvent({ id: message.seq, event: "message", data: message });
}
