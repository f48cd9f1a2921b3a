/**
 * The bytes of server-sent events (WHATWG HTML, 9.2).
 *
 * @module
 */

const encoder = new TextEncoder();

/** One server-sent event. */
export interface EventFrame {
  /** Where a client that comes back goes on: a sequence number. */
  readonly id?: number;
  /** Its type: a word of ours, never something a user wrote. */
  readonly event: string;
  /** Its data: any JSON value. */
  readonly data: unknown;
}

/**
 * Encodes an event. JSON escapes every line break in the data, so that nothing in it can end the field or start
 * another.
 *
 * @param frame The event.
 */
export function encodeEvent(frame: EventFrame): Uint8Array {
  const id = frame.id === undefined ? "" : `id: ${frame.id}\n`;
  return encoder.encode(`${id}event: ${frame.event}\ndata: ${JSON.stringify(frame.data)}\n\n`);
}

/** Opens a stream: proxies pass the headers on, and the client learns how soon to come back. */
export const OPENING: Uint8Array = encoder.encode(": open\nretry: 1000\n\n");

/**
 * Keeps a connection open and, beside the comment, moves the client's place on: what it was not sent, because it had
 * asked for less, need not be looked through again.
 *
 * @param id The place.
 */
export function encodeHeartbeat(id: number): Uint8Array {
  return encoder.encode(`: beat\nid: ${id}\n\n`);
}

/** The headers of a stream of events. */
export const EVENT_STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff",
};

/**
 * Where a client wants to go on: `Last-Event-ID`, which browsers send when they come back, before `after` in the query.
 *
 * @param request The request.
 * @returns The place; `undefined` where none is named, and `-1` where it is no place at all.
 */
export function placeOf(request: Request): number | undefined {
  const value = request.headers.get("last-event-id") ?? new URL(request.url).searchParams.get("after");
  if (value === null || value === "") return undefined;
  return /^\d{1,15}$/.test(value) ? Number(value) : -1;
}
