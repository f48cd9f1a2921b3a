import { afterEach, describe, it } from "bun:test";
import assert from "node:assert/strict";
import net from "node:net";
import { EventHub } from "../../../adapters/http/event-hub.ts";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { type RunningServer, serve } from "../../../adapters/serve/mod.ts";
import {
  Application,
  type Clock,
  type Logger,
  ManualClock,
  MemoryStore,
  PosthornError,
  silentLogger,
  systemClock,
} from "../../../core/mod.ts";
import { encodeEvent } from "../../../adapters/http/event-frame.ts";
import { SignedNetwork, signedRequest } from "../http/signed-network.ts";

const servers: RunningServer[] = [];
const applications: Application[] = [];

async function listen(...args: Parameters<typeof serve>): Promise<RunningServer> {
  const server = await serve(...args);
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await Promise.all(applications.splice(0).map((application) => application.stop()));
});

/** Sends bytes as they are and collects the answer until the other side ends it, or `enough` says so. */
function raw(
  { host, port }: RunningServer,
  parts: readonly (string | Uint8Array)[],
  enough: (text: string) => boolean = () => false,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host);
    let text = "";
    const done = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on("connect", () => {
      for (const part of parts) socket.write(part);
    });
    socket.on("data", (chunk: Uint8Array) => {
      text += new TextDecoder().decode(chunk);
      if (enough(text)) done();
    });
    socket.on("end", done);
    socket.on("close", done);
    // A server may break off what it does not want to read.
    socket.on("error", (error: Error) => (text === "" ? reject(error) : done()));
  });
}

function hasAnswer(text: string): boolean {
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  const end = text.indexOf("\r\n\r\n");
  return end > 0 && length !== undefined && text.length >= end + 4 + Number(length);
}

describe("serve()", () => {
  it("listens on loopback unless told otherwise, and answers", async () => {
    const server = await listen({ fetch: (request) => new Response(new URL(request.url).pathname) }, { port: 0 });
    assert.equal(server.host, "127.0.0.1");
    assert.equal(server.url, `http://127.0.0.1:${server.port}`);
    assert.equal(await (await fetch(`${server.url}/path`)).text(), "/path");
  });

  it("says that a port is taken, or takes the next free one", async () => {
    const first = await listen({ fetch: () => new Response("first") }, { port: 0 });
    await assert.rejects(
      serve({ fetch: () => new Response("second") }, { port: first.port }),
      (error) =>
        error instanceof PosthornError && error.code === "address-in-use" &&
        error.message === `Cannot listen on 127.0.0.1: port ${first.port} is taken`,
    );
    const second = await listen({ fetch: () => new Response("second") }, { port: first.port, tryNext: 50 });
    assert.ok(second.port > first.port);
    assert.equal(await (await fetch(second.url)).text(), "second");
  });

  it("stop() lets what is being answered end, cuts streams, and frees the port", async () => {
    let begun = (): void => {};
    const isBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let isCancelled = false;
    const server = await listen({
      fetch: async (request) => {
        if (request.url.endsWith("/stream")) {
          return new Response(
            new ReadableStream({
              start: (controller) => controller.enqueue(new TextEncoder().encode("open")),
              cancel: () => {
                isCancelled = true;
              },
            }),
          );
        }
        begun();
        await new Promise((resolve) => setTimeout(resolve, 50));
        return new Response("done");
      },
    }, { port: 0 });
    const stream = await fetch(`${server.url}/stream`);
    const reader = stream.body?.getReader();
    await reader?.read();
    const cut = reader?.read().catch(() => "cut");
    const answer = fetch(`${server.url}/slow`).then((response) => response.text());
    await isBegun;
    await server.stop();
    assert.equal(await answer, "done");
    await cut;
    await until(() => isCancelled, "the stream to be cancelled");
    await assert.rejects(fetch(server.url));
    await server.stop();
    const again = await listen({ fetch: () => new Response("again") }, { port: server.port });
    assert.equal(await (await fetch(again.url)).text(), "again");
  });
});

