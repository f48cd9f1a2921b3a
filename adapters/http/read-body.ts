/**
 * Reading a request's body with a limit that holds whatever the request says of its length.
 *
 * @module
 */
import { type Clock, kindOf, TooLargeError, ValidationError } from "../../core/mod.ts";
import { Deadlines } from "./deadlines.ts";

/** How {@link readBody} reads. */
export interface ReadBodyOptions {
  /** The most that is read. */
  readonly maxBytes: number;
  /** How long the whole body may take. */
  readonly deadlines: Deadlines;
}

/** How long a body may take, in milliseconds. */
const BODY_TIMEOUT_MS = 30_000;

/**
 * Makes the deadlines of bodies: 30 seconds from when reading begins.
 *
 * @param clock Time.
 */
export function bodyDeadlines(clock: Clock): Deadlines {
  return new Deadlines(clock, BODY_TIMEOUT_MS);
}

/** The body did not arrive in time. */
export class BodyTimeoutError extends Error {
  /** Says so. */
  constructor() {
    super("Cannot read body: it did not arrive in time");
    this.name = "BodyTimeoutError";
  }
}

/** The connection was lost, or the body is not as HTTP has it. */
export class BodyLostError extends Error {
  /** Says so. */
  constructor() {
    super("Cannot read body: it broke off");
    this.name = "BodyLostError";
  }
}

/** The body is not JSON. */
export class MalformedJsonError extends Error {
  /** @param message What is wrong, without the text itself. */
  constructor(message: string) {
    super(message);
    this.name = "MalformedJsonError";
  }
}

/**
 * Reads the raw body up to a limit that holds whatever the request says of its length.
 *
 * @param request The request. Its body must not have been read.
 * @param options Limits.
 * @throws {TooLargeError} If the body is over the limit.
 * @throws {BodyTimeoutError} If it does not arrive in time.
 * @throws {BodyLostError} If it breaks off.
 */
export function readBody(request: Request, options: ReadBodyOptions): Promise<Uint8Array> {
  const { maxBytes, deadlines } = options;
  const { headers } = request;
  const length = headers.get("content-length");
  // A length over the limit spares both sides the transfer.
  if (length !== null && Number(length) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  // HTTP ends a body where its length says, so what follows a lie is no part of it. A length that goes with chunks, or
  // through a layer that changed the body, says nothing.
  const isBounded = length !== null && DIGITS.test(length) && !headers.has("transfer-encoding") &&
    !headers.has("content-encoding");
  return isBounded ? readWhole(request, maxBytes, deadlines) : readPieces(request, maxBytes, deadlines);
}

const DIGITS = /^\d+$/;

/** Reads a body of a length that is known. A stream would take the runtime many times as long. */
function readWhole(request: Request, maxBytes: number, deadlines: Deadlines): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const deadline = deadlines.begin(() => reject(new BodyTimeoutError()));
    request.arrayBuffer().then((whole) => {
      deadlines.end(deadline);
      if (whole.byteLength > maxBytes) reject(tooLarge(maxBytes));
      else resolve(new Uint8Array(whole));
    }, () => {
      deadlines.end(deadline);
      reject(new BodyLostError()); // after a time-out this changes nothing
    });
  });
}

/** Counts bytes as they come. Nothing is kept of a body over the limit. */
async function readPieces(request: Request, maxBytes: number, deadlines: Deadlines): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  let isLate = false;
  const deadline = deadlines.begin(() => {
    isLate = true;
    cancelQuietly(reader);
  });
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw isLate ? new BodyTimeoutError() : new BodyLostError();
      });
      if (isLate) throw new BodyTimeoutError();
      if (done) return join(chunks, length);
      length += value.byteLength;
      if (length > maxBytes) {
        cancelQuietly(reader);
        throw tooLarge(maxBytes);
      }
      chunks.push(value);
    }
  } finally {
    deadlines.end(deadline);
  }
}

/**
 * Reads JSON from raw bytes: UTF-8 without errors, one value, and for the caller of an API an object.
 *
 * @param bytes The raw body.
 * @throws {MalformedJsonError} If it is not JSON.
 * @throws {ValidationError} If it is JSON but no object.
 */
export function parseJsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const value = parseJson(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ValidationError("body", `Cannot accept the body: it must be a JSON object, not ${kindOf(value)}`);
  }
  return Object.fromEntries(Object.entries(value));
}

/**
 * Reads JSON from raw bytes.
 *
 * @param bytes The raw body.
 * @throws {MalformedJsonError} If it is not UTF-8, or not JSON.
 */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.byteLength === 0) throw new MalformedJsonError("The body is empty");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new MalformedJsonError("The body is not UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch {
    // The engines' own sentences quote the text; ours does not.
    throw new MalformedJsonError("The body is not JSON");
  }
}

function tooLarge(maxBytes: number): TooLargeError {
  return new TooLargeError(`Cannot accept a body of more than ${maxBytes} bytes`, maxBytes);
}

/** The connection may be gone already; there is nobody left to tell. */
function cancelQuietly(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(() => {});
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
