/**
 * The kinds of backend every application of the process knows.
 *
 * @module
 */
import { BackendRegistry } from "../communicators/backend-registry.ts";

const globalBackends = new BackendRegistry();

/** The kinds registered by `registerBackend`, known to every application of the process. */
export function registeredBackends(): BackendRegistry {
  return globalBackends;
}
