// Mails per second: the backend against bare nodemailer, pooled, five connections each, to a sink in a process of its
// own that does nothing but answer. The other rows say where the time goes: composing alone, nodemailer's connection
// with a mail that is composed already, and two limits: raw sockets that send prepared bytes as the protocol allows (the
// mail after the answer to DATA, RFC 2920), and all of it in one batch.
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import net from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createTransport } from "nodemailer";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { SmtpCommunicator } from "../adapters/smtp/mod.ts";
import { parseMailAddress } from "../adapters/net/mail-address.ts";
import { composeMail } from "../adapters/smtp/compose.ts";
import { createOutgoingMessage, type OutgoingMessage } from "../core/mod.ts";
import { benchmark, type Contender } from "./harness.ts";

const CONNECTIONS = 5;
const MAILS = 250;
const TEXT = `${"The disk of db-1 is nearly full; it holds what nobody may lose. ".repeat(5)}\n`.repeat(2);
const HTML = `<p>${TEXT}</p>`;

/** Answers as fast as lines can be found, in one packet for what came in one. */
function serveSink(): void {
  const server = net.createServer((socket) => {
    let buffer = "";
    let isBody = false;
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.write("220 sink\r\n");
    socket.on("data", (chunk) => {
      buffer += chunk.toString("latin1");
      let out = "";
      for (;;) {
        const end = buffer.indexOf(isBody ? "\r\n.\r\n" : "\r\n");
        if (end < 0) break;
        const verb = buffer.slice(0, 4);
        buffer = buffer.slice(end + (isBody ? 5 : 2));
        if (isBody) out += "250 Taken\r\n";
        else if (verb === "EHLO") out += "250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
        else if (verb === "DATA") out += "354 Go on\r\n";
        else out += verb === "QUIT" ? "221 Bye\r\n" : "250 Fine\r\n";
        isBody = verb === "DATA" && !isBody;
        if (verb === "QUIT") socket.end();
      }
      if (out !== "") socket.write(out);
    });
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    process.stdout.write(`${typeof address === "object" && address !== null ? address.port : 0}\n`);
  });
}

