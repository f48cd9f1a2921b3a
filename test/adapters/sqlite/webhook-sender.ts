/**
 * Sends webhooks at fixed times from a process of its own, so that neither waits for the other: a server that pauses
 * finds all that was due meanwhile, and their times count from when they were due. It prints what came of it as JSON.
 *
 * @module
 */
import { Agent, request } from "node:http";
import process from "node:process";
import { signedRequest } from "../http/signed-network.ts";

/** What came of it. */
export interface Sent {
  /** How many answers of each status; 0 for those that never came. */
  readonly statuses: Readonly<Record<string, number>>;
  /** From when each was due to the end of its answer, in milliseconds, in the order they were due. */
  readonly latencies: readonly number[];
}

const [url = "", backend = "", secret = "", perSecond = "", seconds = ""] = process.argv.slice(2);
const rate = Number(perSecond);
const count = rate * Number(seconds);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const statuses: Record<string, number> = {};
const latencies: number[] = [];

/** Signed ahead, so that what is measured is the other side. */
function signed(number: number): ReturnType<typeof signedRequest> {
  return signedRequest(backend, secret, [{ id: `m${number}`, from: `c${number % 1_000}`, text: "What is the time?" }]);
}

async function post(number: number, dueAt: number): Promise<void> {
  const { path, headers, body } = await requests[number]!;
  const status = await new Promise<number>((resolve) => {
    const options = {
      agent,
      method: "POST",
      headers: { ...Object.fromEntries(headers), "content-length": body.length },
    };
    request(url + path, options, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0)).once("error", () => resolve(0));
    }).once("error", () => resolve(0)).end(body);
  });
  latencies[number] = performance.now() - dueAt;
  statuses[status] = (statuses[status] ?? 0) + 1;
}

const requests = Array.from({ length: count }, (_, number) => signed(number));
await Promise.all(requests);
const posts: Promise<void>[] = [];
const begin = performance.now();
while (posts.length < count) {
  const due = Math.min((performance.now() - begin) * rate / 1_000, count);
  while (posts.length < due) posts.push(post(posts.length, begin + posts.length * 1_000 / rate));
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await Promise.all(posts);
agent.destroy();
process.stdout.write(`${JSON.stringify({ statuses, latencies })}\n`);
