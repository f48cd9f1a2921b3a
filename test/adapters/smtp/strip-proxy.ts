/**
 * A proxy between a mail client and a mail server that tampers with the start of the dialogue, and keeps every byte that
 * the client sent through it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";

/** What it does. */
export interface Tampering {
  /** Removes STARTTLS from the offer, and refuses it. */
  readonly strip?: boolean;
  /** Removes STARTTLS from the offer alone. */
  readonly hide?: boolean;
  /** Adds this to the 220 that answers STARTTLS. */
  readonly inject?: string;
  /** Answers STARTTLS with 220 itself, and goes on in clear. */
  readonly pretend?: boolean;
  /** Refuses EHLO. */
  readonly refuseEhlo?: boolean;
}

/** A running proxy. */
export interface StripProxy {
  readonly port: number;
  /** Every byte the client sent, one character a byte. */
  readonly fromClient: string;
  /** Whether the tampering leaves a way for the mail, and it was taken. */
  readonly mayDeliver: boolean;
  stop(): Promise<void>;
}

/** Starts one in front of a server on loopback. */
export async function startStripProxy(target: number, tampering: Tampering): Promise<StripProxy> {
  const sockets = new Set<net.Socket>();
  const received: string[] = [];
  let isSecured = false;
  let delivered = false;

  const proxy = net.createServer((client) => {
    const server = net.connect({ host: "127.0.0.1", port: target });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
    let awaitsTls = false;
    client.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      received.push(text);
      if (tampering.refuseEhlo && text.startsWith("EHLO")) return void client.write("502 5.5.1 No EHLO here\r\n");
      if (text.startsWith("STARTTLS")) {
        awaitsTls = true;
        if (tampering.strip) return void client.write("502 5.5.1 Command not recognised\r\n");
        if (tampering.pretend) return void client.write("220 2.0.0 Go on\r\n");
      }
      if (tampering.pretend && awaitsTls) return void client.write("250-fine\r\n250 AUTH PLAIN LOGIN\r\n");
      server.write(chunk);
    });
    server.on("data", (chunk: Buffer) => {
      if (isSecured) {
        delivered ||= chunk.length > 0;
        client.write(chunk);
        return;
      }
      let text = chunk.toString("latin1");
      if (tampering.strip || tampering.hide) text = text.replace(/^250([- ])STARTTLS\r\n/m, "250$1X-NOTHING\r\n");
      if (awaitsTls && text.startsWith("220")) {
        text += tampering.inject ?? "";
        isSecured = true;
      }
      client.write(Buffer.from(text, "latin1"));
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  if (typeof address !== "object" || address === null) throw new Error("Cannot find the proxy's port");
  return {
    port: address.port,
    get fromClient() {
      return received.join("");
    },
    get mayDeliver() {
      return delivered;
    },
    async stop() {
      const closed = new Promise<void>((resolve) => proxy.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
