/**
 * The SQLite store: durable writes against the disk and against bare SQLite, and a message's way from write to claim to
 * acknowledgement against Redis Streams, BullMQ and NATS JetStream, where their servers are installed.
 *
 * All have the same work: `WORKERS` workers that take batches of `BATCH` out of one queue, `IN_FLIGHT` writes in flight,
 * messages of about 200 bytes, of which nothing is left when they are acknowledged.
 * `FULL` is set beside a Redis that writes every command to the disk before it answers, `NORMAL` beside a JetStream that,
 * as it comes, leaves the time of that to the system.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { AckPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect as connectToNats } from "@nats-io/transport-node";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { SqliteStore } from "../adapters/sqlite/mod.ts";
import { type ClaimedMessage, createIdGenerator, type MessageEnvelope } from "../core/mod.ts";
import { benchmark, type BenchmarkResult, type Contender } from "./harness.ts";

const WORKERS = 4;
const BATCH = 10;
const IN_FLIGHT = 100;
const MESSAGES = 2_000;
const TEXT = "x".repeat(150);

const folder = mkdtempSync(path.join(os.tmpdir(), "posthorn-bench-"));
const servers: ChildProcess[] = [];
const nextId = createIdGenerator(Date.now);

function message(): MessageEnvelope {
  return {
    v: 1,
    id: nextId(),
    namespace: "",
    timestamp: Date.now(),
    senderId: "bench",
    content: { text: TEXT, count: 1 },
    metadata: {},
  };
}

/** Runs a job `MESSAGES` times, `IN_FLIGHT` at a time. */
async function inFlight(job: () => Promise<unknown>): Promise<void> {
  let left = MESSAGES;
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (left-- > 0) await job();
  }));
}

/** Runs a job for every worker. */
async function together(job: () => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: WORKERS }, job));
}

// --- ours ---

function openStore(name: string, synchronous: "FULL" | "NORMAL"): SqliteStore {
  return new SqliteStore({ path: path.join(folder, `${name}.db`), synchronous });
}

function claim(store: SqliteStore): Promise<readonly ClaimedMessage[]> {
  return store.claim({ channel: "q", workerId: "w", limit: BATCH, leaseMs: 60_000 });
}

function acknowledge(store: SqliteStore, claimed: readonly ClaimedMessage[]): Promise<unknown> {
  return store.commit(
    claimed.map(({ seq, lease }) => ({ type: "ack", channel: "q", seq, token: lease.token }) as const),
  );
}

function endToEnd(name: string, synchronous: "FULL" | "NORMAL"): Contender {
  const store = openStore(`${name}-${synchronous}`, synchronous);
  return {
    name,
    operations: MESSAGES,
    async run() {
      await inFlight(() => store.append("q", [message()], { mode: "queue" }));
      await together(async () => {
        // The acknowledgement of one batch goes with the claim of the next, as it does below with every peer.
        for (let claimed = await claim(store); claimed.length > 0;) {
          [, claimed] = await Promise.all([acknowledge(store, claimed), claim(store)]);
        }
      });
    },
    close: () => store.close(),
  };
}

// --- the disk, and SQLite alone ---

function singleWrites(): Contender {
  const file = openSync(path.join(folder, "single"), "w");
  const page = new Uint8Array(4_096);
  return {
    name: "write 4 KiB + fsync, one by one",
    run() {
      writeSync(file, page);
      fsyncSync(file);
    },
    close: () => closeSync(file),
  };
}

/** The same rows in the same schema, a hundred a transaction, and nothing else. */
async function rawBatches(): Promise<Contender> {
  const file = path.join(folder, "raw.db");
  await new SqliteStore({ path: file }).close();
  const database = new DatabaseSync(file);
  database.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000");
  database.exec("INSERT INTO posthorn_channel VALUES (1, 'q', 0, 0, 0, 0, 0)");
  const insert = database.prepare(
    `INSERT INTO posthorn_message
       (key, channel, id, sender, queued, log, wake_at, attempts, stored_at, written_at, body)
     VALUES ((1 << 40) | ?1, 1, ?2, ?3, 1, 0, ?4, 0, ?4, ?5, ?6)`,
  );
  let seq = 0;
  return {
    name: "raw SQLite, 100 rows a transaction",
    operations: MESSAGES,
    run() {
      for (let start = 0; start < MESSAGES; start += 100) {
        database.exec("BEGIN IMMEDIATE");
        for (let index = 0; index < 100; index++) {
          const envelope = message();
          insert.run(
            ++seq,
            envelope.id,
            envelope.senderId,
            performance.now(),
            envelope.timestamp,
            JSON.stringify(envelope),
          );
        }
        database.exec("COMMIT");
      }
    },
    close: () => database.close(),
  };
}

function writesInFlight(): Contender {
  const store = openStore("writes", "FULL");
  return {
    name: "posthorn, 100 writes in flight",
    operations: MESSAGES,
    run: () => inFlight(() => store.append("q", [message()], { mode: "queue" })),
    close: () => store.close(),
  };
}

// --- peers ---

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("Cannot find a free port");
  return address.port;
}

