/**
 * What persons decide about deliveries, over HTTP.
 *
 * @module
 */
import { kindOf, PosthornError, type ResolveWord, ValidationError } from "../../../core/mod.ts";
import { parseJsonObject } from "../read-body.ts";
import type { Api } from "./api.ts";
import { Fields, given } from "./api-input.ts";

const WORDS: readonly ResolveWord[] = ["delivered", "retry", "next"];
const PLANS = ["end", "next"] as const;

/**
 * Adds `POST /deliveries/{id}/resolve`, `POST /deliveries/{id}/cancel` and `POST /deliveries/{id}/acknowledge`.
 *
 * @param api What serves them.
 */
export function addDeliveryRoutes(api: Api): void {
  const { application } = api;

  async function resolve(request: Request, id: string): Promise<Response> {
    const fields = new Fields(parseJsonObject(await api.readBody(request)));
    const word = oneOf("as", fields.any("as"), WORDS);
    fields.done();
    if (await application.resolve(id, word)) return api.json({ id, resolved: word });
    throw new PosthornError("unknown-message", "Cannot resolve: the delivery is not in doubt, or not any more");
  }

  async function cancel(request: Request, id: string): Promise<Response> {
    const fields = new Fields(parseJsonObject(await api.readBody(request)));
    const wanted = fields.any("plan");
    const plan = wanted === undefined ? "end" : oneOf("plan", wanted, PLANS);
    fields.done();
    if (await application.cancel(id, { plan })) return api.json({ id, cancelled: true });
    throw new PosthornError("unknown-message", "Cannot cancel: the delivery is not waiting, or is being sent");
  }

  async function acknowledge(request: Request, id: string): Promise<Response> {
    const fields = new Fields(parseJsonObject(await api.readBody(request)));
    const by = { ...given("sender", fields.text("sender")), ...given("text", fields.text("text")) };
    fields.done();
    if (await application.acknowledge(id, by)) return api.json({ id, acknowledged: true });
    throw new PosthornError("unknown-message", "Cannot acknowledge: there is no such plan under way");
  }

  api.route("/deliveries/:id/acknowledge", { POST: (request, { id = "" }) => acknowledge(request, id) });
  api.route("/deliveries/:id/resolve", { POST: (request, { id = "" }) => resolve(request, id) });
  api.route("/deliveries/:id/cancel", { POST: (request, { id = "" }) => cancel(request, id) });
}

function oneOf<Word extends string>(name: string, value: unknown, words: readonly Word[]): Word {
  const word = words.find((known) => known === value);
  if (word !== undefined) return word;
  throw new ValidationError(
    name,
    `Cannot accept '${name}': it must be one of ${words.join(", ")}, not ${kindOf(value)}`,
  );
}
