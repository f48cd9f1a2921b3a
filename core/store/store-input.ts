/**
 * The checks every store makes before it does anything: what is refused, is refused alike everywhere, and nothing of
 * the call is stored.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import type { MessageEnvelope } from "../message/channel-message.ts";
import { cloneJson, EMPTY_OBJECT, type JsonObject } from "../message/json.ts";
import { assertDurationMs, assertInteger } from "../support/assert.ts";
import type {
  ClaimRequest,
  PruneRequest,
  QueryRequest,
  ReleaseOperation,
  SharedReadRequest,
  StoreOperation,
} from "./message-store.ts";

/** The longest channel key, state key, lane or foreign id, in UTF-16 units. */
export const MAX_KEY_LENGTH = 1_000;

/** The longest id of a message, sender, recipient, reader or worker, in UTF-16 units. */
export const MAX_ID_LENGTH = 200;

/** The longest `detail` of a failure that is kept, in UTF-16 units. */
const MAX_DETAIL_LENGTH = 1_000;

/**
 * A key of a channel or state value, a lane, or an id another system gave: 1 to 1,000 characters of any kind, apart from
 * zero characters and halves of surrogate pairs, which few databases give back as they were.
 *
 * @param value The value.
 * @param argument What to call it.
 * @param maxLength The most UTF-16 units.
 * @returns The key.
 * @throws {ValidationError} If it is something else.
 */
export function assertKey(value: unknown, argument: string, maxLength: number = MAX_KEY_LENGTH): string {
  if (isKey(value, maxLength)) return value;
  const isUnfit = typeof value === "string" && !isStorable(value);
  throw refuse(argument, isUnfit ? WELL_FORMED : `a text of 1 to ${maxLength} characters`, value);
}

const WELL_FORMED = "well-formed Unicode without zero characters";

function isKey(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= maxLength && isStorable(value);
}

/** The latest text of each length that was found to be good: channels and senders come by again and again. */
const storable: string[] = new Array<string>(32).fill("");

/** Whether every database gives a text back as it was. */
function isStorable(text: string): boolean {
  const { length } = text;
  const isShort = length < storable.length;
  if (isShort && storable[length] === text) return true;
  if (!text.isWellFormed() || text.includes("\0")) return false;
  if (isShort) storable[length] = text;
  return true;
}

/** An id as a store takes it: as a key, of at most 200 characters. Channels are stricter about what people may choose. */
function assertStoreId(value: unknown, argument: string): string {
  return assertKey(value, argument, MAX_ID_LENGTH);
}

/**
 * Checks a message on its way into a store and copies it, content and metadata included.
 *
 * @param message What the caller passed.
 * @param path What to call it: `"messages[0]"`.
 * @param maxBytes How large content and metadata may be each, as UTF-8 JSON.
 * @returns The copy, without properties an envelope does not have. Content and metadata are frozen.
 * @throws {ValidationError} If a property is of the wrong kind or size. `argument` names it.
 * @throws {TooLargeError} If content or metadata are larger than `maxBytes`.
 */
export function checkEnvelope(message: MessageEnvelope, path: string, maxBytes: number): MessageEnvelope {
  if (typeof message !== "object" || message === null) throw refuse(path, "a message", message);
  if (message.v !== 1) throw refuse(`${path}.v`, "1", message.v);
  const { timestamp, namespace, metadata } = message;
  if (typeof timestamp !== "number" || !Number.isFinite(timestamp)) {
    throw refuse(`${path}.timestamp`, "a number of milliseconds", timestamp);
  }
  if (namespace !== "" && !isKey(namespace, MAX_KEY_LENGTH)) assertKey(namespace, `${path}.namespace`);
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) {
    throw refuse(`${path}.metadata`, "an object", metadata);
  }
  const { id, senderId } = message;
  // No path is built unless something is wrong: every message comes by here.
  if (!isKey(id, MAX_ID_LENGTH)) assertStoreId(id, `${path}.id`);
  if (!isKey(senderId, MAX_ID_LENGTH)) assertStoreId(senderId, `${path}.senderId`);
  const { content: contentPath, metadata: metadataPath } = jsonPathsOf(path);
  const copy: Writable<MessageEnvelope> = {
    id,
    timestamp,
    senderId,
    content: cloneJson(message.content, contentPath, { maxBytes }),
    metadata: cloneObject(metadata, metadataPath, maxBytes),
    v: 1,
    namespace,
  };
  if (message.recipientId !== undefined) copy.recipientId = assertStoreId(message.recipientId, `${path}.recipientId`);
  if (message.correlationId !== undefined) {
    copy.correlationId = assertKey(message.correlationId, `${path}.correlationId`);
  }
  if (message.replyTo !== undefined) copy.replyTo = assertKey(message.replyTo, `${path}.replyTo`);
  if (message.orderingKey !== undefined) copy.orderingKey = assertKey(message.orderingKey, `${path}.orderingKey`);
  if (message.notBefore !== undefined) copy.notBefore = assertTime(message.notBefore, `${path}.notBefore`);
  if (message.expiresAt !== undefined) copy.expiresAt = assertTime(message.expiresAt, `${path}.expiresAt`);
  if (message.externalId !== undefined) copy.externalId = assertKey(message.externalId, `${path}.externalId`);
  if (message.traceparent !== undefined) copy.traceparent = assertKey(message.traceparent, `${path}.traceparent`);
  return copy;
}

