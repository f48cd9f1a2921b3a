/**
 * Stand-ins for networks: servers on this machine that speak the real protocols, keep a record of what they took, and fail
 * on command. `posthorn/stand-ins`, for tests of your own. They listen on sockets by `node:` modules: Node, Bun and Deno.
 *
 * @module
 */
export * from "./http-stand-in.ts";
export * from "./smtp-stand-in-contract.ts";
export { SmtpStandIn } from "./smtp-stand-in.ts";
export * from "./telegram-stand-in-api.ts";
export { type FaultScope, type TelegramFault } from "./telegram-stand-in-faults.ts";
export type { TelegramStandInLimit, TelegramStandInLimits } from "./telegram-stand-in-limits.ts";
export { TelegramStandIn, type TelegramStandInOptions } from "./telegram-stand-in.ts";
export * from "./webhook-stand-in.ts";
export * from "./whatsapp-stand-in.ts";
export type { TelegramStandInAnswer, TelegramStandInMessage } from "./telegram-stand-in-messages.ts";
export type { TelegramStandInEntity } from "./telegram-stand-in-html.ts";
export type { TelegramStandInFile, TelegramStandInParameters } from "./telegram-stand-in-request.ts";
export type {
  TelegramStandInDelivery,
  TelegramStandInUpdate,
  TelegramStandInWebhook,
} from "./telegram-stand-in-updates.ts";