/** Starts a server and waits until it listens. @returns Its port; `undefined` where it is not installed. */
async function start(command: string, args: (port: number) => readonly string[]): Promise<number | undefined> {
  const port = await freePort();
  const server = spawn(command, args(port), { stdio: "ignore", cwd: folder });
  const isMissing = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(true));
    server.once("spawn", () => resolve(false));
  });
  if (isMissing) return undefined;
  servers.push(server);
  for (let attempt = 0; attempt < 200; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect({ host: "127.0.0.1", port });
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (isOpen) return port;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Cannot reach ${command} on port ${port}`);
}

function startRedis(): Promise<number | undefined> {
  return start("redis-server", (port) => [
    ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
    ...["--appendonly", "yes", "--appendfsync", "always"],
  ]);
}

async function redisStreams(port: number): Promise<Contender> {
  const redis = new Redis(port, "127.0.0.1", { enableAutoPipelining: true });
  await redis.xgroup("CREATE", "stream", "group", "$", "MKSTREAM");
  const read = async (): Promise<readonly string[]> => {
    const answer = await redis.xreadgroup("GROUP", "group", "w", "COUNT", BATCH, "STREAMS", "stream", ">");
    return idsIn(answer);
  };
  return {
    name: "Redis Streams, appendfsync always",
    operations: MESSAGES,
    async run() {
      await inFlight(() => redis.xadd("stream", "*", "message", JSON.stringify(message())));
      await together(async () => {
        for (let ids = await read(); ids.length > 0;) {
          const ended = [redis.xack("stream", "group", ...ids), redis.xdel("stream", ...ids)] as const;
          [ids] = await Promise.all([read(), ...ended]);
        }
      });
    },
    close: () => redis.quit(),
  };
}

/** The ids in an answer to XREADGROUP: `[[stream, [[id, fields], …]]]`, or nothing. */
function idsIn(answer: unknown): readonly string[] {
  const [stream] = Array.isArray(answer) ? answer : [];
  const entries: unknown = Array.isArray(stream) ? stream[1] : [];
  if (!Array.isArray(entries)) return [];
  for (const entry of entries) JSON.parse(String(entry[1][1]));
  return entries.map((entry) => String(entry[0]));
}

function bullMq(port: number): Contender {
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
  const queue = new Queue("bench", { connection });
  let left = 0;
  let onDone: () => void = () => {};
  const worker = new Worker("bench", () => {
    if (--left === 0) onDone();
    return Promise.resolve();
  }, { connection, concurrency: WORKERS * BATCH, autorun: false });
  worker.on("error", (error) => console.error(error));
  let isRunning = false;
  return {
    name: `BullMQ, concurrency ${WORKERS * BATCH}, appendfsync always`,
    operations: MESSAGES,
    async run() {
      left = MESSAGES;
      const done = new Promise<void>((resolve) => onDone = resolve);
      await inFlight(() => queue.add("job", message(), { removeOnComplete: true }));
      if (!isRunning) void worker.run();
      isRunning = true;
      await done;
    },
    async close() {
      await worker.close();
      await queue.close();
    },
  };
}

async function natsJetStream(port: number): Promise<Contender> {
  const connection = await connectToNats({ servers: `127.0.0.1:${port}` });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "bench", subjects: ["bench"], storage: StorageType.File });
  await manager.consumers.add("bench", { durable_name: "w", ack_policy: AckPolicy.Explicit, max_ack_pending: 10_000 });
  const client = jetstream(connection);
  const consumer = await client.consumers.get("bench", "w");
  return {
    name: "NATS JetStream, file",
    operations: MESSAGES,
    async run() {
      await inFlight(() => client.publish("bench", JSON.stringify(message())));
      let left = MESSAGES;
      await together(async () => {
        for (; left > 0;) {
          left -= BATCH;
          for await (const received of await consumer.fetch({ max_messages: BATCH })) {
            received.json();
            received.ack();
          }
        }
      });
      await connection.flush();
    },
    close: () => connection.close(),
  };
}

// --- what came of it ---

/** Prints a ratio beside its limit. */
function judge(result: BenchmarkResult, ours: string, peer: string, limit: number): void {
  const rate = (name: string): number => result.contenders.find((each) => each.name === name)?.ratio ?? Number.NaN;
  const ratio = rate(ours) / rate(peer);
  const isMet = ratio >= limit;
  if (!isMet) process.exitCode = 1;
  process.stdout.write(`${isMet ? "ok    " : "BELOW "} ${ours} is ${ratio.toFixed(2)} × ${peer}: limit ${limit}\n`);
}

function skip(what: string): void {
  process.stdout.write(`skipped: ${what} is not installed\n`);
}

async function measureWrites(): Promise<void> {
  const single = singleWrites();
  const raw = await rawBatches();
  const ours = writesInFlight();
  const result = await benchmark("durable writes, synchronous=FULL", [single, raw, ours], {
    reference: single.name,
    unit: "writes",
  });
  judge(result, ours.name, single.name, 5);
  judge(result, ours.name, raw.name, 0.5);
}

async function measureAgainstRedis(): Promise<void> {
  const port = await startRedis();
  if (port === undefined) return skip("redis-server");
  const ours = endToEnd("posthorn, FULL", "FULL");
  const streams = await redisStreams(port);
  const queue = bullMq(port);
  const result = await benchmark("write → claim → acknowledge, on the disk before the answer", [ours, streams, queue], {
    reference: streams.name,
    unit: "messages",
  });
  judge(result, ours.name, streams.name, 1.3);
  judge(result, ours.name, queue.name, 2);
}

async function measureAgainstNats(): Promise<void> {
  const port = await start("nats-server", (free) => ["-a", "127.0.0.1", "-p", String(free), "-js", "-sd", folder]);
  if (port === undefined) return skip("nats-server");
  const ours = endToEnd("posthorn, NORMAL", "NORMAL");
  const nats = await natsJetStream(port);
  const result = await benchmark("write → claim → acknowledge, on the disk when the system likes", [ours, nats], {
    reference: nats.name,
    unit: "messages",
  });
  judge(result, ours.name, nats.name, 3);
}

try {
  await measureWrites();
  await measureAgainstRedis();
  await measureAgainstNats();
} finally {
  for (const server of servers) {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