/**
 * Checks messages on their way into a store and copies them.
 *
 * @param messages What the caller passed.
 * @param maxBytes As for {@link checkEnvelope}.
 * @returns The copies.
 * @throws {ValidationError} If a property is of the wrong kind or size: `messages[1].senderId`.
 * @throws {TooLargeError} If content or metadata are larger than `maxBytes`.
 */
export function checkMessages(messages: readonly MessageEnvelope[], maxBytes: number): readonly MessageEnvelope[] {
  if (!Array.isArray(messages)) throw refuse("messages", "an array", messages);
  const [first] = messages;
  // Most come alone: no path is made up for those, and no array that makes room for more.
  if (messages.length === 1) return [checkEnvelope(first, "messages[0]", maxBytes)];
  const checked: MessageEnvelope[] = [];
  for (let index = 0; index < messages.length; index++) {
    checked.push(checkEnvelope(messages[index], `messages[${index}]`, maxBytes));
  }
  return checked;
}

/**
 * Checks the operations of a commit, and copies the JSON in them.
 *
 * @param operations What the caller passed.
 * @param maxBytes How large one content, metadata or state value may be, as UTF-8 JSON.
 * @returns The operations, with copies in the place of those that carry JSON.
 * @throws {ValidationError} If a property is of the wrong kind or size: `operations[2].leaseMs`.
 * @throws {TooLargeError} If a value is larger than `maxBytes`.
 */
export function checkOperations(operations: readonly StoreOperation[], maxBytes: number): readonly StoreOperation[] {
  if (!Array.isArray(operations)) throw refuse("operations", "an array", operations);
  const checked: StoreOperation[] = [];
  for (let index = 0; index < operations.length; index++) {
    const operation: StoreOperation | undefined = operations[index];
    checked.push(checkOperation(operation, index, maxBytes));
  }
  return checked;
}

function checkOperation(operation: StoreOperation | undefined, index: number, maxBytes: number): StoreOperation {
  if (typeof operation !== "object" || operation === null) throw refuse(`operations[${index}]`, "an object", operation);
  switch (operation.type) {
    case "ack":
      checkDelivery(operation, index);
      return operation;
    case "release":
      return checkRelease(operation, index, maxBytes);
    case "extend":
      checkDelivery(operation, index);
      assertLeaseMs(operation.leaseMs, `operations[${index}].leaseMs`);
      return operation;
    case "append": {
      const path = `operations[${index}]`;
      assertKey(operation.channel, `${path}.channel`);
      assertMode(operation.mode, `${path}.mode`);
      if (operation.dedupeForMs !== undefined) assertFiniteMs(operation.dedupeForMs, `${path}.dedupeForMs`);
      return { ...operation, message: checkEnvelope(operation.message, `${path}.message`, maxBytes) };
    }
    case "remove":
      assertKey(operation.channel, `operations[${index}].channel`);
      assertStoreId(operation.id, `operations[${index}].id`);
      assertFlag(operation.unlessClaimed, `operations[${index}].unlessClaimed`);
      assertFlag(operation.mustExist, `operations[${index}].mustExist`);
      return operation;
    case "set-cursor":
      assertKey(operation.channel, `operations[${index}].channel`);
      assertStoreId(operation.readerId, `operations[${index}].readerId`);
      assertInteger(operation.seq, `operations[${index}].seq`, 0);
      return operation;
    case "set-state": {
      const path = `operations[${index}]`;
      assertKey(operation.key, `${path}.key`);
      if (operation.expectedVersion !== undefined) {
        assertInteger(operation.expectedVersion, `${path}.expectedVersion`, 0);
      }
      if (operation.ttlMs !== undefined) assertLeaseMs(operation.ttlMs, `${path}.ttlMs`);
      return { ...operation, value: cloneJson(operation.value, `${path}.value`, { maxBytes }) };
    }
    case "delete-state":
      assertKey(operation.key, `operations[${index}].key`);
      if (operation.expectedVersion !== undefined) {
        assertInteger(operation.expectedVersion, `operations[${index}].expectedVersion`, 0);
      }
      return operation;
    default:
      throw refuse(`operations[${index}].type`, "the type of an operation", Reflect.get(operation, "type"));
  }
}

