/**
 * Figures for Prometheus.
 *
 * @module
 */
import type { Api } from "./api.ts";

/**
 * Adds `GET /metrics`: what waits in each queue, what was given up, and how the backends are, in Prometheus' text format.
 *
 * @param api What serves it.
 */
export function addMetricsRoute(api: Api): void {
  const { application } = api;

  async function show(): Promise<Response> {
    const queues = await Promise.all([
      stats("inbox", undefined, application.inbox.queue.key),
      ...[...application.communicators.keys()].map(async (name) =>
        await stats("outbox", name, (await application.outbox.queue(name)).key)
      ),
    ]);
    const health = application.health();
    const lines = [
      "# HELP posthorn_queue_messages Messages in a queue, by what they wait for.",
      "# TYPE posthorn_queue_messages gauge",
      ...queues.flatMap(({ labels, figures }) =>
        (["ready", "delayed", "claimed"] as const).map((state) =>
          `posthorn_queue_messages{${labels},state="${state}"} ${figures[state]}`
        )
      ),
      "# HELP posthorn_queue_oldest_seconds Age of the oldest message that is not done.",
      "# TYPE posthorn_queue_oldest_seconds gauge",
      ...queues.map(({ labels, figures: { oldestUnacknowledgedAt: at } }) =>
        `posthorn_queue_oldest_seconds{${labels}} ${
          at === undefined ? 0 : Math.max(0, application.clock.now() - at) / 1_000
        }`
      ),
      "# HELP posthorn_backend_healthy Whether a backend is started and works, as far as is known.",
      "# TYPE posthorn_backend_healthy gauge",
      ...health.map(({ name, isHealthy }) => `posthorn_backend_healthy{backend="${name}"} ${isHealthy ? 1 : 0}`),
    ];
    return new Response(`${lines.join("\n")}\n`, {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
    });
  }

  async function stats(queue: string, backend: string | undefined, key: string): Promise<{
    readonly labels: string;
    readonly figures: Awaited<ReturnType<typeof application.store.stats>>;
  }> {
    const labels = backend === undefined ? `queue="${queue}"` : `queue="${queue}",backend="${backend}"`;
    return { labels, figures: await application.store.stats(key) };
  }

  api.route("/metrics", { GET: show });
}
