/**
 * Ending a program when it is told to.
 *
 * @module
 */
import { PosthornError } from "../../core/mod.ts";

/** Anything that stops: an application, a server. */
export interface Stoppable {
  /** Stops it. */
  stop(): Promise<void> | void;
}

/** What of the process is used, on Deno, Bun and Node alike. */
interface ProcessLike {
  on(signal: string, listener: () => void): unknown;
  off(signal: string, listener: () => void): unknown;
  exit(code: number): void;
}

/** The signals that ask a program to end, and the exit code of one that does not wait for it. */
const SIGNALS: readonly (readonly [name: string, exitCode: number])[] = [["SIGINT", 130], ["SIGTERM", 143]];

/**
 * Waits for Ctrl-C (SIGINT) or SIGTERM, then stops one part after the other, in the order given. A second signal ends the
 * process at once.
 *
 * Name the application before its server: while it finishes what it has, the server answers webhooks 503, and `/readyz`
 * says that it takes no more.
 *
 * @param parts What to stop.
 * @returns Resolves when all have stopped. The process then ends by itself, as nothing runs any more.
 * @throws {PosthornError} With code `unsupported` where there are no signals, as on Workers.
 * @throws {AggregateError} If a part could not be stopped; the others were. Where nobody waits for it, the process ends with
 * an exit code other than 0.
 *
 * @example
 * ```ts
 * import { Application } from "posthorn";
 * import { createHttpApp } from "posthorn/http";
 * import { serve, stopOnSignal } from "posthorn/serve";
 *
 * const app = await Application.create({});
 * const server = await serve(createHttpApp(app), { port: 0 });
 * const stopped = stopOnSignal(app, server);
 * process.kill(process.pid, "SIGTERM");
 * await stopped;
 * ```
 */
export async function stopOnSignal(...parts: readonly Stoppable[]): Promise<void> {
  const process: unknown = Reflect.get(globalThis, "process");
  if (!isProcess(process)) {
    throw new PosthornError(
      "unsupported",
      "Cannot wait for a signal: this runtime has none; call stop() where it ends",
    );
  }
  await new Promise<void>((resolve, reject) => {
    let isStopping = false;
    const listeners = SIGNALS.map(([name, exitCode]) => {
      const listener = (): void => {
        if (isStopping) return process.exit(exitCode);
        isStopping = true;
        stopAll(parts).then(resolve, reject).finally(() => {
          for (const end of listeners) end();
        });
      };
      process.on(name, listener);
      return () => void process.off(name, listener);
    });
  });
}

async function stopAll(parts: readonly Stoppable[]): Promise<void> {
  const errors: unknown[] = [];
  for (const part of parts) {
    try {
      await part.stop();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `Cannot stop ${errors.length} of ${parts.length} parts`);
}

function isProcess(value: unknown): value is ProcessLike {
  return typeof value === "object" && value !== null && "on" in value && typeof value.on === "function" &&
    "off" in value && typeof value.off === "function" && "exit" in value && typeof value.exit === "function";
}
