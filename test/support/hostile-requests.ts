/**
 * Requests over a bare connection that lie about their length, never end, or are no requests: for whatever serves the
 * HTTP app.
 *
 * @module
 */
import assert from "node:assert/strict";
import { connect } from "node:net";

/** Where requests go, and how one is authentic there. */
export interface HostileTarget {
  readonly host: string;
  readonly port: number;
  /** The path of a webhook. */
  readonly path: string;
  /** Headers that prove a request. A proof that covers the body covers `body`. */
  readonly proof: Readonly<Record<string, string>>;
  /** A body that is taken with them, of plain ASCII. */
  readonly body: string;
  /** The largest body that is taken. */
  readonly maxBodyBytes: number;
}

/** What came back. */
interface Outcome {
  /** The statuses, one for each answer. */
  readonly statuses: readonly number[];
  readonly text: string;
}

/** A request as bytes; what is written once the other side wants more comes from `endless`. */
interface Attack {
  readonly bytes: string | Uint8Array;
  readonly endless?: string;
  /** The statuses it may get; none: the connection may simply be closed. */
  readonly statuses: readonly number[];
}

const REFUSED: readonly number[] = [400, 401, 411, 413, 501];

function attacksOn({ path, proof, body, maxBodyBytes }: HostileTarget): Readonly<Record<string, Attack>> {
  const start = (method: string, at: string, ...headers: readonly string[]): string =>
    [`${method} ${at} HTTP/1.1`, "host: 127.0.0.1", ...headers, "", ""].join("\r\n");
  const post = (...headers: readonly string[]): string =>
    start("POST", path, "content-type: application/json", ...lines(proof), ...headers);
  const strange = (...headers: readonly string[]): string => start("POST", path, ...headers);
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
  const much = "x".repeat(16_384);
  return {
    "chunks without end": {
      bytes: post("transfer-encoding: chunked"),
      endless: chunk(much),
      statuses: [413],
    },
    "chunks without end, of a stranger": {
      bytes: strange("transfer-encoding: chunked"),
      endless: chunk(much),
      statuses: [413, 401],
    },
    "a length over the limit, and a body to match": {
      bytes: post(`content-length: ${maxBodyBytes + 1}`),
      endless: much,
      statuses: [413],
    },
    "a length of nine petabytes": { bytes: post("content-length: 9007199254740991"), statuses: [413] },
    "a length that no number holds": {
      bytes: post("content-length: 99999999999999999999999999"),
      statuses: REFUSED,
    },
    "a negative length": { bytes: `${post("content-length: -1")}${body}`, statuses: REFUSED },
    "a length with a sign": { bytes: `${post(`content-length: +${body.length}`)}${body}`, statuses: REFUSED },
    "a length in hexadecimal": { bytes: `${post("content-length: 0x10")}${body}`, statuses: REFUSED },
    "two lengths that differ": {
      bytes: `${post(`content-length: ${body.length}`, "content-length: 3")}${body}`,
      statuses: REFUSED,
    },
    "a length and chunks": {
      bytes: `${post("content-length: 5", "transfer-encoding: chunked")}${chunk(`${body} `)}0\r\n\r\n`,
      statuses: [...REFUSED, 200],
    },
    "an encoding that nobody knows": { bytes: `${post("transfer-encoding: zip")}${body}`, statuses: REFUSED },
    "a chunk whose length is none": {
      bytes: `${post("transfer-encoding: chunked")}zz\r\n${body}\r\n0\r\n\r\n`,
      statuses: [400, 401, 413],
    },
    "a chunk whose length is too long": {
      bytes: `${post("transfer-encoding: chunked")}${"f".repeat(40)}\r\n${body}`,
      statuses: [400, 401, 413],
    },
    "a header that is too long": { bytes: strange(`x-long: ${"x".repeat(200_000)}`), statuses: [400, 401, 413, 431] },
    "ten thousand headers": {
      bytes: strange(...Array.from({ length: 10_000 }, (_, index) => `x-${index}: ${index}`)),
      statuses: [400, 401, 413, 431],
    },
    "a header with a line break": { bytes: strange("x-odd: a\rb", "content-length: 0"), statuses: REFUSED },
    "a proof with control characters": {
      bytes: strange(`x-telegram-bot-api-secret-token: a\u0001b`, "content-length: 2") + "{}",
      statuses: [400, 401],
    },
    "an address that is too long": {
      bytes: start("GET", `/${"x".repeat(100_000)}`),
      statuses: [400, 404, 413, 414, 431],
    },
    "an address that is none": { bytes: start("GET", "/%ff%zz/%00?%"), statuses: [400, 404] },
    "an address that leads up": { bytes: start("GET", "/webhooks/../../../etc/passwd"), statuses: [400, 403, 404] },
    "a whole address of elsewhere": {
      bytes: start("GET", "http://169.254.169.254/latest"),
      statuses: [400, 401, 403, 404],
    },
    "no HTTP": { bytes: Uint8Array.from({ length: 2_000 }, (_, index) => index * 7 & 255), statuses: [400] },
    "TLS": { bytes: Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00), statuses: [400] },
    "a version nobody speaks": { bytes: `GET / HTTP/9.9\r\nhost: x\r\n\r\n`, statuses: [400, 404, 505] },
    "no host": { bytes: `GET ${path} HTTP/1.1\r\n\r\n`, statuses: [400, 404, 405, 403] },
    "a method nobody knows": { bytes: start("BREW", path, "content-length: 0"), statuses: [400, 404, 405, 501] },
    "TRACE": { bytes: start("TRACE", path, ...lines(proof)), statuses: [400, 404, 405, 500, 501] },
  };
}

