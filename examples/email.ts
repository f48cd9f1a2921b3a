// An alert by mail: by default to a mail catcher in this very program, so that it runs without an account.
//
//   npx --yes deno@2 run --allow-net --allow-env --allow-read examples/email.ts
//
// With SMTP_HOST, SMTP_USER, SMTP_PASS, MAIL_FROM and MAIL_TO set, it is sent for real, by STARTTLS on port 587. After
// `npm install` it runs on Bun and Node 24 too: `node examples/email.ts`.
import process from "node:process";
import { createApplication } from "../adapters/app/mod.ts";
import { SmtpStandIn } from "../adapters/emulator/smtp-stand-in.ts";
import type { SettledDelivery } from "../mod.ts";

/** Where mail goes and who writes: the keys of `type: email`. */
export type MailSettings = Readonly<Record<string, unknown>>;

/** Sends one alert, as text and HTML with a file, and says what became of it for each recipient. */
export async function sendAlert(settings: MailSettings): Promise<readonly SettledDelivery[]> {
  const app = await createApplication({
    communications: { enabled: true, backends: { my_email: { type: "email", labels: ["alerts"], ...settings } } },
  });
  try {
    const report = await app.emit({
      message: "Disk usage on db-1 is at 95 %.\n\nThe last ten minutes are attached.",
      html: "<p>Disk usage on <b>db-1</b> is at 95 %.</p><p>The last ten minutes are attached.</p>",
      label: "alerts",
      severity: "warning",
      subject: "Disk Alert",
      attachments: [{
        filename: "usage.csv",
        contentType: "text/csv; charset=utf-8",
        bytes: new TextEncoder().encode("minute,percent\n1,91\n10,95\n"),
      }],
    });
    return await report.settled();
  } finally {
    await app.stop();
  }
}

/** What the environment says, or `undefined` for the catcher. */
function settingsFrom(env: Readonly<Record<string, string | undefined>>): MailSettings | undefined {
  const { SMTP_HOST: host, SMTP_USER: username, SMTP_PASS: password, MAIL_FROM: from, MAIL_TO: to } = env;
  if (host === undefined) return undefined;
  return { host, username, password, start_tls: true, from_address: from, default_recipients: to?.split(",") ?? [] };
}

if (import.meta.main) {
  const settings = settingsFrom(process.env);
  const catcher = settings === undefined ? await SmtpStandIn.start() : undefined;
  const settled = await sendAlert(
    settings ?? {
      port: catcher?.port,
      host: "127.0.0.1",
      allow_insecure: true,
      from_address: "noreply@example.com",
      default_recipients: ["ops@example.com"],
    },
  );
  for (const { recipient, status } of settled) console.log(`${recipient}: ${status}`);
  for (const { text } of catcher?.mails ?? []) console.log(`\n${text}`);
  await catcher?.stop();
}
