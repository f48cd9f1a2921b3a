/**
 * Requests by Node's own HTTP client, which takes little more than half the time of its `fetch`.
 *
 * @module
 */
import type { HttpAnswer, HttpCall, HttpRequest } from "./http.ts";
import { NetworkFailure, networkFailureOf } from "./network-error.ts";

/** As much of `node:http` and `node:https` as is used. */
interface NodeHttp {
  readonly Agent: new (options: { readonly keepAlive: boolean }) => object;
  request(url: string, options: object, onResponse: (response: NodeResponse) => void): NodeRequest;
}

interface NodeRequest {
  on(event: "error", listener: (error: unknown) => void): unknown;
  end(body: string | Uint8Array): unknown;
  destroy(): unknown;
}

interface NodeResponse {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  setEncoding(encoding: string): unknown;
  on(event: "data", listener: (chunk: string) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

interface Transport {
  readonly module: NodeHttp;
  readonly agent: object;
}

/**
 * Makes requests by Node's HTTP client.
 *
 * @returns How, or `undefined` where the runtime is not Node.
 */
export function httpByNode(): HttpCall | undefined {
  if (!/^Node\.js\//.test(globalThis.navigator?.userAgent ?? "")) return undefined;
  const transports = new Map<string, Transport>();
  for (const protocol of ["http:", "https:"]) {
    const module = builtinModule(`node:${protocol.slice(0, -1)}`);
    if (module === undefined) return undefined;
    transports.set(protocol, { module, agent: new module.Agent({ keepAlive: true }) });
  }
  return function call(request) {
    const transport = transports.get(request.url.slice(0, request.url.indexOf(":") + 1));
    return transport === undefined
      ? Promise.reject(new NetworkFailure("not-sent", "ERR_INVALID_PROTOCOL"))
      : callBy(transport, request);
  };
}

function callBy({ module, agent }: Transport, request: HttpRequest): Promise<HttpAnswer> {
  const { url, contentType, body, signal } = request;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return new Promise((resolve, reject) => {
    const end = (): void => signal?.removeEventListener("abort", abort);
    const fail = (error: unknown): void => {
      end();
      reject(networkFailureOf(error));
    };
    const headers = { "content-type": contentType, "content-length": bytes.length };
    const sent = module.request(url, { method: "POST", agent, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("error", (error) => {
        end();
        reject(new NetworkFailure("no-answer", networkFailureOf(error).code));
      });
      response.on("end", () => {
        end();
        const retryAfter = response.headers["retry-after"];
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
          text,
        });
      });
    });
    const abort = (): void => void sent.destroy();
    sent.on("error", fail);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    sent.end(bytes);
  });
}

/** Without an import, so that the file loads where there is no such module. */
function builtinModule(name: string): NodeHttp | undefined {
  const process: unknown = Reflect.get(globalThis, "process");
  if (typeof process !== "object" || process === null) return undefined;
  const get: unknown = Reflect.get(process, "getBuiltinModule");
  const module: unknown = typeof get === "function" ? get(name) : undefined;
  return isNodeHttp(module) ? module : undefined;
}

function isNodeHttp(module: unknown): module is NodeHttp {
  return typeof module === "object" && module !== null && "request" in module &&
    typeof module.request === "function" && "Agent" in module && typeof module.Agent === "function";
}
