/**
 * What nodemailer's errors say, by their fields alone.
 *
 * @module
 */
import type { SmtpStage } from "./outcome.ts";

/** The fields that count. */
export interface ConnectionError {
  readonly code?: string;
  readonly command?: string;
  readonly response?: string;
}

/** Reads the fields, whatever was thrown. */
export function readConnectionError(error: unknown): ConnectionError {
  if (typeof error !== "object" || error === null) return {};
  const text = (key: string): string | undefined => {
    const value: unknown = Reflect.get(error, key);
    return typeof value === "string" ? value : undefined;
  };
  const [code, command, response] = [text("code"), text("command"), text("response")];
  return {
    ...(code === undefined ? {} : { code }),
    ...(command === undefined ? {} : { command }),
    ...(response === undefined ? {} : { response }),
  };
}

/**
 * The stage that a reply belongs to.
 *
 * @param command The command nodemailer names.
 * @param stage How far the mail had come, for what is no command.
 */
export function stageOfCommand(command: string | undefined, stage: SmtpStage): SmtpStage {
  if (command === undefined) return stage;
  if (command.startsWith("AUTH")) return "auth";
  switch (command) {
    case "EHLO":
    case "HELO":
      return "ehlo";
    case "STARTTLS":
      return "starttls";
    case "MAIL FROM":
      return "mail";
    case "RCPT TO":
      return "rcpt";
    case "DATA":
      return stage === "body" || stage === "dot" ? "dot" : "data";
    default:
      return stage;
  }
}
