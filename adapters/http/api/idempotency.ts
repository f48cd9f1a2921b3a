/**
 * `Idempotency-Key`: the same request sent again is the same request.
 *
 * @module
 */
import { assertText, encodeHex, type MessageStore } from "../../../core/mod.ts";

const KEEP_MS = 24 * 60 * 60_000;

/** What a request with a key stands for. */
export interface IdempotentRequest {
  /** The id to give to what it makes; `undefined` without a key: any. */
  readonly id: string | undefined;
  /** Whether the key was used for another request before. */
  readonly isMismatch: boolean;
}

/**
 * Looks a request's key up and remembers it for 24 hours. The id of what a request makes is made from its key, so that
 * two of the same at once, or one after a crash in between, make the same thing.
 *
 * @param store Where keys are remembered.
 * @param scope What keeps the keys of one route from those of another.
 * @param request The request.
 * @param body Its raw body.
 * @throws {ValidationError} If the key is longer than 255 characters or has control characters.
 */
export async function lookUpKey(
  store: MessageStore,
  scope: string,
  request: Request,
  body: Uint8Array,
): Promise<IdempotentRequest> {
  const key = request.headers.get("idempotency-key");
  if (key === null) return { id: undefined, isMismatch: false };
  assertText(key, "Idempotency-Key", { maxLength: 255 });
  const name = (await digestOf(new TextEncoder().encode(`${scope}\n${key}`))).slice(0, 32);
  const print = await digestOf(body);
  const stateKey = `http/idempotency/${name}`;
  const { results } = await store.commit([
    { type: "set-state", key: stateKey, value: print, expectedVersion: 0, ttlMs: KEEP_MS },
  ]);
  const isMismatch = results[0]?.status !== "done" && (await store.getState(stateKey))?.value !== print;
  return { id: `http-${name}`, isMismatch };
}

async function digestOf(bytes: Uint8Array): Promise<string> {
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes))));
}