/** What names a delivery. No path is built unless something is wrong: acknowledging is the hottest of all. */
function checkDelivery(
  operation: { readonly channel: string; readonly seq: number; readonly token: string },
  index: number,
): void {
  const { channel, seq, token } = operation;
  if (!isKey(channel, MAX_KEY_LENGTH)) assertKey(channel, `operations[${index}].channel`);
  if (!Number.isSafeInteger(seq) || seq < 1) assertInteger(seq, `operations[${index}].seq`, 1);
  if (typeof token !== "string") throw refuse(`operations[${index}].token`, "the token of a lease", token);
}

function checkRelease(operation: ReleaseOperation, index: number, maxBytes: number): ReleaseOperation {
  checkDelivery(operation, index);
  const path = `operations[${index}]`;
  if (operation.delayMs !== undefined) assertFiniteMs(operation.delayMs, `${path}.delayMs`);
  if (operation.holdLaneMs !== undefined) assertDurationMs(operation.holdLaneMs, `${path}.holdLaneMs`);
  assertFlag(operation.countAttempt, `${path}.countAttempt`);
  const { failure, content } = operation;
  if (failure === undefined && content === undefined) return operation;
  const checked: Writable<ReleaseOperation> = { ...operation };
  if (failure !== undefined) {
    if (typeof failure !== "object" || failure === null) throw refuse(`${path}.failure`, "an object", failure);
    const reason = assertKey(failure.reason, `${path}.failure.reason`);
    const { detail } = failure;
    if (detail !== undefined && typeof detail !== "string") throw refuse(`${path}.failure.detail`, "a text", detail);
    checked.failure = detail === undefined ? { reason } : { reason, detail: shorten(detail) };
  }
  if (content !== undefined) checked.content = cloneJson(content, `${path}.content`, { maxBytes });
  return checked;
}

/** Cuts a detail to the length that is kept, between characters. */
function shorten(detail: string): string {
  if (detail.length <= MAX_DETAIL_LENGTH) return detail;
  const last = detail.charCodeAt(MAX_DETAIL_LENGTH - 1);
  return detail.slice(0, last >= 0xd800 && last < 0xdc00 ? MAX_DETAIL_LENGTH - 1 : MAX_DETAIL_LENGTH);
}

/**
 * Checks what to claim.
 *
 * @throws {ValidationError} If a property is of the wrong kind or size. `argument` is its name.
 */
export function checkClaim(request: ClaimRequest): void {
  assertKey(request.channel, "channel");
  assertStoreId(request.workerId, "workerId");
  assertInteger(request.limit, "limit", 1);
  assertLeaseMs(request.leaseMs, "leaseMs");
  if (request.recipientId !== undefined) assertStoreId(request.recipientId, "recipientId");
}

/**
 * Checks what to read.
 *
 * @throws {ValidationError} If a property is of the wrong kind or size. `argument` is its name.
 */
export function checkSharedRead(request: SharedReadRequest): void {
  assertKey(request.channel, "channel");
  assertStoreId(request.readerId, "readerId");
  assertInteger(request.limit, "limit", 1);
  if (request.after !== undefined) assertInteger(request.after, "after", 0);
  if (request.recipientId !== undefined) assertStoreId(request.recipientId, "recipientId");
  assertFlag(request.advance, "advance");
}

