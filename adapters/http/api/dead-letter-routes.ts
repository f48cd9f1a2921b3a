/**
 * What was given up, over HTTP.
 *
 * @module
 */
import { type OutboxRow, PosthornError, WorkQueueChannel } from "../../../core/mod.ts";
import { problem } from "../problem.ts";
import type { Api } from "./api.ts";
import { given, queryInteger } from "./api-input.ts";

const MAX_LIMIT = 1_000;

/**
 * Adds `GET /dead-letters` and `POST /dead-letters/{id}/redrive`, and the same below `/channels/{id}` for the program's
 * own queues.
 *
 * @param api What serves them.
 */
export function addDeadLetterRoutes(api: Api): void {
  const { outbox, inbox, plans } = api.application;

  async function list(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const limit = limitOf(searchParams);
    const backendName = searchParams.get("backend");
    if (backendName !== null && !api.application.communicators.has(backendName)) {
      throw new PosthornError("unknown-message", "Cannot list dead letters: the application has no such backend");
    }
    const [outgoing, incoming, dead, held] = await Promise.all([
      outbox.deadLetters({ limit, ...(backendName === null ? {} : { backendName }) }),
      backendName === null ? inbox.deadLetters({ limit }) : [],
      plans.deadPlans({ limit }),
      outbox.held({ limit, ...(backendName === null ? {} : { backendName }) }),
    ]);
    const ofGroup = dead.filter(({ record }) => backendName === null || record.groupName === backendName);
    return api.json({
      outgoing: outgoing.map(({ row, letter }) => ({ ...factsOf(row), ...letter.dead })),
      incoming: incoming.map(({ id, senderId, timestamp, content, dead }) => ({
        id,
        backendName: senderId,
        receivedAt: timestamp,
        content,
        ...dead,
      })),
      plans: await Promise.all(ofGroup.map(async ({ record, outcome, dead: { at } }) => ({
        id: record.planId,
        messageId: record.message.id,
        backendName: record.groupName,
        label: record.message.label,
        message: record.message.message,
        startedAt: record.startedAt,
        reason: outcome,
        at,
        attempts: await plans.attemptsOf(record.planId),
      }))),
      held: held.map(factsOf),
    });
  }

  async function redrive(id: string): Promise<Response> {
    if (await outbox.redrive(id) || await plans.redrive(id) || await inbox.redrive(id)) {
      return api.json({ id, redriven: true });
    }
    throw new PosthornError("unknown-message", "Cannot redrive: it is not among the dead letters");
  }

  function queueOf(id: string): WorkQueueChannel | undefined {
    const channel = api.channelOf(id);
    return channel instanceof WorkQueueChannel ? channel : undefined;
  }

  async function listOfQueue(request: Request, id: string): Promise<Response> {
    const queue = queueOf(id);
    if (queue === undefined) return problem("not-claimable");
    const { searchParams } = new URL(request.url);
    const after = queryInteger(searchParams, "after", 0, Number.MAX_SAFE_INTEGER);
    return api.json({ messages: await queue.deadLetters({ limit: limitOf(searchParams), ...given("after", after) }) });
  }

  async function redriveInQueue(id: string, message: string): Promise<Response> {
    const queue = queueOf(id);
    if (queue === undefined) return problem("not-claimable");
    if (await queue.redrive(message)) return api.json({ id: message, redriven: true });
    throw new PosthornError("unknown-message", "Cannot redrive: it is not among the dead letters");
  }

  api.route("/channels/:id/dead-letters", { GET: (request, { id = "" }) => listOfQueue(request, id) });
  api.route("/channels/:id/dead-letters/:message/redrive", {
    POST: (_request, { id = "", message = "" }) => redriveInQueue(id, message),
  });
  api.route("/dead-letters", { GET: list });
  api.route("/dead-letters/:id/redrive", { POST: (_request, { id = "" }) => redrive(id) });
}

/** What is told of a delivery. */
function factsOf(row: OutboxRow) {
  return {
    id: row.deliveryId,
    messageId: row.message.id,
    backendName: row.backendName,
    ...given("recipient", row.recipient),
    label: row.message.label,
    message: row.message.message,
    queuedAt: row.queuedAt,
  };
}

function limitOf(query: URLSearchParams): number {
  return queryInteger(query, "limit", 1, MAX_LIMIT) ?? 100;
}