function lines(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}

/** Nothing of an exception is anybody's business. */
const EXCEPTION = /(?:\n\s+at |node:internal|\.ts:\d|\.js:\d|TypeError|RangeError|SyntaxError|\/work\/|file:\/\/)/;

/**
 * Makes every attack, one after the other, and expects each to be refused without a word of an exception, and what is
 * authentic to be taken afterwards as before.
 *
 * @param target Where.
 * @returns What each attack got.
 */
export async function attackServer(target: HostileTarget): Promise<ReadonlyMap<string, readonly number[]>> {
  const seen = new Map<string, readonly number[]>();
  assert.deepEqual((await exchange(target, { bytes: honest(target), statuses: [] })).statuses, [200], "before");
  for (const [name, attack] of Object.entries(attacksOn(target))) {
    const { statuses, text } = await exchange(target, attack);
    for (const status of statuses) assert.ok(attack.statuses.includes(status), `${name}: ${text.slice(0, 500)}`);
    assert.ok(!EXCEPTION.test(text), `${name}: ${text.slice(0, 2_000)}`);
    seen.set(name, statuses);
    const after = await exchange(target, { bytes: honest(target), statuses: [] });
    assert.deepEqual(after.statuses, [200], `after ${name}`);
  }
  return seen;
}

function honest({ path, proof, body }: HostileTarget): string {
  const head = [`POST ${path} HTTP/1.1`, "host: 127.0.0.1", "connection: close", ...lines(proof)];
  return [...head, `content-length: ${body.length}`, "", body].join("\r\n");
}

/** How long a server may say nothing before the connection counts as one that it left alone. */
const SILENCE_MS = 1_500;
/** How long is waited for more behind an answer. */
const AFTER_ANSWER_MS = 200;
/** How long anything may take. */
const LONGEST_MS = 10_000;

function exchange({ host, port }: HostileTarget, { bytes, endless }: Attack): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    let text = "";
    let isOver = false;
    let silence: ReturnType<typeof setTimeout> | undefined;
    const done = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(silence);
      clearTimeout(longest);
      socket.destroy();
      const statuses = [...text.matchAll(/(?:^|\n)HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => Number(status));
      resolve({ statuses: statuses.filter((status) => status >= 200), text });
    };
    const longest = setTimeout(done, LONGEST_MS);
    const wait = (): void => {
      clearTimeout(silence);
      silence = setTimeout(done, text === "" ? SILENCE_MS : AFTER_ANSWER_MS);
    };
    const pour = (): void => {
      if (endless === undefined || isOver || socket.destroyed) return;
      if (text === "") wait();
      for (let count = 0; count < 16; count++) if (!socket.write(endless)) return void socket.once("drain", pour);
      setTimeout(pour, 0);
    };
    wait();
    socket.on("connect", () => {
      socket.write(bytes);
      pour();
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      wait();
    });
    socket.on("close", done);
    socket.on("error", done);
  });
}
