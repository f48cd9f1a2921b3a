/**
 * Sends requests from a process of its own: 64 connections, one request at a time on each. For a line with a
 * port it signs its requests and connects, for the line `send` it sends them; it answers each line when that is done.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { requestBytes } from "./standard-webhook.ts";

const CONNECTIONS = 64;
const REQUESTS = Number(process.argv[2]);
let round = 0;

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("connect", () => resolve(socket)).once("error", reject);
  });
}

/** One connection. It is opened anew where the server closes it behind an answer. */
class Connection {
  #socket: Socket;
  #text = "";
  #isDone = false;
  readonly #port: number;
  readonly #next: () => Uint8Array | undefined;
  readonly #failed: (error: Error) => void;

  constructor(socket: Socket, port: number, next: () => Uint8Array | undefined, failed: (error: Error) => void) {
    this.#socket = socket;
    this.#port = port;
    this.#next = next;
    this.#failed = failed;
    this.#listen();
  }

  send(): void {
    const request = this.#next();
    if (request !== undefined) this.#socket.write(request);
  }

  end(): void {
    this.#isDone = true;
    this.#socket.destroy();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk.toString("latin1")));
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", () => {
      if (!this.#isDone && socket === this.#socket) this.#failed(new Error("Cannot measure: a connection was closed"));
    });
  }

  #take(text: string): void {
    this.#text += text;
    const answer = this.#text;
    if (!isWhole(answer)) return;
    if (!answer.startsWith("HTTP/1.1 200 ")) return this.#failed(new Error(`Cannot measure: ${answer}`));
    this.#text = "";
    if (/\r\nconnection: close/i.test(answer)) void this.#reopen();
    else this.send();
  }

  async #reopen(): Promise<void> {
    const old = this.#socket;
    try {
      this.#socket = await open(this.#port);
      old.destroy();
      this.#listen();
      this.send();
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** What is ready to be sent. */
interface Load {
  readonly port: number;
  readonly requests: readonly Uint8Array[];
  readonly sockets: readonly Socket[];
}

async function prepare(port: number): Promise<Load> {
  round++;
  const requests = Array.from(
    { length: REQUESTS },
    (_, index) => requestBytes(`r${round}m${index}`, `c${index % 100}`),
  );
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(port)));
  return { port, requests, sockets };
}

/** Resolves with the last answer. */
async function sendAll({ port, requests, sockets }: Load): Promise<void> {
  const connections: Connection[] = [];
  let asked = 0;
  await new Promise<void>((resolve, reject) => {
    // Each connection asks for its next once it has an answer: the last of them to ask has the last answer.
    const next = (): Uint8Array | undefined => {
      if (asked === REQUESTS + CONNECTIONS - 1) resolve();
      return requests[asked++];
    };
    connections.push(...sockets.map((socket) => new Connection(socket, port, next, reject)));
    for (const connection of connections) connection.send();
  });
  for (const connection of connections) connection.end();
}

/** Whether an answer without a body is there. */
function isWhole(text: string): boolean {
  if (!text.endsWith("\r\n\r\n")) return false;
  return !/\r\ntransfer-encoding: chunked/i.test(text) || text.endsWith("\r\n0\r\n\r\n");
}

let load: Load | undefined;
process.stdout.write("0\n");
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== "send") load = await prepare(Number(line));
  else if (load !== undefined) await sendAll(load);
  process.stdout.write("0\n");
}
process.exit();
