// A backend of your own: a class, a word for it, and YAML that uses the word.
//
//   SLACK_WEBHOOK_URL=https://hooks.slack.com/services/… \
//     npx --yes deno@2 run --allow-net --allow-env --allow-read examples/slack-backend.ts "Deployment finished"
//
// After `npm install` it runs on Bun and Node 24 too: `node examples/slack-backend.ts`. (The library has a Slack backend of its own, which
// splits long texts, reads Slack's errors and guards its address. This one shows how little a backend needs, and takes
// its place.)
import { readFile } from "node:fs/promises";
import process from "node:process";
import { createApplication } from "../adapters/app/mod.ts";
import { createOnceFetch } from "../adapters/webhook/mod.ts";
import {
  Communicator,
  type OutgoingMessage,
  type Receipt,
  registerBackend,
  type SendContext,
  type SettledDelivery,
} from "../mod.ts";

/** Deno's own `fetch` repeats a request whose kept connection ends before the answer: a message would go out twice. */
const fetchOnce = createOnceFetch();

/** Posts to a Slack channel. Retrying, ordering, pacing and dead letters are the library's. */
export class SlackCommunicator extends Communicator {
  readonly #webhookUrl: string;

  constructor(name: string, webhookUrl: string) {
    super(name);
    this.#webhookUrl = webhookUrl;
  }

  override async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    // An exception from here is taken as "unknown": the request may have arrived.
    const response = await fetchOnce(this.#webhookUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: escape(message.message) }),
      signal: context.signal,
    });
    await response.body?.cancel();
    if (response.ok) return { outcome: "accepted" };
    const retryAfter = Number(response.headers.get("retry-after"));
    return {
      outcome: "rejected",
      retryable: response.status === 429 || response.status >= 500,
      reason: response.status === 429 ? "rate-limited" : "other",
      code: String(response.status),
      ...(retryAfter > 0 ? { retryAfterMs: retryAfter * 1_000 } : {}),
    };
  }
}

/** Text that is no markup and mentions nobody. */
function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Registers the type, once in a process; the keys of its own are in `extraFields`. */
export function registerSlack(): void {
  registerBackend("slack", (name, _config, { extraFields }) => {
    return new SlackCommunicator(name, String(extraFields["webhook_url"]));
  });
}

/** Sends one text by the YAML beside this file, and says what became of it. */
export async function sendBySlack(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly SettledDelivery[]> {
  const yaml = await readFile(new URL("./slack-backend.yaml", import.meta.url), "utf8");
  const app = await createApplication(yaml, { env });
  try {
    const report = await app.emit({ message: text, source: "example" });
    return await report.settled();
  } finally {
    await app.stop();
  }
}

if (import.meta.main) {
  registerSlack();
  for (const { backendName, status } of await sendBySlack(process.argv[2] ?? "Hello from Posthorn", process.env)) {
    console.log(`${backendName}: ${status}`);
  }
}
