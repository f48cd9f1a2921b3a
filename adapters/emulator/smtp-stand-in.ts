/**
 * A mail server that delivers nothing: it keeps what it accepts, shows every byte it got, and fails where it is told to.
 * For tests and for work without an account.
 *
 * @module
 */
import net from "node:net";
import tls from "node:tls";
import { PosthornError } from "../../core/mod.ts";
import type {
  SmtpStandInAction,
  SmtpStandInCore,
  SmtpStandInLog,
  SmtpStandInMail,
  SmtpStandInOptions,
  SmtpStandInRequest,
  SmtpStandInScript,
  SmtpStandInStage,
} from "./smtp-stand-in-contract.ts";
import { SmtpStandInSession } from "./smtp-stand-in-session.ts";

export type {
  SmtpStandInAction,
  SmtpStandInLog,
  SmtpStandInMail,
  SmtpStandInOptions,
  SmtpStandInRequest,
  SmtpStandInScript,
  SmtpStandInStage,
};

interface ScriptEntry {
  readonly stage: SmtpStandInStage;
  readonly script: SmtpStandInScript;
  left: number;
}

const EXTENSIONS: readonly string[] = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"];

/**
 * A scriptable SMTP server on a free port of loopback.
 *
 * Without a script it takes everything, as RFC 5321 says. {@link SmtpStandIn.script} makes it answer, cut or fall silent
 * at any stage, once or always; {@link SmtpStandIn.mails} is its own record of what it accepted, and
 * {@link SmtpStandIn.sessions} of what it was told, byte by byte. It runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { SmtpStandIn } from "posthorn/stand-ins";
 *
 * const server = await SmtpStandIn.start();
 * server.script("rcpt", { reply: "450 4.2.0 Greylisted" }, { times: 1 });
 * console.log(`Send mail to ${server.host}:${server.port}`);
 * console.log(server.mails.map(({ to }) => to));
 * await server.stop();
 * ```
 */
export class SmtpStandIn implements AsyncDisposable {
  readonly #core: SmtpStandInCore;
  readonly #keep: number;
  readonly #sessions: SmtpStandInSession[] = [];
  readonly #open = new Set<net.Socket>();
  readonly #scripts: ScriptEntry[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #mails: SmtpStandInMail[] = [];
  #accepted = 0;
  #count = 0;
  #server: net.Server | undefined;

  private constructor(options: SmtpStandInOptions) {
    const { hostname = "stand-in.invalid", extensions = EXTENSIONS, implicitTls = false, keep = 10_000 } = options;
    this.#keep = keep;
    this.#core = {
      options: { ...options, hostname, extensions, implicitTls },
      decide: (request) => this.#decide(request),
      accept: (mail) => this.#accept(mail),
    };
  }

  /**
   * Starts a server.
   *
   * @param options Where, with what certificate, for whom.
   * @returns The server, listening.
   * @throws {PosthornError} If implicit TLS is asked for without a certificate, or the port is taken.
   */
  static async start(options: SmtpStandInOptions = {}): Promise<SmtpStandIn> {
    if (options.implicitTls === true && options.tls === undefined) {
      throw new PosthornError("config", "Cannot start stand-in with TLS: 'tls' has no key and certificate");
    }
    const standIn = new SmtpStandIn(options);
    await standIn.#listen(options);
    return standIn;
  }

  /** The address it listens on. */
  get host(): string {
    return this.#core.options.host ?? "127.0.0.1";
  }

  /** The port it listens on. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** What was accepted, oldest first: its own record, whatever the client made of the answers. */
  get mails(): readonly SmtpStandInMail[] {
    return this.#mails;
  }

  /** What every connection said, oldest first. */
  get sessions(): readonly SmtpStandInLog[] {
    return this.#sessions.map((session) => session.log);
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#open.size;
  }

  /**
   * Scripts a stage. Scripts are asked in the order they were given; the first that decides counts.
   *
   * @param stage Where.
   * @param action What to do, or a function that decides by request.
   * @param options How often it applies. @default always
   * @returns A function that takes the script away.
   */
  script(
    stage: SmtpStandInStage,
    action: SmtpStandInAction | SmtpStandInScript,
    options: { readonly times?: number } = {},
  ): () => void {
    const entry: ScriptEntry = {
      stage,
      script: typeof action === "function" ? action : () => action,
      left: options.times ?? Number.POSITIVE_INFINITY,
    };
    this.#scripts.push(entry);
    return () => {
      const index = this.#scripts.indexOf(entry);
      if (index >= 0) this.#scripts.splice(index, 1);
    };
  }

  /** Forgets scripts, mails and the logs of ended sessions. */
  clear(): void {
    this.#scripts.length = 0;
    this.#mails.length = 0;
    this.#accepted = 0;
    const open = this.#sessions.filter(({ log }) => !log.isClosed);
    this.#sessions.splice(0, this.#sessions.length, ...open);
  }

  /**
   * Waits for mails.
   *
   * @param count How many in all since the start or the last {@link SmtpStandIn.clear}.
   * @param options Gives up early, rejecting with the signal's reason.
   * @returns The mails.
   */
  async waitForMails(
    count: number,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly SmtpStandInMail[]> {
    const { signal } = options;
    while (this.#accepted < count) {
      signal?.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal?.addEventListener("abort", wake, { once: true });
      });
    }
    return this.mails;
  }

  /** Ends all connections, those in the middle of a mail too. */
  cutAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Stops listening and ends all connections. Called twice is harmless. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const ended = Array.from(this.#open, (socket) => new Promise((resolve) => socket.once("close", resolve)));
    this.cutAll();
    await Promise.all([closed, ...ended]);
  }

  /** {@inheritDoc SmtpStandIn.stop} */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #listen(
    { host = "127.0.0.1", port = 0, implicitTls = false, tls: identity }: SmtpStandInOptions,
  ): Promise<void> {
    const onSocket = (socket: net.Socket): void => this.#serve(socket);
    const server = implicitTls && identity !== undefined
      ? tls.createServer({ key: identity.key, cert: identity.cert }, onSocket)
      : net.createServer(onSocket);
    // A client that gives up during the handshake is none of our business.
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
    this.#server = server;
  }

  #serve(socket: net.Socket): void {
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    const session = new SmtpStandInSession(++this.#count, socket, this.#core);
    this.#sessions.push(session);
    if (this.#sessions.length > this.#keep) this.#sessions.shift();
    session.greet();
  }

  #decide(request: SmtpStandInRequest): SmtpStandInAction | undefined {
    for (const entry of this.#scripts) {
      if (entry.stage !== request.stage || entry.left <= 0) continue;
      const action = entry.script(request);
      if (action === undefined) continue;
      entry.left -= 1;
      return action;
    }
    return undefined;
  }

  #accept(mail: SmtpStandInMail): void {
    this.#accepted += 1;
    this.#mails.push(mail);
    if (this.#mails.length > this.#keep) this.#mails.shift();
    this.#core.options.onMail?.(mail);
    for (const wake of [...this.#waiting]) wake();
  }
}
