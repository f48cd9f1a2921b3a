/**
 * What an application would be, without starting it.
 *
 * @module
 */
import { Application, type Logger, MemoryStore } from "../../core/mod.ts";
import type { PreparedApplication } from "./prepare-application.ts";

/** An application that was not started. */
export interface ApplicationPreview {
  /** The application: `explain` says whom a message would reach, `communicators` who is there. It is not started. */
  readonly application: Application;
  /** What the backends had to say of their options, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Makes everything that a configuration names and starts none of it: what is wrong with the options of a backend is
 * found, and nothing is opened, sent or written. Backends are made even where `communications.enabled` is not true.
 *
 * @param prepared The configuration and the kinds it needs.
 * @throws {ConfigError} With everything that is wrong.
 */
export function previewApplication(prepared: PreparedApplication): ApplicationPreview {
  const warnings: string[] = [];
  const { config, backends } = prepared;
  const application = Application.build(
    { ...config, communications: { ...config.communications, enabled: true } },
    { backends, store: new MemoryStore(), logger: collectWarnings(warnings) },
  );
  return { application, warnings };
}

function collectWarnings(warnings: string[]): Logger {
  return {
    debug(): void {},
    info(): void {},
    warn(message, fields): void {
      const backend = fields?.["backend"];
      warnings.push(typeof backend !== "string" || message.includes(backend) ? message : `${backend}: ${message}`);
    },
    error(): void {},
  };
}
