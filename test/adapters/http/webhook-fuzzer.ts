/**
 * Requests that are almost authentic: for every provider's webhook, from a seed.
 *
 * @module
 */
import assert from "node:assert/strict";

/** A webhook request. Headers are pairs, as one may come twice. */
export interface WebhookRequest {
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/** What is attacked. */
export interface FuzzTarget {
  /** The `count`-th authentic request; every one of another body. */
  valid(count: number): Promise<WebhookRequest>;
  /** The same request, authenticated by a secret that is not this route's. */
  foreign(count: number): Promise<WebhookRequest>;
  /** The names of the headers that prove a request, in small letters. */
  readonly proofs: readonly string[];
  /** Whether the proof covers the body. Where it does not, only the headers are attacked. */
  readonly coversBody: boolean;
}

/** How {@link fuzzWebhook} attacks. */
export interface FuzzOptions {
  /** How many requests. */
  readonly count: number;
  /** Where chance begins; the same seed is the same attack. */
  readonly seed: number;
  /** Answers a request. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** What must be the same afterwards: everything a request could change. */
  readonly snapshot: () => Promise<unknown>;
  /** How often the snapshot is compared. @default every 500 requests, and at the end */
  readonly compareEvery?: number;
  /** Where requests go. @default `"http://127.0.0.1:8787"` */
  readonly origin?: string;
}

/** Chance from a seed (mulberry32). */
export class Chance {
  #state: number;