async function measure(): Promise<void> {
  const deno = "Deno" in globalThis ? ["run", "-A"] : [];
  const sink = spawn(process.execPath, [...deno, fileURLToPath(import.meta.url), "--serve"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const port = await new Promise<number>((resolve) => sink.stdout.once("data", (line) => resolve(Number(line))));
    await compare(port);
  } finally {
    sink.kill();
  }
}

async function compare(port: number): Promise<void> {
  const message: OutgoingMessage = createOutgoingMessage({ message: TEXT, html: HTML, subject: "Disk nearly full" }, {
    newId: () => "message-1",
    now: () => 1_700_000_000_000,
  });
  const mail = new SmtpCommunicator("mail", {
    host: "127.0.0.1",
    port,
    allowInsecure: true,
    fromAddress: "noreply@example.com",
    maxConnections: CONNECTIONS,
    maxMessagesPerConnection: 1_000_000,
  });
  await mail.start();
  const signal = new AbortController().signal;
  let count = 0;
  const send = async (): Promise<void> => {
    const context = { deliveryId: `delivery-${++count}`, recipient: "ops@example.com", attempt: 1, signal };
    const { outcome } = await mail.send(message, context);
    if (outcome !== "accepted") throw new Error(`Cannot send: ${outcome}`);
  };

  const transport = createTransport({
    pool: true,
    host: "127.0.0.1",
    port,
    ignoreTLS: true,
    maxConnections: CONNECTIONS,
    maxMessages: 1_000_000,
  });
  const bare = async (): Promise<void> => {
    await transport.sendMail({
      from: "noreply@example.com",
      to: "ops@example.com",
      subject: "Disk nearly full",
      text: TEXT,
      html: HTML,
      messageId: `<delivery-${++count}@example.com>`,
    });
  };

  const from = parseMailAddress("noreply@example.com");
  const to = parseMailAddress("ops@example.com");
  if (from === undefined || to === undefined) throw new Error("Cannot read the addresses");
  const compose = (): string =>
    composeMail(message, { deliveryId: `delivery-${++count}`, to }, { from, listUnsubscribe: [] }).text;
  const composed = Buffer.from(compose());
  const connections = await connect(port);
  const open = (): Promise<RawClient[]> =>
    Promise.all(Array.from({ length: CONNECTIONS }, () => RawClient.open(port, composed)));
  const [sockets, polite] = [await open(), await open()];

  await benchmark("SMTP", [
    spread("posthorn", send),
    spread("nodemailer pooled", bare),
    spread("nodemailer's connection, mail composed already", (lane) => {
      const connection = connections[lane];
      if (connection === undefined) throw new RangeError("Cannot find the connection");
      return new Promise((resolve, reject) => {
        const envelope = { from: "noreply@example.com", to: ["ops@example.com"] };
        connection.send(envelope, composed, (error) => error ? reject(error) : resolve());
      });
    }),
    spread(
      "raw sockets, the mail after the answer to DATA (limit)",
      (lane) => polite[lane]?.sendPolitely() ?? Promise.reject(new RangeError()),
    ),
    spread(
      "raw sockets, one batch a mail",
      (lane) => sockets[lane]?.send() ?? Promise.reject(new RangeError()),
    ),
    { name: "composing alone, no network", operations: MAILS, run: () => repeat(compose) },
  ], { reference: "nodemailer pooled", unit: "mails" });

  await mail.stop();
  transport.close();
  for (const connection of connections) connection.close();
  for (const socket of [...sockets, ...polite]) socket.close();
}

function repeat(work: () => unknown): void {
  for (let done = 0; done < MAILS; done++) work();
}

/** As many mails under way as there are connections. */
function spread(name: string, send: (lane: number) => Promise<void>): Contender {
  return {
    name,
    operations: MAILS,
    async run(): Promise<void> {
      let left = MAILS;
      await Promise.all(Array.from({ length: CONNECTIONS }, async (_, lane) => {
        while (left-- > 0) await send(lane);
      }));
    },
  };
}

function connect(port: number): Promise<readonly SMTPConnection[]> {
  return Promise.all(Array.from({ length: CONNECTIONS }, () =>
    new Promise<SMTPConnection>((resolve, reject) => {
      const connection = new SMTPConnection({ host: "127.0.0.1", port, ignoreTLS: true });
      connection.once("error", reject);
      connection.connect(() => resolve(connection));
    })));
}

/** Writes a whole mail at once and counts the answers. */
class RawClient {
  readonly #socket: net.Socket;
  readonly #envelope = Buffer.from("MAIL FROM:<noreply@example.com>\r\nRCPT TO:<ops@example.com>\r\nDATA\r\n");
  readonly #mail: Buffer;
  readonly #batch: Buffer;
  #awaited = "";
  #resolve: (() => void) | undefined;

  private constructor(socket: net.Socket, mail: Buffer) {
    this.#socket = socket;
    this.#mail = Buffer.concat([mail, Buffer.from(".\r\n")]);
    this.#batch = Buffer.concat([this.#envelope, this.#mail]);
    let heard = "";
    socket.on("data", (chunk) => {
      heard += chunk.toString("latin1");
      if (!heard.includes(this.#awaited)) return;
      heard = "";
      this.#resolve?.();
    });
  }

  static async open(port: number, mail: Buffer): Promise<RawClient> {
    const socket = net.connect({ host: "127.0.0.1", port });
    socket.setNoDelay(true);
    await new Promise((resolve) => socket.once("data", resolve));
    return new RawClient(socket, mail);
  }

  send(): Promise<void> {
    return this.#write(this.#batch, "250 Taken\r\n");
  }

  async sendPolitely(): Promise<void> {
    await this.#write(this.#envelope, "354 Go on\r\n");
    await this.#write(this.#mail, "250 Taken\r\n");
  }

  #write(bytes: Buffer, awaited: string): Promise<void> {
    this.#awaited = awaited;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#socket.write(bytes);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

if (process.argv.includes("--serve")) serveSink();
else await measure();
