/**
 * Routes on a Hono app, with the answers Hono has not: 405 for a method that is not served.
 *
 * @module
 */
import type { Hono } from "hono";
import { errorFields, type Logger, PosthornError } from "../../core/mod.ts";
import { isCallersFault, problem, problemOf } from "./problem.ts";
import { BodyLostError, BodyTimeoutError, MalformedJsonError } from "./read-body.ts";

/** Answers one request. The names are those of the path's parameters. */
export type RouteHandler = (
  request: Request,
  params: Readonly<Record<string, string>>,
) => Response | Promise<Response>;

/** The methods of one path. `GET` serves `HEAD` too. */
export type RouteMethods = Readonly<Partial<Record<"GET" | "POST", RouteHandler>>>;

/**
 * Adds a path with all its methods. Whatever a handler throws becomes a problem with a stable code.
 *
 * @param app The app.
 * @param path The path, in Hono's spelling.
 * @param methods A handler for each method; another method is answered 405.
 * @param logger Hears of faults that are not the caller's.
 */
export function addRoute(app: Hono, path: string, methods: RouteMethods, logger: Logger): void {
  const allowed = Object.keys(methods).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  app.all(path, async (context) => {
    const { method } = context.req;
    const handler = method === "HEAD" || method === "GET" ? methods.GET : method === "POST" ? methods.POST : undefined;
    if (handler === undefined) return problem("method-not-allowed", { headers: { allow: allowed } });
    try {
      return await handler(context.req.raw, context.req.param());
    } catch (error) {
      return answerTo(error, path, logger);
    }
  });
}

/** The answer to an error, and a line in the log where the fault is ours. */
export function answerTo(error: unknown, path: string, logger: Logger): Response {
  if (error instanceof MalformedJsonError) return problem("malformed-json", { detail: error.message });
  if (error instanceof BodyTimeoutError) return problem("timeout", { headers: { connection: "close" } });
  if (error instanceof BodyLostError) return problem("body-lost", { headers: { connection: "close" } });
  if (error instanceof PosthornError && isNamed(error.code)) return problem(error.code, { detail: error.message });
  if (!isCallersFault(error)) logger.error("cannot answer a request", { path, ...errorFields(error) });
  return problemOf(error);
}

const NAMED = ["unknown-conversation", "too-many-conversations", "unknown-channel", "unknown-message"] as const;

/** Codes whose errors were made to be told: their sentences name what the caller asked for, and nothing else. */
function isNamed(code: string): code is (typeof NAMED)[number] {
  return NAMED.some((each) => each === code);
}