describe("a webhook on a socket", () => {
  const SECRET = "secret of the wire";

  async function open(
    clock: Clock = systemClock,
  ): Promise<{ server: RunningServer; inbox: () => Promise<number>; complaints: string[] }> {
    const complaints: string[] = [];
    const complain = (text: string): void => void complaints.push(text);
    const logger: Logger = { debug: () => {}, info: () => {}, warn: complain, error: complain };
    const store = new MemoryStore({ clock });
    const application = await Application.create({}, {
      store,
      clock,
      closeStore: true,
      logger,
      mode: "pump",
      communicators: [{ communicator: new SignedNetwork("wire", SECRET, { maxBodyBytes: 10_000 }) }],
    });
    applications.push(application);
    const server = await listen(createHttpApp(application), { port: 0 });
    return { server, complaints, inbox: async () => (await application.inbox.queue.stats()).stored };
  }

  function head(lines: readonly string[]): string {
    return ["POST /webhooks/wire HTTP/1.1", "Host: 127.0.0.1", "Connection: close", ...lines, "", ""].join("\r\n");
  }

  it("is taken whether its length is said or it comes in chunks", async () => {
    const { server, inbox } = await open();
    const { body, headers } = await signedRequest("wire", SECRET, [{ id: "1", from: "anna", text: "Grüße 😀" }]);
    const lines = headers.map(([name, value]) => `${name}: ${value}`);
    assert.match(await raw(server, [head([...lines, `Content-Length: ${body.length}`]), body]), /^HTTP\/1\.1 200/);
    const chunks = Array.from(body, (byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join("") + "0\r\n\r\n";
    const bytes = Uint8Array.from(chunks, (character) => character.charCodeAt(0));
    assert.match(await raw(server, [head([...lines, "Transfer-Encoding: chunked"]), bytes]), /^HTTP\/1\.1 200/);
    assert.equal(await inbox(), 1, "the same message twice is one");
  });

  it("is cut at the limit, whatever it says of its length", async () => {
    const { server, inbox } = await open();
    const { body, headers } = await signedRequest("wire", SECRET, [{
      id: "1",
      from: "anna",
      text: "x".repeat(20_000),
    }]);
    const lines = headers.map(([name, value]) => `${name}: ${value}`);
    const honest = await raw(server, [head([...lines, `Content-Length: ${body.length}`]), body], hasAnswer);
    assert.match(honest, /^HTTP\/1\.1 413/);
    assert.match(honest, /"code":"too-large"/);
    const chunk = new TextEncoder().encode(
      `${body.length.toString(16)}\r\n${new TextDecoder().decode(body)}\r\n0\r\n\r\n`,
    );
    const chunked = await raw(server, [head([...lines, "Transfer-Encoding: chunked"]), chunk], hasAnswer);
    assert.match(chunked, /^HTTP\/1\.1 413/);
    // It says less than it sends: what is beyond is not part of it, and its signature is wrong.
    const less = await raw(server, [head([...lines, "Content-Length: 100"]), body], hasAnswer);
    assert.match(less, /^HTTP\/1\.1 (401|400)/);
    // It says both: no server may take that for two requests.
    const both = await raw(
      server,
      [head([...lines, "Content-Length: 5", "Transfer-Encoding: chunked"]), chunk],
      hasAnswer,
    );
    assert.match(both, /^HTTP\/1\.1 4\d\d/);
    assert.equal(await inbox(), 0);
    assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  });

  it("is answered 408 when its body stops coming", async () => {
    const clock = new ManualClock();
    const { server, inbox } = await open(clock);
    const { body, headers } = await signedRequest("wire", SECRET, [{ id: "1", from: "anna", text: "x".repeat(5_000) }]);
    const lines = headers.map(([name, value]) => `${name}: ${value}`);
    for (const length of ["Transfer-Encoding: chunked", `Content-Length: ${body.length}`]) {
      const half = length.startsWith("Content") ? body.subarray(0, 1_000) : "3e8\r\n";
      const answer = raw(server, [head([...lines, length]), half], hasAnswer);
      let text: string | undefined;
      void answer.then((whole) => text = whole);
      await until(() => {
        void clock.advance(31_000);
        return text !== undefined;
      }, "an answer");
      assert.match(await answer, /^HTTP\/1\.1 408/);
      assert.match(await answer, /"code":"timeout"/);
    }
    assert.equal(await inbox(), 0);
  });

  it("that is broken off half-way leaves nothing behind", async () => {
    const { server, inbox, complaints } = await open();
    const { body, headers } = await signedRequest("wire", SECRET, [{ id: "1", from: "anna", text: "x".repeat(5_000) }]);
    const lines = headers.map(([name, value]) => `${name}: ${value}`);
    for (let count = 0; count < 20; count++) {
      const socket = net.connect(server.port, server.host);
      await new Promise((resolve) => socket.once("connect", resolve));
      const isChunked = count % 2 === 0;
      socket.write(head([...lines, isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`]));
      if (isChunked) socket.write(`${body.length.toString(16)}\r\n`);
      socket.write(body.subarray(0, 100 * count));
      await new Promise((resolve) => setTimeout(resolve, 2));
      socket.destroy();
    }
    assert.match(await raw(server, [head([...lines, `Content-Length: ${body.length}`]), body]), /^HTTP\/1\.1 200/);
    assert.equal(await inbox(), 1);
    assert.deepEqual(complaints, [], "a stranger cannot fill the log");
  });
});

describe("event streams on sockets", () => {
  it("reach 500 clients and leave nothing behind when those go, at once or without a word", async () => {
    const store = new MemoryStore();
    const hub = new EventHub({
      store,
      key: "log",
      clock: systemClock,
      logger: silentLogger,
      encode: (message) => encodeEvent({ id: message.seq, event: "number", data: message.content }),
    });
    const server = await listen({
      fetch: () => new Response(hub.open({ after: 0 }), { headers: { "content-type": "text/event-stream" } }),
    }, { port: 0 });
    async function write(value: number): Promise<void> {
      await store.append("log", [{
        v: 1,
        id: `${value}`,
        timestamp: 0,
        senderId: "test",
        content: value,
        metadata: {},
        namespace: "default",
      }], { mode: "log" });
    }
    const clients = await Promise.all(Array.from({ length: 500 }, async () => {
      const socket = net.connect(server.port, server.host);
      const client = { socket, text: "" };
      socket.on("error", () => {});
      socket.on("data", (chunk: Uint8Array) => {
        client.text += new TextDecoder().decode(chunk);
      });
      await new Promise((resolve) => socket.once("connect", resolve));
      socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      return client;
    }));
    await until(() => hub.clients === 500, "500 clients");
    for (let value = 1; value <= 20; value++) await write(value);
    await until(() => clients.every(({ text }) => text.includes("id: 20\n")), "20 events everywhere");
    for (const { text } of clients) {
      const ids = Array.from(text.matchAll(/^id: (\d+)$/gm), ([, id]) => Number(id));
      assert.deepEqual(ids, Array.from({ length: 20 }, (_, index) => index + 1));
    }
    for (const { socket } of clients) socket.destroy();
    await until(() => hub.clients === 0, "all of them to be gone");
    hub.close();
    await store.close();
  });
});

async function until(isSo: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`Cannot go on: waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
