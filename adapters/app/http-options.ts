/**
 * What a configuration says of the HTTP server.
 *
 * @module
 */
import type { PosthornConfig } from "../config/config-types.ts";
import type { HttpAppOptions } from "../http/mod.ts";

/**
 * The options of `createHttpApp` that a configuration gives: the token of its `server`, whether the emulator is shown, and
 * whom callers of the API may name on each backend (`allow_recipients`).
 *
 * @param config The configuration, as `prepareApplication` gives it.
 *
 * @example
 * ```ts
 * import { httpOptionsFrom, prepareApplication } from "posthorn/app";
 *
 * const { config } = await prepareApplication("server: { token: a-token-of-more-than-sixteen }", { env: {} });
 * console.log(Object.keys(httpOptionsFrom(config))); // ["token"]
 * ```
 */
export function httpOptionsFrom(config: PosthornConfig): HttpAppOptions {
  const { token, emulator } = config.server ?? {};
  const allowed: Record<string, readonly string[]> = {};
  for (const [name, { allow_recipients: list }] of Object.entries(config.communications?.backends ?? {})) {
    if (Array.isArray(list)) allowed[name] = list.filter((each) => typeof each === "string");
  }
  return {
    ...(token === undefined ? {} : { token }),
    ...(emulator === undefined ? {} : { emulator }),
    ...(Object.keys(allowed).length === 0 ? {} : { allowRecipients: allowed }),
  };
}