  /** @param seed Where it begins. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** An integer from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** One of several. */
  pick<T>(items: readonly T[]): T {
    for (const item of items.slice(this.below(items.length))) return item;
    return assert.fail("there is nothing to pick from");
  }
}

type Mutation = (request: WebhookRequest, chance: Chance, target: FuzzTarget, count: number) => Promise<WebhookRequest>;

const PROOF_MUTATIONS: Readonly<Record<string, Mutation>> = {
  "a proof is missing": (request, chance, target) => {
    const name = chance.pick(target.proofs);
    return changed(request, { headers: request.headers.filter(([key]) => key !== name) });
  },
  "all proofs are missing": (request, _chance, target) =>
    changed(request, { headers: request.headers.filter(([key]) => !target.proofs.includes(key)) }),
  "a proof is empty": withProof(() => ""),
  "a proof is cut": withProof((value, chance) => value.slice(0, chance.below(value.length))),
  "a proof is longer": withProof((value, chance) => value + chance.pick(["0", "a", "=", ".", "!", "00", "\u00e4"])),
  "a proof begins otherwise": withProof((value, chance) => chance.pick(["x", "0", "=", '"', "sha1=", "v1,"]) + value),
  "a character of a proof is another": withProof((value, chance) => {
    const at = chance.below(value.length);
    const other = chance.pick([..."01Zz+/=.,;_-\u00ff"].filter((each) => each !== value[at]));
    return value.slice(0, at) + other + value.slice(at + 1);
  }),
  "a proof has one character more": withProof((value, chance) => {
    const at = chance.below(value.length);
    return value.slice(0, at) + chance.pick([..."01az+/=.,;_-\u00ff"]) + value.slice(at);
  }),
  "a proof has one character less": withProof((value, chance) => {
    const at = chance.below(value.length);
    return value.slice(0, at) + value.slice(at + 1);
  }),
  "two characters of a proof are swapped": withProof((value, chance) => {
    const at = chance.below(Math.max(1, value.length - 1));
    const [left = "", right = ""] = [value[at], value[at + 1]];
    return left === right ? `${value}x` : value.slice(0, at) + right + left + value.slice(at + 2);
  }),
  "a proof is said twice in one": withProof((value) => value + value),
  "a proof is a word": withProof((_value, chance) =>
    chance.pick(["undefined", "null", "true", "0", "[object Object]", "sha256=", "v1,", "Bearer", "Bearer undefined"])
  ),
  "a proof is very long": withProof((_value, chance) => chance.pick(["0", "f", "A"]).repeat(7_000)),
  "the proofs are another secret's": (request, _chance, target, count) =>
    target.foreign(count).then(({ headers }) => ({ ...request, headers })),
};

const BODY_MUTATIONS: Readonly<Record<string, Mutation>> = {
  "the proofs are another body's": async (request, _chance, target, count) => ({
    ...request,
    headers: (await target.valid(count + 1)).headers,
  }),
  "a bit of the body is another": withBody((body, chance) => {
    const copy = body.slice();
    const at = chance.below(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << chance.below(8));
    return copy;
  }),
  "a byte of the body is missing": withBody((body, chance) => {
    const at = chance.below(body.length);
    return joined(body.subarray(0, at), body.subarray(at + 1));
  }),
  "a byte is in the body that was not": withBody((body, chance) => {
    const at = chance.below(body.length + 1);
    return joined(body.subarray(0, at), new Uint8Array([chance.below(256)]), body.subarray(at));
  }),
  "the body is cut": withBody((body, chance) => body.subarray(0, chance.below(body.length))),
  "the body comes twice": withBody((body) => joined(body, body)),
  "the body is empty": withBody(() => new Uint8Array(0)),
  "the body has a byte order mark": withBody((body) => joined(new Uint8Array([0xef, 0xbb, 0xbf]), body)),
  "the body ends in a line break": withBody((body, chance) =>
    joined(body, new TextEncoder().encode(chance.pick(["\n", "\r\n", " ", "\0"])))
  ),
  "the body is written otherwise": withBody((body) => {
    const text = new TextDecoder().decode(body);
    try {
      return new TextEncoder().encode(JSON.stringify(JSON.parse(text), null, 1));
    } catch {
      return new TextEncoder().encode(`${text} `);
    }
  }),
  "the body is compressed": async (request) => {
    const packed = new Response(Uint8Array.from(request.body)).body?.pipeThrough(new CompressionStream("gzip"));
    const body = new Uint8Array(await new Response(packed ?? null).arrayBuffer());
    return { ...request, body, headers: [...request.headers, ["content-encoding", "gzip"]] };
  },
  "the body is padded": withBody((body, chance) => joined(body, new Uint8Array(1 + chance.below(200_000)).fill(32))),
};

/** What can be done to a request, by name. */
export function mutationsFor(target: FuzzTarget): readonly (readonly [string, Mutation])[] {
  return Object.entries(target.coversBody ? { ...PROOF_MUTATIONS, ...BODY_MUTATIONS } : PROOF_MUTATIONS);
}

/**
 * Sends requests that are almost authentic, and expects every one to be refused with 400, 401, 403 or 413 and nothing to
 * change.
 *
 * @param target What is attacked.
 * @param options How.
 * @returns How often each mutation was tried.
 */
export async function fuzzWebhook(target: FuzzTarget, options: FuzzOptions): Promise<ReadonlyMap<string, number>> {
  const { count, seed, fetch, snapshot, compareEvery = 500, origin = "http://127.0.0.1:8787" } = options;
  const chance = new Chance(seed);
  const mutations = mutationsFor(target);
  const tried = new Map<string, number>();
  const before = await snapshot();
  for (let index = 0; index < count; index++) {
    const [name, mutate] = chance.pick(mutations);
    const valid = await target.valid(index);
    const mutated = await mutate(valid, chance, target, index);
    const request = toRequest(mutated, origin);
    if (request === undefined || isSame(valid, mutated)) continue;
    const answer = await fetch(request);
    const text = await answer.text();
    assert.ok(
      [400, 401, 403, 413].includes(answer.status),
      `seed ${seed}, ${index}: ${name}: ${answer.status} ${text}`,
    );
    tried.set(name, (tried.get(name) ?? 0) + 1);
    if (index % compareEvery === compareEvery - 1) {
      assert.deepEqual(await snapshot(), before, `up to ${index}: ${name}`);
    }
  }
  assert.deepEqual(await snapshot(), before);
  return tried;
}

/** The request as the platform has it; `undefined` where the platform does not let such headers out at all. */
export function toRequest({ path, headers, body }: WebhookRequest, origin: string): Request | undefined {
  try {
    const init = new Headers();
    for (const [name, value] of headers) init.append(name, value);
    return new Request(origin + path, { method: "POST", headers: init, body: Uint8Array.from(body) });
  } catch {
    return undefined;
  }
}

function withProof(change: (value: string, chance: Chance) => string): Mutation {
  return (request, chance, target) => {
    const name = chance.pick(target.proofs);
    return changed(request, {
      headers: request.headers.map(([key, value]) => (key === name ? [key, change(value, chance)] : [key, value])),
    });
  };
}

function withBody(change: (body: Uint8Array, chance: Chance) => Uint8Array): Mutation {
  return (request, chance) => changed(request, { body: change(request.body, chance) });
}

function changed(request: WebhookRequest, change: Partial<WebhookRequest>): Promise<WebhookRequest> {
  return Promise.resolve({ ...request, ...change });
}

function isSame(left: WebhookRequest, right: WebhookRequest): boolean {
  return JSON.stringify(left.headers) === JSON.stringify(right.headers) && left.body.length === right.body.length &&
    left.body.every((byte, index) => byte === right.body[index]);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
