/**
 * Checks the options of the mail backend: all of them, so that everything wrong is said at once.
 *
 * @module
 */
import { assertDurationMs, assertInteger, assertText, kindOf, nearest, ValidationError } from "../../core/mod.ts";
import { assertMailAddress, type MailAddress } from "../net/mail-address.ts";
import { SMTP_TLS_KEYS, type SmtpOptions, type SmtpTlsOptions } from "./options.ts";
import { isRecipientPattern } from "../net/recipient-rule.ts";
import { deriveSmtpSecurity, type SmtpSecurity, type SmtpSecurityDecision } from "./security.ts";

/** `SmtpOptions`, checked and complete. */
export interface ResolvedSmtpOptions {
  readonly host: string;
  readonly port: number;
  readonly security: SmtpSecurity;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly accessToken: (() => Promise<string>) | undefined;
  readonly from: MailAddress;
  readonly fromName: string | undefined;
  readonly returnPath: MailAddress | undefined;
  readonly replyTo: MailAddress | undefined;
  readonly defaultRecipients: readonly MailAddress[];
  readonly allowRecipients: readonly string[] | undefined;
  readonly tls: SmtpTlsOptions;
  readonly subjectPrefix: string | undefined;
  readonly listUnsubscribe: readonly string[];
  readonly clientName: string | undefined;
  readonly maxConnections: number;
  readonly maxMessagesPerConnection: number;
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly dataTimeoutMs: number;
}

/** What {@link checkSmtpOptions} found. */
export interface CheckedSmtpOptions {
  /** The options; of use only when there are no faults. */
  readonly resolved: ResolvedSmtpOptions;
  /** Everything that is wrong. */
  readonly faults: readonly ValidationError[];
  /** What a person should know. */
  readonly warnings: readonly string[];
}

const MAX_RECIPIENTS = 1_000;
const DAY_MS = 86_400_000;
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63}){0,126}\.?$/;
const HOST_ADDRESS = /^(?:[0-9A-Fa-f:.]{2,45}|\[[0-9A-Fa-f:.]{2,45}\])$/;
const CLIENT_NAME = /^(?:[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,30}|\[[0-9A-Za-z:.]{2,60}\])$/;
/** Stands in for a missing sender, beside the fault that says so. */
const NOBODY: MailAddress = { local: "nobody", domain: "invalid", address: "nobody@invalid", needsSmtpUtf8: false };

/**
 * Checks options and completes them.
 *
 * @param options What the caller wrote.
 * @param nameOf How errors call an option: its key in a configuration, say.
 */
export function checkSmtpOptions(
  options: SmtpOptions,
  nameOf: (key: keyof SmtpOptions) => string = (key) => key,
): CheckedSmtpOptions {
  const faults: ValidationError[] = [];
  const warnings: string[] = [];

  function take<Value>(key: keyof SmtpOptions, instead: Value, check: (value: unknown, name: string) => Value): Value {
    const value: unknown = options[key];
    return value === undefined || value === null ? instead : attempt(instead, () => check(value, nameOf(key)));
  }
  /** Goes on after a fault, so that all are found. */
  function attempt<Value>(instead: Value, check: () => Value): Value {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      faults.push(error);
      return instead;
    }
  }
  function missing(key: keyof SmtpOptions, why: string): void {
    const name = nameOf(key);
    faults.push(new ValidationError(name, `Cannot send mail without '${name}': ${why}`));
  }

  const host = take("host", "localhost", hostOf);
  const port = take("port", 587, (value, name) => assertInteger(value, name, 1, 65_535));
  const useTls = take("useTls", undefined, flagOf);
  const startTls = take("startTls", undefined, flagOf);
  const allowInsecure = take("allowInsecure", undefined, flagOf);
  const decision: SmtpSecurityDecision = attempt(
    { security: "starttls" },
    () =>
      deriveSmtpSecurity({
        host,
        port,
        ...(useTls === undefined ? {} : { useTls }),
        ...(startTls === undefined ? {} : { startTls }),
        ...(allowInsecure === undefined ? {} : { allowInsecure }),
      }),
  );
  if (decision.warning !== undefined) warnings.push(decision.warning);

  const username = take("username", undefined, textOf(500));
  const password = take("password", undefined, passwordOf);
  const accessToken = take<SmtpOptions["accessToken"]>(
    "accessToken",
    undefined,
    (value, name) => {
      if (typeof value !== "function") throw wrong(name, "a function", value);
      return options.accessToken;
    },
  );
  const hasSecret = password !== undefined || accessToken !== undefined;
  if (username !== undefined && !hasSecret) {
    missing("password", "there is a username");
  }
  if (username === undefined && hasSecret) {
    missing("username", "there is a password");
  }
  const hasSender = (options.fromAddress ?? "") !== "";
  if (!hasSender) missing("fromAddress", "it says who writes");

  const resolved: ResolvedSmtpOptions = {
    host,
    port,
    security: decision.security,
    username,
    password,
    accessToken,
    from: hasSender ? take("fromAddress", NOBODY, assertMailAddress) : NOBODY,
    fromName: take("fromName", undefined, textOf(200)),
    returnPath: take("returnPath", undefined, assertMailAddress),
    replyTo: take("replyTo", undefined, assertMailAddress),
    defaultRecipients: take("defaultRecipients", [], addressesOf),
    allowRecipients: take("allowRecipients", undefined, patternsOf),
    tls: take("tls", {}, tlsOf),
    subjectPrefix: take("subjectPrefix", undefined, textOf(200)),
    listUnsubscribe: take("listUnsubscribe", [], unsubscribeOf),
    clientName: take("clientName", undefined, clientNameOf),
    maxConnections: take("maxConnections", 5, (value, name) => assertInteger(value, name, 1, 100)),
    maxMessagesPerConnection: take(
      "maxMessagesPerConnection",
      100,
      (value, name) => assertInteger(value, name, 1, 1_000_000),
    ),
    idleTimeoutMs: take("idleTimeoutMs", isWorkers() ? 0 : 60_000, durationOf(0)),
    connectTimeoutMs: take("connectTimeoutMs", 60_000, durationOf(1)),
    commandTimeoutMs: take("commandTimeoutMs", 300_000, durationOf(1)),
    dataTimeoutMs: take("dataTimeoutMs", 600_000, durationOf(1)),
  };
  return { resolved, faults, warnings };
}

