/**
 * A connection that breaks to order: passes everything on between a browser and a server, and cuts streams of events
 * after a number of bytes, in the middle of an event if need be.
 *
 * @module
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A proxy on a port of its own. */
export interface CuttingProxy {
  /** Where it listens. */
  readonly origin: string;
  /** How many streams of events were asked for so far. */
  readonly streams: number;
  /** Lets so many more bytes of the present streams through, and then cuts them. */
  cutAfter(bytes: number): void;
  /** Closes it and every connection. */
  close(): Promise<void>;
}

interface Wire {
  readonly client: Socket;
  readonly server: Socket;
  isStream: boolean;
  left: number;
}

/**
 * Opens a proxy.
 *
 * @param port The server's port on this machine.
 * @param path The path that streams of events are asked for at.
 */
export async function openCuttingProxy(port: number, path: string): Promise<CuttingProxy> {
  const wires = new Set<Wire>();
  let streams = 0;
  const listener = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    const wire: Wire = { client, server, isStream: false, left: Infinity };
    wires.add(wire);
    const end = (): void => {
      wires.delete(wire);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.on("data", (bytes) => {
      if (bytes.includes(`GET ${path}`)) {
        wire.isStream = true;
        streams++;
      }
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      // The browser comes back soon: the test has no time to lose. As many digits as before, so that lengths hold.
      const soon = Buffer.from(bytes.toString("latin1").replace("retry: 1000", "retry: 0015"), "latin1");
      if (soon.length < wire.left) {
        wire.left -= soon.length;
        client.write(soon);
        return;
      }
      client.write(soon.subarray(0, wire.left), end);
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  return {
    origin: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    get streams() {
      return streams;
    },
    cutAfter(bytes) {
      for (const wire of wires) if (wire.isStream) wire.left = Math.min(wire.left, bytes);
    },
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      for (const { client, server } of wires) {
        client.destroy();
        server.destroy();
      }
      await closed;
    },
  };
}
