/**
 * Calls Durable Objects from tests.
 *
 * @module
 */
import { bindings } from "../../support/workerd-bindings.ts";

/** A namespace of objects, in the slice that is used of it. */
interface NamespaceLike {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}

/**
 * Sends a text to an object.
 *
 * @param binding The binding of its namespace.
 * @param name The name of the object: another one is another object.
 * @param body What to send.
 * @returns What it answers.
 * @throws {Error} If it answers with an error.
 */
export async function callObject(binding: string, name: string, body: string): Promise<string> {
  const namespace = bindings[binding];
  if (!isNamespace(namespace)) throw new Error(`Cannot find binding ${binding}: see test/runtimes/workerd.json`);
  const object = namespace.get(namespace.idFromName(name));
  const response = await object.fetch(new Request("http://object/", { method: "POST", body }));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

function isNamespace(value: unknown): value is NamespaceLike {
  return typeof value === "object" && value !== null && "idFromName" in value && "get" in value;
}
