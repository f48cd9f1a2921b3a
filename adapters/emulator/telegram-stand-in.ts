/**
 * A stand-in for Telegram on a local port.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { TelegramStandInApi, type TelegramStandInApiOptions } from "./telegram-stand-in-api.ts";

/** Options of {@link TelegramStandIn.start}. */
export interface TelegramStandInOptions extends TelegramStandInApiOptions {
  /** Where it listens. @default a free port */
  readonly port?: number;
}

/**
 * A stand-in for Telegram on a port of this machine: give its `url` as `api_root` and its `api.token` as `token`, and run a
 * bot without an account.
 *
 * It checks what it is sent as Telegram does (lengths, HTML, encoding), keeps its own record of what it took, hands out
 * updates by long polling and by webhook, serves files, and can be made to fail: 429, 5xx, slow, cut before or after it
 * took the message, updates twice, a group that moves.
 *
 * @example
 * ```ts
 * import { TelegramStandIn } from "posthorn/stand-ins";
 *
 * const telegram = await TelegramStandIn.start();
 * await fetch(`${telegram.url}/bot${telegram.api.token}/sendMessage`, {
 *   method: "POST",
 *   headers: { "content-type": "application/json" },
 *   body: JSON.stringify({ chat_id: 1, text: "hello" }),
 * });
 * console.log(telegram.api.messages.map(({ text }) => text)); // ["hello"]
 * await telegram.stop();
 * ```
 */
export class TelegramStandIn {
  /** What it knows, and how to make it fail. */
  readonly api: TelegramStandInApi;
  /** Its address: the `api_root`. */
  readonly url: string;
  readonly #server: Server;

  private constructor(api: TelegramStandInApi, server: Server, url: string) {
    this.api = api;
    this.#server = server;
    this.url = url;
  }

  /**
   * Starts one.
   *
   * @param options Port, token, chats.
   * @returns It, listening on the loopback address.
   */
  static async start(options: TelegramStandInOptions = {}): Promise<TelegramStandIn> {
    const api = new TelegramStandInApi(options);
    const server = createServer((request, response) => void answer(api, request, response));
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return new TelegramStandIn(api, server, `http://127.0.0.1:${port}`);
  }

  /** Stops it: ends polls, webhook requests and connections. */
  async stop(): Promise<void> {
    await this.api.stop();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

async function answer(api: TelegramStandInApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = await new Blob(chunks.map((chunk) => Uint8Array.from(chunk))).arrayBuffer();
    const method = request.method ?? "GET";
    const type = request.headers["content-type"];
    const reply = await api.handle(
      new Request(`http://127.0.0.1${request.url ?? "/"}`, {
        method,
        ...(type === undefined ? {} : { headers: { "content-type": type } }),
        ...(method === "GET" || method === "HEAD" ? {} : { body }),
      }),
      gone.signal,
    );
    if (reply === undefined) {
      request.socket.destroy();
      return;
    }
    const bytes = new Uint8Array(await reply.arrayBuffer());
    response.writeHead(reply.status, { ...Object.fromEntries(reply.headers), "content-length": String(bytes.length) });
    response.end(bytes);
  } catch {
    // The client is gone, or sent what is no request: there is nobody to tell.
    response.destroy();
  }
}
