/**
 * An application from a configuration, in one call.
 *
 * @module
 */
import { Application, type ApplicationOptions, silentLogger } from "../../core/mod.ts";
import { openStore } from "./open-store.ts";
import { prepareApplication, type PrepareOptions } from "./prepare-application.ts";

/** Options of {@link createApplication}. */
export interface CreateApplicationOptions extends PrepareOptions, Omit<ApplicationOptions, "backends"> {}

/**
 * Reads a configuration, opens the store it names, loads the kinds of backend it names, and starts the application.
 * Nothing is loaded that the configuration does not need.
 *
 * The warnings of the configuration go to the logger.
 *
 * @param source The configuration: YAML, or an object.
 * @param options Variables, kinds of backend of your own, a store in the place of the configured one, the surroundings.
 * @returns The application, running. `stop()` closes the store that was opened here.
 * @throws {ConfigError} With everything that is wrong.
 *
 * @example
 * ```ts
 * import { createApplication } from "posthorn/app";
 *
 * const app = await createApplication(
 *   `
 * communications:
 *   enabled: true
 *   backends:
 *     ops: { type: noop, labels: [alerts] }
 * `,
 *   { env: {} },
 * );
 * const report = await app.emit({ message: "Disk usage at 95%", label: "alerts" });
 * console.log((await report.settled()).map(({ status }) => status)); // ["accepted"]
 * await app.stop();
 * ```
 */
export async function createApplication(
  source: string | object,
  options: CreateApplicationOptions = {},
): Promise<Application> {
  const { env: _env, parse: _parse, maxBytes: _maxBytes, ...surroundings } = options;
  const { config, warnings, backends } = await prepareApplication(source, options);
  const { logger = silentLogger } = options;
  for (const warning of warnings) logger.warn(warning);
  const clock = options.clock === undefined ? {} : { clock: options.clock };
  const opened = options.store === undefined ? await openStore(config.store, clock) : undefined;
  try {
    return await Application.create(config, {
      ...surroundings,
      backends,
      ...(opened === undefined ? {} : { store: opened, closeStore: true }),
    });
  } catch (error) {
    await opened?.close();
    throw error;
  }
}
