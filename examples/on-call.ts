// An on-call page: by WhatsApp, then by Telegram, then by mail, until somebody answers; the others hear of the answer.
//
//   npx --yes deno@2 run --allow-net --allow-env --allow-read examples/on-call.ts
//
// By default it runs against stand-ins for the three networks, without an account, and shows what happens and why. With
// the variables that on-call.yaml names set, the same file pages for real: PORT is where WhatsApp's webhooks come in, at
// /webhooks/whatsapp of a public address of yours. (Meta lets a business write first by a template only: outside of 24
// hours after their last message WhatsApp refuses the page, and Telegram is next at once.) After `npm install` it runs on
// Bun and Node 24 too: `node examples/on-call.ts`.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { createApplication } from "../adapters/app/mod.ts";
import { SmtpStandIn, TelegramStandIn, WhatsAppStandIn } from "../adapters/emulator/stand-ins.ts";
import { createHttpApp } from "../adapters/http/mod.ts";
import { serve } from "../adapters/serve/mod.ts";
import { type Application, type DeliveryEvent, NotRunningError, type PlanAnswer } from "../mod.ts";

/** The variables that on-call.yaml names. */
export type Env = Readonly<Record<string, string | undefined>>;

/** What runs. */
export interface OnCall {
  readonly app: Application;
  /** Where webhooks come in. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts what on-call.yaml describes, and says of every step what happens and why. */
export async function startOnCall(env: Env, say: (line: string) => void): Promise<OnCall> {
  const yaml = await readFile(new URL("./on-call.yaml", import.meta.url), "utf8");
  const app = await createApplication(yaml, { env });
  const server = await serve(createHttpApp(app), { port: Number(env["PORT"] ?? 0) });
  app.outbox.observe((event) => {
    const line = describe(event);
    if (line !== undefined) say(line);
  });
  const stop = async (): Promise<void> => {
    await app.stop(); // sends what is due first: who was paged too is told of the answer
    await server.stop();
  };
  return { app, url: server.url, stop };
}

/** Pages, and waits for an answer. @returns `undefined` when every channel was used and nobody answered. */
export async function page({ app }: OnCall, text: string): Promise<PlanAnswer | undefined> {
  const report = await app.emit({ message: text, label: "page", severity: "critical", subject: "Page" });
  const [settled] = await report.settled();
  return settled === undefined ? undefined : (await app.plans.find(settled.deliveryId))?.answer;
}

function describe({ backendName, messageId, status, reason, detail }: DeliveryEvent): string | undefined {
  const isNote = messageId.endsWith("/answered");
  if (backendName === "on_call") {
    if (status === "queued") return "the page is committed";
    return status === "accepted" ? `settled: ${detail ?? reason}` : `nobody was reached for certain: ${reason}`;
  }
  switch (status) {
    case "queued":
      return isNote ? undefined : detail === undefined ? `first: ${backendName}` : `${detail}; next: ${backendName}`;
    case "accepted":
      return isNote ? `who was paged by ${backendName} is told` : `${backendName} took it`;
    case "rejected":
    case "unknown":
      return `${backendName}: ${status}, ${detail ?? reason}`;
    case "cancelled":
      return `${backendName} is called off`;
    case "delivered":
    case "read":
      return `${backendName}: ${status}`;
    default:
      return undefined;
  }
}

/** The three networks on this machine, and a person who can answer. */
export interface Networks {
  readonly env: Env;
  readonly whatsapp: WhatsAppStandIn;
  readonly telegram: TelegramStandIn;
  readonly mail: SmtpStandIn;
  /** Somebody answers on Telegram. */
  answerOnTelegram(text: string): void;
  /** Somebody answers on WhatsApp, or has read what came there: the first message, or that with a text. */
  pushFromWhatsApp(url: string, what: { readonly text: string } | "read", about?: string): Promise<void>;
  stop(): Promise<void>;
}

const CHAT = 4711;
const NUMBER = "491234567";

/** Starts a stand-in for each network. */
export async function startNetworks(): Promise<Networks> {
  const [telegram, mail] = [await TelegramStandIn.start(), await SmtpStandIn.start()];
  const whatsapp = new WhatsAppStandIn();
  const env = {
    WHATSAPP_API: await whatsapp.start(),
    WHATSAPP_TOKEN: whatsapp.token,
    WHATSAPP_PHONE_NUMBER_ID: whatsapp.phoneNumberId,
    WHATSAPP_APP_SECRET: whatsapp.appSecret,
    ON_CALL_WHATSAPP: NUMBER,
    TELEGRAM_API: telegram.url,
    TELEGRAM_TOKEN: telegram.api.token,
    ON_CALL_TELEGRAM: String(CHAT),
    SMTP_HOST: mail.host,
    SMTP_PORT: String(mail.port),
    SMTP_START_TLS: "false",
    SMTP_INSECURE: "true",
    ON_CALL_MAIL: "on-call@example.com",
  };
  const now = (): string => String(Math.floor(Date.now() / 1_000));
  return {
    env,
    whatsapp,
    telegram,
    mail,
    answerOnTelegram: (text) => void telegram.api.say({ chatId: CHAT, text }),
    async pushFromWhatsApp(url, what, about) {
      const isMeant = (text: unknown): boolean => about === undefined || JSON.stringify(text).includes(about);
      const wamid = whatsapp.taken.find(({ payload }) => isMeant(payload["text"]))?.wamid ?? "";
      const payload = what === "read"
        ? whatsapp.statusesPayload([whatsapp.statusOf(wamid, "read", { timestamp: now() })])
        : whatsapp.messagesPayload(
          [{
            id: "wamid.answer",
            from: NUMBER,
            timestamp: now(),
            type: "text",
            text: { body: what.text },
            context: { id: wamid },
          }],
          [{ wa_id: NUMBER, profile: { name: "Ada" } }],
        );
      const status = await whatsapp.push(`${url}/webhooks/whatsapp`, payload);
      if (status !== 200) throw new Error(`Cannot push from WhatsApp: the webhook answered ${status}`);
    },
    stop: async () => {
      await Promise.all([whatsapp.stop(), telegram.stop(), mail.stop()]);
    },
  };
}

if (import.meta.main) {
  const began = Date.now();
  const say = (line: string): void => console.log(`${((Date.now() - began) / 1_000).toFixed(1)} s  ${line}`);
  const networks = process.env["WHATSAPP_TOKEN"] === undefined ? await startNetworks() : undefined;
  const onCall = await startOnCall(
    { ...(networks && { ON_CALL_WITHIN: "5s" }), ...networks?.env, ...process.env },
    say,
  );
  if (networks === undefined) say(`WhatsApp's webhooks come in at ${onCall.url}/webhooks/whatsapp`);
  process.once("SIGINT", () => void onCall.stop());
  networks?.mail.waitForMails(1).then(() => setTimeout(() => networks.answerOnTelegram("I take care of it"), 500));
  try {
    const answer = await page(onCall, "The database is down");
    say(answer === undefined ? "nobody answered" : `${answer.sender} on ${answer.backendName}: ${answer.text}`);
  } catch (error) {
    if (!(error instanceof NotRunningError)) throw error;
    say("stopped; with a store on disk the page would go on at the next start");
  } finally {
    await onCall.stop();
    await networks?.stop();
  }
}
