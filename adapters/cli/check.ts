/**
 * `posthorn check`: whether a configuration can be used, and what would start.
 *
 * @module
 */
import type { BackendConfig, Communicator } from "../../core/mod.ts";
import { previewApplication } from "../app/preview-application.ts";
import type { PosthornConfig } from "../config/config-types.ts";
import { UsageError } from "./arguments.ts";
import type { CliIo } from "./cli-io.ts";
import { type Command, CONFIG_OPTIONS, type ExitCode } from "./command.ts";
import { json, plain, table } from "./printing.ts";
import { readConfig } from "./read-config.ts";

/** What would run, without a secret in it. */
interface Overview {
  readonly ok: true;
  readonly file: string;
  readonly store: string;
  readonly enabled: boolean;
  readonly backends: readonly BackendOverview[];
  readonly channels: readonly { readonly id: string; readonly type: string }[];
  readonly warnings: readonly string[];
}

interface BackendOverview {
  readonly name: string;
  readonly type: string;
  readonly enabled: boolean;
  readonly labels: readonly string[];
  readonly minSeverity?: string;
  readonly receives: boolean;
  readonly transport?: string;
}

/** The command. */
export const check: Command = {
  summary: "Say everything that is wrong with a configuration, or what would start",
  usage: "[OPTIONS]",
  details: `Nothing is sent, and nothing is opened.
The exit code is 0 if the configuration can be used, 2 if it cannot.`,
  options: CONFIG_OPTIONS,
  async run(given, io): Promise<ExitCode> {
    if (given.positionals.length > 0) throw new UsageError("check takes no text; name the file with --config FILE");
    const prepared = await readConfig(given, io);
    const { application, warnings } = previewApplication(prepared);
    const { config, file } = prepared;
    const backends = await Promise.all(
      Object.entries(config.communications?.backends ?? {}).map(([name, backend]) =>
        backendOverview(name, backend, application.communicators.get(name))
      ),
    );
    const overview: Overview = {
      ok: true,
      file,
      store: storeWords(config.store),
      enabled: config.communications?.enabled === true,
      backends,
      channels: Object.entries(config.channels ?? {}).map(([id, { type }]) => ({ id, type })),
      warnings: [...prepared.warnings, ...warnings],
    };
    if (given.has("json")) io.out(json(overview));
    else printForPeople(overview, io);
    return 0;
  },
};

async function backendOverview(
  name: string,
  config: BackendConfig,
  communicator: Communicator | undefined,
): Promise<BackendOverview> {
  const transport = config.type === "email" && communicator !== undefined ? await mailTransport(config) : undefined;
  const minSeverity = config["min_severity"];
  return {
    name,
    type: config.type,
    enabled: config.enabled !== false,
    labels: config.labels ?? ["default"],
    receives: communicator?.supportsReceiving ?? false,
    ...(typeof minSeverity === "string" ? { minSeverity } : {}),
    ...(transport === undefined ? {} : { transport }),
  };
}

const SECURITY_WORDS = {
  implicit: "TLS from the first byte",
  starttls: "STARTTLS, required",
  none: "in clear text",
} as const;

/** How mail would travel: what the port and two flags come to is worth seeing before the first mail. */
async function mailTransport(config: BackendConfig): Promise<string> {
  const { deriveSmtpSecurity } = await import("../smtp/mod.ts");
  const { host, port, use_tls: useTls, start_tls: startTls, allow_insecure: allowInsecure } = config;
  const place = { host: typeof host === "string" ? host : "localhost", port: typeof port === "number" ? port : 587 };
  const { security } = deriveSmtpSecurity({
    ...place,
    ...(typeof useTls === "boolean" ? { useTls } : {}),
    ...(typeof startTls === "boolean" ? { startTls } : {}),
    ...(typeof allowInsecure === "boolean" ? { allowInsecure } : {}),
  });
  return `${place.host}:${place.port}, ${SECURITY_WORDS[security]}`;
}

function storeWords(store: PosthornConfig["store"]): string {
  if (store === undefined || store.type === "memory") return "memory (gone with the process)";
  return store.path === undefined ? store.type : `${store.type} ${store.path}`;
}

function printForPeople(overview: Overview, io: CliIo): void {
  const { file, store, enabled, backends, channels, warnings } = overview;
  io.out(`${plain(file)} can be used\n`);
  io.out(`store: ${plain(store)}\n`);
  if (backends.length === 0) io.out("backends: none\n");
  else io.out(enabled ? "backends:\n" : "backends, none of which starts because communications.enabled is not true:\n");
  io.out(table(backends.map((backend) => [
    backend.name,
    backend.type,
    backend.enabled ? `labels ${backend.labels.join(", ") || "none"}` : "not enabled",
    [
      backend.minSeverity === undefined ? "" : `from ${backend.minSeverity} up`,
      backend.receives ? "receives" : "",
      backend.transport ?? "",
    ].filter((words) => words !== "").join("; "),
  ])));
  if (channels.length > 0) io.out(`channels:\n${table(channels.map(({ id, type }) => [id, type]))}`);
  if (warnings.length > 0) io.out(`warnings:\n${warnings.map((warning) => `  ${plain(warning)}\n`).join("")}`);
}
