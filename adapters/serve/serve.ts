/**
 * Listening on a port, on whichever of Deno, Bun and Node runs this.
 *
 * @module
 */
import { assertInteger, assertText, PosthornError } from "../../core/mod.ts";

/** Anything that answers requests: a Hono app, for one. */
export interface Fetchable {
  /** Answers a request. */
  fetch(request: Request): Response | Promise<Response>;
}

/** How {@link serve} listens. */
export interface ServeOptions {
  /** The port; 0 for any that is free. @default `8787` */
  readonly port?: number;
  /** The address. Others reach the server only if it is not a loopback one. @default `"127.0.0.1"` */
  readonly host?: string;
  /** How many ports above are tried when the port is taken. @default `0` */
  readonly tryNext?: number;
}

/** A server that listens. */
export interface RunningServer {
  /** Where: `http://127.0.0.1:8787`. */
  readonly url: string;
  /** The port it got. */
  readonly port: number;
  /** The address it listens on. */
  readonly host: string;
  /** Stops listening, gives requests under way a moment, and ends what is left: streams would never end by themselves. */
  stop(): Promise<void>;
}

/** Stops a server of one runtime. */
interface Listening {
  readonly port: number;
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 300;
/** Time for an answer that is ready to leave. */
const FLUSH_MS = 20;
/** Longer than the silence between two heartbeats of an event stream. */
const IDLE_SECONDS = 30;

/**
 * Serves an app over HTTP. On Node it needs the package `@hono/node-server`.
 *
 * @param app The app.
 * @param options Where.
 * @returns The server, listening.
 * @throws {PosthornError} With code `address-in-use` if the port is taken, and the next ones too.
 * @throws {ValidationError} If an option is of the wrong kind.
 *
 * @example
 * ```ts
 * import { serve } from "posthorn/serve";
 *
 * const server = await serve({ fetch: () => new Response("Hello") }, { port: 0 });
 * console.log(await (await fetch(server.url)).text()); // Hello
 * await server.stop();
 * ```
 */
export async function serve(app: Fetchable, options: ServeOptions = {}): Promise<RunningServer> {
  const port = assertInteger(options.port ?? 8_787, "port", 0, 65_535);
  const host = assertText(options.host ?? "127.0.0.1", "host", { maxLength: 255 });
  const tryNext = assertInteger(options.tryNext ?? 0, "tryNext", 0, 1_000);
  const answer = (request: Request): Response | Promise<Response> => app.fetch(request);
  for (let tried = 0;; tried++) {
    try {
      const listening = await listen(answer, host, port + tried);
      const name = host.includes(":") ? `[${host}]` : host;
      return { url: `http://${name}:${listening.port}`, host, port: listening.port, stop: () => listening.stop() };
    } catch (error) {
      if (!isAddressInUse(error)) throw error;
      if (port !== 0 && tried < tryNext && port + tried < 65_535) continue;
      const ports = tried === 0 ? `port ${port} is taken` : `ports ${port} to ${port + tried} are taken`;
      throw new PosthornError("address-in-use", `Cannot listen on ${host}: ${ports}`, {
        cause: error,
        retryable: true,
      });
    }
  }
}

type Answer = (request: Request) => Response | Promise<Response>;

function listen(answer: Answer, host: string, port: number): Promise<Listening> {
  const deno: unknown = Reflect.get(globalThis, "Deno");
  if (isServer<DenoLike>(deno)) return listenOnDeno(deno, answer, host, port);
  const bun: unknown = Reflect.get(globalThis, "Bun");
  if (isServer<BunLike>(bun)) return listenOnBun(bun, answer, host, port);
  return listenOnNode(answer, host, port);
}

interface DenoLike {
  serve(
    options: {
      readonly hostname: string;
      readonly port: number;
      readonly signal: AbortSignal;
      readonly onListen: () => void;
    },
    handler: Answer,
  ): { readonly addr: { readonly port: number }; readonly finished: Promise<void> };
}

interface BunLike {
  serve(options: {
    readonly hostname: string;
    readonly port: number;
    readonly idleTimeout: number;
    readonly fetch: Answer;
  }): { readonly port: number; stop(closeActiveConnections?: boolean): Promise<void> };
}

function isServer<Server extends { serve: unknown }>(value: unknown): value is Server {
  return typeof value === "object" && value !== null && "serve" in value && typeof value.serve === "function";
}

/** Deno either waits for streams for ever or breaks off what is being answered, so requests are counted here. */
async function listenOnDeno(deno: DenoLike, answer: Answer, hostname: string, port: number): Promise<Listening> {
  const controller = new AbortController();
  let underWay = 0;
  let isStopping = false;
  let onIdle: () => void = () => {};
  async function handle(request: Request): Promise<Response> {
    if (isStopping) return new Response(null, { status: 503, headers: { connection: "close" } });
    underWay++;
    try {
      return await answer(request);
    } finally {
      underWay--;
      if (underWay === 0) onIdle();
    }
  }
  const server = await Promise.resolve(
    deno.serve({ hostname, port, signal: controller.signal, onListen: () => {} }, handle),
  );
  return {
    port: server.addr.port,
    async stop() {
      if (isStopping) return await server.finished;
      isStopping = true;
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      if (underWay > 0) await Promise.race([idle, moment(STOP_GRACE_MS)]);
      await moment(FLUSH_MS);
      controller.abort();
      await server.finished;
    },
  };
}

async function listenOnBun(bun: BunLike, answer: Answer, hostname: string, port: number): Promise<Listening> {
  const server = await Promise.resolve(
    bun.serve({ hostname, port, idleTimeout: IDLE_SECONDS, fetch: (request) => answer(request) }),
  );
  return {
    port: server.port,
    async stop() {
      await Promise.race([server.stop(), moment(STOP_GRACE_MS)]);
      await server.stop(true);
    },
  };
}

async function listenOnNode(answer: Answer, host: string, port: number): Promise<Listening> {
  const { createAdaptorServer } = await import("@hono/node-server");
  const server = createAdaptorServer({ fetch: answer, overrideGlobalObjects: false });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if ("closeIdleConnections" in server) server.closeIdleConnections();
      await Promise.race([closed, moment(STOP_GRACE_MS)]);
      if ("closeAllConnections" in server) server.closeAllConnections();
      await closed;
    },
  };
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Error &&
    (error.name === "AddrInUse" || ("code" in error && error.code === "EADDRINUSE"));
}

function moment(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}