/**
 * Checks what to look for.
 *
 * @throws {ValidationError} If a property is of the wrong kind or size. `argument` is its name.
 */
export function checkQuery(request: QueryRequest): void {
  assertKey(request.channel, "channel");
  if (request.fromTime !== undefined) assertTime(request.fromTime, "fromTime");
  if (request.toTime !== undefined) assertTime(request.toTime, "toTime");
  if (request.correlationId !== undefined) assertKey(request.correlationId, "correlationId");
  if (request.externalId !== undefined) assertKey(request.externalId, "externalId");
  if (request.senderId !== undefined) assertStoreId(request.senderId, "senderId");
  if (request.recipientId !== undefined) assertStoreId(request.recipientId, "recipientId");
  const order: unknown = request.order;
  if (order !== undefined && order !== "asc" && order !== "desc") throw refuse("order", '"asc" or "desc"', order);
  if (request.after !== undefined) assertInteger(request.after, "after", 0);
  if (request.limit !== undefined) assertInteger(request.limit, "limit", 1);
}

/**
 * Checks what retention may remove.
 *
 * @throws {ValidationError} If a property is of the wrong kind or size. `argument` is its name.
 */
export function checkPrune(request: PruneRequest): void {
  assertKey(request.channel, "channel");
  if (request.olderThanMs !== undefined) assertDurationMs(request.olderThanMs, "olderThanMs");
  if (request.keepLatest !== undefined) assertInteger(request.keepLatest, "keepLatest", 0);
}

/**
 * Checks which state values to list.
 *
 * @param prefix What their keys start with; `""` for all.
 * @param page From where on, and how many.
 * @throws {ValidationError} If one is of the wrong kind or size.
 */
export function checkListState(prefix: string, page: { readonly after?: string; readonly limit?: number }): void {
  if (prefix !== "") assertKey(prefix, "prefix");
  if (typeof page !== "object" || page === null) throw refuse("page", "an object", page);
  if (page.after !== undefined && page.after !== "") assertKey(page.after, "page.after");
  if (page.limit !== undefined) assertInteger(page.limit, "page.limit", 1);
}

/**
 * Checks how messages take part.
 *
 * @throws {ValidationError} If it is none of the three words.
 */
export function assertMode(value: unknown, argument: string): void {
  if (value !== "queue" && value !== "log" && value !== "both") {
    throw refuse(argument, '"log", "queue" or "both"', value);
  }
}

/**
 * Checks a duration that ends: a delay, a memory.
 *
 * @throws {ValidationError} If it is no finite number of at least 0.
 */
export function assertFiniteMs(value: unknown, argument: string): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  throw refuse(argument, "a finite number of milliseconds of at least 0", value);
}

/** A duration something lasts: finite, more than nothing. */
function assertLeaseMs(value: unknown, argument: string): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw refuse(argument, "a finite number of milliseconds greater than 0", value);
}

function assertTime(value: unknown, argument: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw refuse(argument, "a time in milliseconds since 1970", value);
}

function assertFlag(value: unknown, argument: string): void {
  if (value !== undefined && typeof value !== "boolean") throw refuse(argument, "true or false", value);
}

interface JsonPaths {
  readonly content: string;
  readonly metadata: string;
}

/** The paths for the latest `path`. Nearly all messages come alone, so it is the same one again and again. */
let latestPath = "";
let latestPaths: JsonPaths = { content: "content", metadata: "metadata" };

function jsonPathsOf(path: string): JsonPaths {
  if (path !== latestPath) {
    latestPath = path;
    latestPaths = { content: `${path}.content`, metadata: `${path}.metadata` };
  }
  return latestPaths;
}

function cloneObject(value: JsonObject, path: string, maxBytes: number): JsonObject {
  if (value === EMPTY_OBJECT) return value;
  const copy = cloneJson(value, path, { maxBytes });
  return isObject(copy) ? copy : EMPTY_OBJECT;
}

function isObject(value: ReturnType<typeof cloneJson>): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(argument: string, expected: string, value: unknown): ValidationError {
  return new ValidationError(argument, `Cannot accept '${argument}': it must be ${expected}, not ${kindOf(value)}`);
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
