/**
 * A server that stands in for a network's HTTP API: on a free port of this machine, with a log of its own, and faults to
 * order.
 *
 * @module
 */
import { createServer, type IncomingMessage as NodeRequest, type Server, type ServerResponse } from "node:http";

/** A request as it arrived. */
export interface StandInRequest {
  /** Counts from 1. */
  readonly number: number;
  /** `"POST"`. */
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What the stand-in answers. */
export interface StandInAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** Headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body; an object is written as JSON. */
  readonly body?: string | Uint8Array | object;
}

/**
 * Something to go wrong.
 *
 * - `answer`: says this; with `accepted: true` after it took the message all the same.
 * - `cut`: closes the connection: `before` it looks at the request, `after-accept`, or `within-answer`.
 * - `slow`: takes the message, and answers after a while.
 * - `hang`: never answers; with `accepted: true` after it took the message.
 */
export type StandInFault =
  | { readonly fault: "answer"; readonly answer: StandInAnswer; readonly accepted?: boolean }
  | { readonly fault: "cut"; readonly when: "before" | "after-accept" | "within-answer" }
  | { readonly fault: "slow"; readonly delayMs: number }
  | { readonly fault: "hang"; readonly accepted?: boolean };

/** Which requests a fault is for. */
export interface InjectOptions {
  /** How many requests it hits. @default `1` */
  readonly times?: number;
  /** Only requests whose path contains this. @default all */
  readonly path?: string;
}

interface PendingFault {
  readonly fault: StandInFault;
  readonly path: string;
  left: number;
}

/** The common part of the stand-ins: extend it, and say what a request is answered. */
export abstract class HttpStandIn {
  readonly #requests: StandInRequest[] = [];
  readonly #faults: PendingFault[] = [];
  #server: Server | undefined;
  #origin = "";

  /** Says what a request is answered, and takes what it brings. */
  protected abstract answer(request: StandInRequest): StandInAnswer | Promise<StandInAnswer>;

  /** Where it listens: `"http://127.0.0.1:49152"`; `""` when it does not. */
  get origin(): string {
    return this.#origin;
  }

  /** Every request so far, faults included. */
  get requests(): readonly StandInRequest[] {
    return this.#requests;
  }

  /**
   * Listens on a free port of 127.0.0.1.
   *
   * @returns The origin.
   */
  async start(): Promise<string> {
    if (this.#server !== undefined) return this.#origin;
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("Cannot listen: no port was given");
    this.#origin = `http://127.0.0.1:${address.port}`;
    return this.#origin;
  }

  /** Closes it and every connection. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#origin = "";
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  /**
   * Makes something go wrong with the next requests. Several wait their turn in order.
   *
   * @param fault What goes wrong.
   * @param options How often, and for which path.
   */
  inject(fault: StandInFault, options: InjectOptions = {}): void {
    this.#faults.push({ fault, path: options.path ?? "", left: options.times ?? 1 });
  }

  /** Forgets faults that have not struck. */
  clearFaults(): void {
    this.#faults.length = 0;
  }

  async #serve(raw: NodeRequest, response: ServerResponse): Promise<void> {
    const request = await this.#read(raw);
    const fault = this.#nextFault(request);
    switch (fault?.fault) {
      case "cut":
        if (fault.when === "before") return void response.destroy();
        if (fault.when === "after-accept") {
          await this.answer(request);
          return void response.destroy();
        }
        return cutWithin(response, await this.answer(request));
      case "hang":
        if (fault.accepted === true) await this.answer(request);
        return;
      case "slow":
        return delayed(response, fault.delayMs, await this.answer(request));
      case "answer":
        if (fault.accepted === true) await this.answer(request);
        return write(response, fault.answer);
      default:
        return write(response, await this.answer(request));
    }
  }

  async #read(raw: NodeRequest): Promise<StandInRequest> {
    const pieces: Uint8Array[] = [];
    for await (const piece of raw) pieces.push(piece);
    const headers = Object.entries(raw.headers).map(([name, value]): [string, string] => [
      name,
      Array.isArray(value) ? value.join(", ") : value ?? "",
    ]);
    const request: StandInRequest = {
      number: this.#requests.length + 1,
      method: raw.method ?? "GET",
      path: raw.url ?? "/",
      headers: Object.fromEntries(headers),
      body: joined(pieces),
    };
    this.#requests.push(request);
    return request;
  }

  #nextFault({ path }: StandInRequest): StandInFault | undefined {
    const index = this.#faults.findIndex((each) => path.includes(each.path));
    const found = this.#faults[index];
    if (found === undefined) return undefined;
    found.left--;
    if (found.left <= 0) this.#faults.splice(index, 1);
    return found.fault;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

function bytesOf(body: StandInAnswer["body"]): Uint8Array {
  if (body === undefined) return new Uint8Array(0);
  if (body instanceof Uint8Array) return body;
  return new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
}

function headersOf({ body, headers = {} }: StandInAnswer): Record<string, string> {
  const isJson = typeof body === "object" && !(body instanceof Uint8Array);
  return { ...(isJson ? { "content-type": "application/json" } : {}), ...headers };
}

function write(response: ServerResponse, answer: StandInAnswer): void {
  response.writeHead(answer.status, headersOf(answer));
  response.end(bytesOf(answer.body));
}

function delayed(response: ServerResponse, delayMs: number, answer: StandInAnswer): void {
  const timer = setTimeout(() => write(response, answer), delayMs);
  response.once("close", () => clearTimeout(timer));
}

/** Promises more than it sends. */
function cutWithin(response: ServerResponse, answer: StandInAnswer): void {
  const bytes = bytesOf(answer.body);
  // 204 has no body that could be cut.
  const status = answer.status === 204 ? 200 : answer.status;
  response.writeHead(status, { ...headersOf(answer), "content-length": String(bytes.length + 100) });
  const half = bytes.length < 2 ? new TextEncoder().encode(" ") : bytes.subarray(0, Math.floor(bytes.length / 2));
  response.write(half, () => response.destroy());
}
