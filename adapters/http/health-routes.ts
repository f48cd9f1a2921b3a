/**
 * Whether the application lives and can work, for whoever keeps it running.
 *
 * @module
 */
import type { Hono } from "hono";
import { errorFields } from "../../core/mod.ts";
import type { HttpApplication } from "./http-application.ts";
import { addRoute } from "./router.ts";

/**
 * Adds `/healthz` (it answers) and `/readyz` (its store answers and every backend is started). Anybody may ask, so
 * neither says more than that.
 *
 * @param app The app.
 * @param application The application.
 */
export function addHealthRoutes(app: Hono, application: HttpApplication): void {
  const { logger } = application;
  addRoute(app, "/healthz", { GET: () => answer(200, "ok") }, logger);
  addRoute(app, "/readyz", {
    GET: async () => (await isReady(application) ? answer(200, "ready") : answer(503, "not ready")),
  }, logger);
}

async function isReady(application: HttpApplication): Promise<boolean> {
  const { store, logger } = application;
  if (!application.isRunning) return false;
  try {
    await store.nextDueAt([]);
  } catch (error) {
    logger.warn("not ready: the store does not answer", errorFields(error));
    return false;
  }
  const waiting = application.health().filter(({ isStarted }) => !isStarted);
  for (const { name, reason } of waiting) logger.warn("not ready: a backend is not started", { backend: name, reason });
  return waiting.length === 0;
}

function answer(status: number, text: string): Response {
  return new Response(JSON.stringify({ status: text }), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}
