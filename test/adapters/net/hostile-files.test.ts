// Files of others, from servers that mean harm or fall silent, over real sockets, for both backends that fetch files.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, describe, it } from "bun:test";
import { TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { WhatsAppCommunicator } from "../../../adapters/whatsapp/mod.ts";
import type { Communicator, OpenAttachmentOptions } from "../../../core/mod.ts";

const TOKEN = "123456:the-very-secret-token-of-all";
const LIMIT = 100_000;

/** What the server does once it was asked for the file. */
type Deed = (socket: Socket) => void;

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A server that answers for both networks, and for the file as told. */
async function serverThat(deed: Deed): Promise<{ readonly origin: string; readonly written: () => number }> {
  let written = 0;
  let origin = "";
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => written += socket.bytesWritten);
    let head = "";
    socket.on("data", (chunk) => {
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      const path = head.split(" ")[1] ?? "";
      head = "";
      if (path.endsWith("/getFile")) {
        answer(socket, { ok: true, result: { file_id: "x", file_unique_id: "x", file_path: "documents/a.bin" } });
      } else if (path.startsWith("/v")) {
        answer(socket, { url: `${origin}/file` });
      } else {
        deed(socket);
      }
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  origin = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  return { origin, written: () => written };
}

function answer(socket: Socket, body: object): void {
  const text = JSON.stringify(body);
  socket.write(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n`,
  );
  socket.end(text);
}

function head(...headers: readonly string[]): string {
  return ["HTTP/1.1 200 OK", "content-type: application/octet-stream", "connection: close", ...headers, "", ""].join(
    "\r\n",
  );
}

/** Writes for as long as anybody reads. */
function pour(socket: Socket, piece: Uint8Array): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
    if (!socket.destroyed) socket.once("drain", more);
  };
  more();
}

const TIMEOUT_MS = 700;

function backends(origin: string): readonly Communicator[] {
  return [
    new TelegramCommunicator("telegram", {
      token: TOKEN,
      apiRoot: origin,
      timeoutMs: TIMEOUT_MS,
      chats: { default: { chatId: "1" } },
    }),
    new WhatsAppCommunicator("wa", { token: TOKEN, phoneNumberId: "1", apiRoot: origin, timeoutMs: TIMEOUT_MS }),
  ];
}

async function readFile(backend: Communicator, options: OpenAttachmentOptions = {}): Promise<number> {
  const attachment = { kind: "document", providerId: "x" } as const;
  const stream = await backend.openAttachment?.(attachment, { maxBytes: LIMIT, ...options });
  assert.ok(stream);
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return length;
    length += value.length;
  }
}

async function failureOf(reading: Promise<unknown>): Promise<{ readonly code: unknown; readonly retryable: unknown }> {
  try {
    await reading;
  } catch (error) {
    assert.ok(error instanceof Error);
    const all = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error) + error.stack;
    assert.ok(!all.includes(TOKEN), "the token is in the error");
    assert.ok(!all.includes("/file/bot"), "the address is in the error");
    return { code: Reflect.get(error, "code"), retryable: Reflect.get(error, "retryable") };
  }
  return assert.fail("the file was read");
}

const PACKED = gzipSync(new Uint8Array(100_000_000));

const HARM: Readonly<Record<string, readonly [deed: Deed, code: string]>> = {
  "never answers": [() => {}, "media"],
  "falls silent after its headers": [(socket) => void socket.write(head("content-length: 1000")), "media"],
  "falls silent in the middle": [(socket) => void socket.write(`${head("content-length: 1000")}xxxx`), "media"],
  "cuts the connection before its answer": [(socket) => void socket.destroy(), "media"],
  "cuts the connection in the middle": [
    (socket) => void socket.write(`${head("content-length: 1000")}xxxx`, () => socket.destroy()),
    "media",
  ],
  "cuts a chunk in the middle": [
    (socket) => void socket.write(`${head("transfer-encoding: chunked")}ff\r\nxxxx`, () => socket.destroy()),
    "media",
  ],
  "says nothing of the length and never ends": [
    (socket) => {
      socket.write(head());
      pour(socket, new Uint8Array(65_536));
    },
    "too-large",
  ],
  "sends more chunks than anybody wants": [
    (socket) => {
      socket.write(head("transfer-encoding: chunked"));
      pour(socket, new TextEncoder().encode(`4000\r\n${"x".repeat(0x4000)}\r\n`));
    },
    "too-large",
  ],
  "packs 100 MB into 100 kB": [
    (socket) => {
      socket.write(head("content-encoding: gzip", `content-length: ${PACKED.length}`));
      socket.end(PACKED);
    },
    "too-large",
  ],
};

describe("A file of a server that means harm", () => {
  for (const [harm, [deed, code]] of Object.entries(HARM)) {
    it(`that ${harm} fails, and the error names neither token nor address`, async () => {
      const { origin } = await serverThat(deed);
      for (const backend of backends(origin)) {
        const failure = await failureOf(readFile(backend));
        assert.deepEqual(failure, { code, retryable: code === "media" }, backend.name);
      }
    }, 30_000);
  }

  it("is not read further than the limit", async () => {
    const { origin, written } = await serverThat((socket) => {
      socket.write(head());
      pour(socket, new Uint8Array(65_536));
    });
    for (const backend of backends(origin)) await failureOf(readFile(backend));
    await new Promise((resolve) => setTimeout(resolve, 200));
    // What was on its way when the reader left is in buffers of the system.
    assert.ok(written() < 40_000_000, `${written()} bytes were written`);
  }, 30_000);

  it("is let go when its reader stops, or calls it off", async () => {
    const { origin } = await serverThat((socket) => void socket.write(`${head("content-length: 90000")}xxxx`));
    for (const backend of backends(origin)) {
      const attachment = { kind: "document", providerId: "x" } as const;
      const stream = await backend.openAttachment?.(attachment, { maxBytes: LIMIT });
      const reader = stream?.getReader() ?? assert.fail("no stream");
      assert.equal((await reader.read()).value?.length, 4);
      await reader.cancel();
      const controller = new AbortController();
      const reading = readFile(backend, { signal: controller.signal });
      setTimeout(() => controller.abort(new Error("enough")), 50);
      await assert.rejects(reading, /enough/);
    }
    const until = Date.now() + 10_000;
    while ([...sockets].some((socket) => !socket.destroyed) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok([...sockets].every((socket) => socket.destroyed), "every connection was closed");
  }, 30_000);

  it("is read to its end by a reader that takes longer than a piece may", async () => {
    const { origin } = await serverThat((socket) => {
      socket.write(head("content-length: 6"));
      socket.end("xxxyyy");
    });
    for (const backend of backends(origin)) {
      const attachment = { kind: "document", providerId: "x" } as const;
      const stream = await backend.openAttachment?.(attachment, { maxBytes: LIMIT });
      await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS + 200));
      assert.equal(await new Response(stream ?? null).text(), "xxxyyy");
    }
  }, 30_000);
});
