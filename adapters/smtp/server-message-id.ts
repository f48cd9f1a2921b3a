/**
 * The `Message-ID` that some servers give a mail in the place of ours, as their answer to it says.
 *
 * @module
 */

/** Microsoft 365: `250 2.0.0 OK <…@….prod.outlook.com> [Hostname=…]`. */
const OUTLOOK = /^250 2\.0\.0 OK (<[^<>\s]{1,400}\.prod\.outlook\.com>)/i;
/** Amazon SES: `250 Ok 0100018b…-000000`, the part before the `@`. */
const SES = /^250 Ok ([0-9a-f]+(?:-[0-9a-f]+){1,10})$/i;
/** `email-smtp.eu-west-1.amazonaws.com`, or an endpoint of one's own below it. */
const SES_HOST = /(?:^|\.)([a-z]{2}(?:-[a-z]+){1,3}-\d+)\.(?:[a-z0-9-]+\.)*(?:amazonaws\.com|awsapps\.com)$/;

/**
 * Reads it from the answer to a mail.
 *
 * @param reply The answer.
 * @param host The server: only SES says it in SES's way.
 * @returns The id in angle brackets, or `undefined` when the answer names none.
 */
export function readServerMessageId(reply: string, host: string): string | undefined {
  const text = reply.trim();
  const outlook = OUTLOOK.exec(text)?.[1];
  if (outlook !== undefined) return outlook;
  const id = SES.exec(text)?.[1];
  const region = SES_HOST.exec(host.toLowerCase().replace(/\.$/, ""))?.[1];
  if (id === undefined || region === undefined) return undefined;
  return `<${id.toLowerCase()}@${region === "us-east-1" ? "email" : region}.amazonses.com>`;
}