/** Whether this is Cloudflare Workers: sockets end with their request there, and TLS options are the platform's. */
export function isWorkers(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers";
}

function wrong(name: string, kind: string, value: unknown): ValidationError {
  return new ValidationError(name, `Cannot accept '${name}': it must be ${kind}, not ${kindOf(value)}`);
}

function textOf(maxLength: number): (value: unknown, name: string) => string | undefined {
  return (value, name) => assertText(value, name, { maxLength, allowEmpty: true }) || undefined;
}

/** A number would be shown in the error: YAML reads an unquoted password of digits as one. */
function passwordOf(value: unknown, name: string): string | undefined {
  if (typeof value === "string") return textOf(5_000)(value, name);
  throw new ValidationError(name, `Cannot accept '${name}': it must be a text; put it in quotes`);
}

function durationOf(leastMs: number): (value: unknown, name: string) => number {
  return (value, name) => Math.min(assertDurationMs(value, name, leastMs), DAY_MS);
}

function flagOf(value: unknown, name: string): boolean | undefined {
  if (typeof value !== "boolean") throw wrong(name, "true or false", value);
  return value;
}

function hostOf(value: unknown, name: string): string {
  const host = assertText(value, name, { maxLength: 253 });
  if (!HOST_NAME.test(host) && !HOST_ADDRESS.test(host)) {
    throw wrong(name, "a host name or an IP address", value);
  }
  return host.replace(/^\[(.*)\]$/, "$1");
}

function clientNameOf(value: unknown, name: string): string {
  const clientName = assertText(value, name, { maxLength: 253 });
  if (!CLIENT_NAME.test(clientName)) {
    throw wrong(name, "a host name or an address in brackets", value);
  }
  return clientName;
}

function listOf(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(name, "a list", value);
  if (value.length > MAX_RECIPIENTS) {
    throw new ValidationError(name, `Cannot accept '${name}' of ${value.length} entries: limit is ${MAX_RECIPIENTS}`);
  }
  return value;
}

/** Without repeats: one mail each. */
function addressesOf(value: unknown, name: string): readonly MailAddress[] {
  const found = new Map<string, MailAddress>();
  for (const [index, item] of listOf(value, name).entries()) {
    const address = assertMailAddress(item, `${name}.${index}`);
    found.set(address.address, address);
  }
  return [...found.values()];
}

function patternsOf(value: unknown, name: string): readonly string[] {
  return listOf(value, name).map((item, index) => {
    const place = `${name}.${index}`;
    const pattern = assertText(item, place, { maxLength: 254 });
    if (!isRecipientPattern(pattern)) {
      throw wrong(place, 'an address, "*@domain", "*@*.domain" or "*"', item);
    }
    return pattern;
  });
}

function unsubscribeOf(value: unknown, name: string): readonly string[] {
  const urls = typeof value === "string" ? [value] : listOf(value, name);
  if (urls.length > 2) {
    throw wrong(name, "at most an https and a mailto URL", value);
  }
  return urls.map((item, index) => {
    const place = typeof value === "string" ? name : `${name}.${index}`;
    const url = assertText(item, place, { maxLength: 800 });
    // RFC 2369 2 puts the URL in angle brackets, with commas between several.
    const isUrl = /^(?:https:\/\/|mailto:)[\x21-\x7e]+$/.test(url) &&
      !/[<>,"\\^`|]/.test(url) &&
      URL.canParse(url.replaceAll("{delivery_id}", "x"));
    if (!isUrl) throw wrong(place, "an https or mailto URL", item);
    return url;
  });
}

function tlsOf(value: unknown, name: string): SmtpTlsOptions {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(name, "an object", value);
  }
  const tls: { -readonly [Key in keyof SmtpTlsOptions]: SmtpTlsOptions[Key] } = {};
  for (const [key, item] of Object.entries(value)) {
    const known = SMTP_TLS_KEYS.find((each) => each === key);
    if (known === undefined) {
      const guess = nearest(key, SMTP_TLS_KEYS);
      const hint = guess === undefined ? `known keys are ${SMTP_TLS_KEYS.join(", ")}` : `did you mean "${guess}"?`;
      throw new ValidationError(`${name}.${key}`, `Cannot accept '${name}.${key}': unknown key; ${hint}`);
    }
    if (item === undefined || item === null) continue;
    tls[known] = known === "servername" ? hostOf(item, `${name}.${known}`) : pemOf(item, `${name}.${known}`);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new ValidationError(name, `Cannot accept '${name}': cert and key go together`);
  }
  return tls;
}

function pemOf(value: unknown, name: string): string {
  const pem = assertText(value, name, { maxLength: 1_000_000, multiline: true });
  if (!pem.includes("-----BEGIN ")) {
    throw new ValidationError(name, `Cannot accept '${name}': it must be PEM text, which starts with "-----BEGIN"`);
  }
  return pem;
}
