/**
 * `type: email` in a configuration.
 *
 * @module
 */
import {
  BACKEND_COMMON_KEYS,
  type BackendConfig,
  type BackendContext,
  type BackendType,
  type Communicator,
  ConfigError,
  type ConfigIssue,
  nearest,
} from "../../core/mod.ts";
import { checkSmtpOptions } from "./check-options.ts";
import { SMTP_OPTION_KEYS, type SmtpOptions } from "./options.ts";
import { SmtpCommunicator } from "./smtp-communicator.ts";

/**
 * The kind of backend that sends mail: `type: email`.
 *
 * @example
 * ```ts
 * import { BackendRegistry } from "posthorn";
 * import { email } from "posthorn/smtp";
 *
 * const backends = new BackendRegistry([email]);
 * console.log(backends.types); // [ "email" ]
 * ```
 */
export const email: BackendType = {
  type: "email",
  create(name: string, config: BackendConfig, context: BackendContext): Communicator {
    const { options, issues } = readConfig(config);
    const { faults } = checkSmtpOptions(options, keyOf);
    const all = [...issues, ...faults.map(({ argument, message }): ConfigIssue => ({ path: argument, message }))];
    if (all.length > 0) throw new ConfigError(all);
    return new SmtpCommunicator(name, options, { clock: context.clock, logger: context.logger });
  },
};

function keyOf(option: keyof SmtpOptions): string {
  return option === "accessToken" ? option : SMTP_OPTION_KEYS[option];
}

/** Takes our keys, turns seconds into milliseconds, and suspects a slip of the pen in what is nearly one of them. */
function readConfig(config: BackendConfig): { readonly options: SmtpOptions; readonly issues: readonly ConfigIssue[] } {
  const known = new Map(Object.entries(SMTP_OPTION_KEYS).map(([option, key]) => [key, option]));
  const options: Record<string, unknown> = {};
  const issues: ConfigIssue[] = [];
  for (const [key, value] of Object.entries(config)) {
    const option = known.get(key);
    if (option !== undefined) {
      options[option] = option.endsWith("Ms") && typeof value === "number" ? value * 1_000 : value;
      continue;
    }
    if (BACKEND_COMMON_KEYS.includes(key)) continue;
    const guess = nearest(key, [...known.keys()]);
    if (guess !== undefined) {
      issues.push({ path: key, message: `unknown key; did you mean "${guess}"?` });
    }
  }
  return { options: { fromAddress: "", ...options }, issues };
}
