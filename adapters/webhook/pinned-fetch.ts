/**
 * Requests whose address is checked and then used, with no second look-up in between.
 *
 * `fetch` resolves names by itself, so a check before it can be answered otherwise than the connection after it (DNS
 * rebinding). Where the runtime has `node:https` (Node, Deno, Bun), the connection is made to the very addresses that
 * were checked. Elsewhere (Workers) there is `fetch` alone: names are then checked where a resolver was given, and the
 * platform's own network, which reaches no private addresses, is what is left.
 *
 * @module
 */
import { builtinModule } from "../net/builtin-module.ts";
import { RequestError } from "../net/network-error.ts";
import type { EgressGuard, ResolveHost } from "./egress-guard.ts";

/** A request. */
export interface HttpRequest {
  /** Where to. */
  readonly url: string;
  /** Header names and values. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** The most of the answer's body that is read. */
  readonly maxAnswerBytes: number;
}

/** An answer. */
export interface HttpAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The headers. */
  readonly headers: Headers;
  /** The body, as text, up to the limit; what could not be read is left out. */
  readonly body: string;
}

/** Posts a request: one attempt, no redirect followed, nothing asked of an address the guard refuses. */
export type GuardedPost = (request: HttpRequest) => Promise<HttpAnswer>;

type LookupAddress = { readonly address: string; readonly family: number };
type LookupCallback = (error: Error | null, address?: unknown, family?: number) => void;

interface NodeAnswer {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  on(event: "data", listener: (piece: Uint8Array) => void): unknown;
  on(event: "end" | "aborted" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  destroy(): unknown;
}

interface NodeSocket {
  on(event: "connect" | "secureConnect", listener: () => void): unknown;
  readonly connecting?: boolean;
}

interface NodeClientRequest {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "socket", listener: (socket: NodeSocket) => void): unknown;
  on(event: "response", listener: (answer: NodeAnswer) => void): unknown;
  destroy(error?: Error): unknown;
  end(body: Uint8Array): unknown;
}

interface NodeHttpLike {
  request(url: string, options: object): NodeClientRequest;
}

interface NodeDnsLike {
  lookup(
    hostname: string,
    options: { readonly all: true },
    callback: (error: Error | null, addresses: readonly LookupAddress[]) => void,
  ): void;
}

/**
 * The best way to post that the runtime has.
 *
 * @param guard Says which addresses may be asked.
 * @param resolveHost Finds the addresses of a name. @default the runtime's own way
 * @returns A post over pinned addresses, or `undefined` where the runtime cannot.
 */
export function createPinnedPost(guard: EgressGuard, resolveHost?: ResolveHost): GuardedPost | undefined {
  if (isWorkers()) return undefined;
  const https = builtinModule<NodeHttpLike>("node:https", ["request"]);
  const http = builtinModule<NodeHttpLike>("node:http", ["request"]);
  const dns = builtinModule<NodeDnsLike>("node:dns", ["lookup"]);
  if (https === undefined || http === undefined || dns === undefined) return undefined;
  const resolve = resolveHost ?? ((hostname) => lookUp(dns, hostname));
  return function postPinned(request) {
    const url = guard.check(request.url);
    return postBy(url.protocol === "https:" ? https : http, url, request, lookupOf(guard, resolve));
  };
}

/** A Worker's `node:https` is `fetch` in other clothes, and asks no `lookup`. */
function isWorkers(): boolean {
  const { userAgent = "" } = globalThis.navigator ?? {};
  return userAgent === "Cloudflare-Workers";
}

function lookUp(dns: NodeDnsLike, hostname: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    dns.lookup(hostname, { all: true }, (error, addresses) => {
      if (error !== null) reject(error);
      else resolve(addresses.map(({ address }) => address));
    });
  });
}

/** The `lookup` of a connection: what it gives is what is connected to. */
function lookupOf(guard: EgressGuard, resolve: ResolveHost): object {
  function lookup(hostname: string, options: { readonly all?: boolean }, callback: LookupCallback): void {
    resolve(hostname).then((addresses) => {
      guard.checkAddresses(addresses);
      const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
      const [first] = found;
      if (options.all === true || first === undefined) callback(null, found);
      else callback(null, first.address, first.family);
    }).catch((error: unknown) => callback(error instanceof Error ? error : new Error("Cannot resolve the host")));
  }
  return { lookup };
}

function postBy(client: NodeHttpLike, url: URL, request: HttpRequest, lookup: object): Promise<HttpAnswer> {
  const { headers, body, signal, maxAnswerBytes } = request;
  return new Promise((resolve, reject) => {
    let isConnected = false;
    // No pool: a kept connection would be one more thing to close, and webhooks are few.
    const outgoing = client.request(url.href, {
      method: "POST",
      headers: { ...headers, "content-length": String(body.length) },
      agent: false,
      ...lookup,
    });
    const onAbort = (): void => {
      outgoing.destroy();
      const message = "Cannot wait for the answer: the request was ended";
      reject(new RequestError("aborted", message, isConnected));
    };
    const settle = (act: () => void): void => {
      signal.removeEventListener("abort", onAbort);
      act();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    outgoing.on("socket", (socket) => {
      // Before a TLS connection stands, nothing of the request has left.
      socket.on(url.protocol === "https:" ? "secureConnect" : "connect", () => {
        isConnected = true;
      });
    });
    outgoing.on("error", (error) => settle(() => reject(isConnected ? mayHaveLeft(error) : neverLeft(error))));
    outgoing.on("response", (answer) => {
      isConnected = true;
      readAnswer(
        answer,
        maxAnswerBytes,
        (text) => settle(() => resolve({ status: answer.statusCode ?? 0, headers: headersOf(answer), body: text })),
      );
    });
    outgoing.end(body);
  });
}

function codeOf(error: Error): string {
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : "connection-lost";
}

function mayHaveLeft(error: Error): RequestError {
  return new RequestError(codeOf(error), "Cannot tell whether the request arrived: the connection was lost", true);
}

function neverLeft(error: Error): RequestError {
  if (error instanceof RequestError) return error;
  return new RequestError(codeOf(error), "Cannot connect", false);
}

function headersOf({ headers }: NodeAnswer): Headers {
  const found = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) found.set(name, typeof value === "string" ? value : value.join(", "));
  }
  return found;
}

/** Reads up to a limit; a body that is cut or too long leaves the status, which has been said. */
function readAnswer(answer: NodeAnswer, maxBytes: number, done: (text: string) => void): void {
  const pieces: Uint8Array[] = [];
  let length = 0;
  let isDone = false;
  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    const decoder = new TextDecoder();
    done(pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode());
  };
  answer.on("data", (piece) => {
    if (isDone) return;
    const part = piece.subarray(0, maxBytes - length);
    pieces.push(part);
    length += part.length;
    if (length >= maxBytes) {
      finish();
      answer.destroy();
    }
  });
  answer.on("end", finish);
  answer.on("aborted", finish);
  answer.on("close", finish);
  answer.on("error", finish);
}
