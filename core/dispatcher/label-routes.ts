/**
 * Which backends a label reaches.
 *
 * @module
 */
import type { Communicator, Destination } from "../communicators/communicator.ts";
import { FallbackCommunicator } from "../delivery/fallback-group.ts";
import { RoutingError } from "../errors.ts";
import { isAtLeast, type OutgoingMessage, type Severity } from "../message/outgoing-message.ts";
import { assertText } from "../support/assert.ts";
import { explainGroup, type GroupExplanation, reachesSomebody } from "./group-explanation.ts";

/** The label that stands for every label. */
export const EVERY_LABEL = "*";

/** How a backend is registered. */
export interface RouteOptions {
  /** The labels it takes. @default `["default"]` */
  readonly labels?: readonly string[];
  /** Messages milder than this do not reach it. @default every severity */
  readonly minSeverity?: Severity;
}

/** A registered backend. */
export interface Route {
  /** The backend. */
  readonly communicator: Communicator;
  /** The labels it takes. */
  readonly labels: readonly string[];
  /** Messages milder than this do not reach it. */
  readonly minSeverity?: Severity;
}

/** Why a backend does not get a message. */
export interface Unreached {
  /** The backend. */
  readonly backendName: string;
  /** `label`, `severity`, or `no-recipient`. */
  readonly reason: "label" | "severity" | "no-recipient";
  /** The same in words. */
  readonly detail: string;
  /** What a fallback group would do, channel by channel. */
  readonly group?: GroupExplanation;
}

/** What a message would do. */
export interface RouteExplanation {
  /** The message's label. */
  readonly label: string;
  /** The backends it would reach, and by which addresses. */
  readonly reaches: readonly {
    /** The backend. */
    readonly backendName: string;
    /** Whether it is started. */
    readonly isStarted: boolean;
    /** Where the message would go on it; of a fallback group the group as a whole. */
    readonly destinations: readonly Destination[];
    /** What a fallback group would do, channel by channel. */
    readonly group?: GroupExplanation;
  }[];
  /** Those among them, and among the channels of groups, that rest after failures in a row: plans leave them out. */
  readonly resting?: readonly {
    /** The backend. */
    readonly backendName: string;
    /** Until when, in milliseconds since 1970, as this process last saw it. */
    readonly restsUntil: number;
  }[];
  /** The others, and why not. */
  readonly others: readonly Unreached[];
}

/** The backends by name and label. Looking up never sees a registration half done: it works on a snapshot. */
export class LabelRoutes {
  #routes: readonly Route[] = [];
  #byLabel = new Map<string, readonly Route[]>();

  /**
   * Adds a backend.
   *
   * @throws {RoutingError} If the name is taken.
   */
  add(communicator: Communicator, options: RouteOptions = {}): void {
    const { labels = ["default"], minSeverity } = options;
    if (this.find(communicator.name) !== undefined) {
      throw new RoutingError(`Cannot register backend "${communicator.name}": the name is taken`);
    }
    const checked = labels.map((label, index) => assertText(label, `labels[${index}]`, { maxLength: 200 }));
    const route = { communicator, labels: checked, ...(minSeverity === undefined ? {} : { minSeverity }) };
    this.#set([...this.#routes, route]);
  }

  /** Removes a backend. */
  remove(name: string): Route | undefined {
    const route = this.find(name);
    if (route !== undefined) this.#set(this.#routes.filter((known) => known !== route));
    return route;
  }

  #set(routes: readonly Route[]): void {
    this.#routes = routes;
    this.#byLabel = new Map();
  }

  /** A backend by name. */
  find(name: string): Route | undefined {
    return this.#routes.find((route) => route.communicator.name === name);
  }

  /** All backends, in the order of their registration. */
  get all(): readonly Route[] {
    return this.#routes;
  }

  /** Every label somebody takes. */
  get labels(): readonly string[] {
    return [...new Set(this.#routes.flatMap((route) => route.labels))];
  }

  /** The backends a message reaches, in the order of their registration. */
  match(message: Pick<OutgoingMessage, "label" | "severity">): readonly Route[] {
    let routes = this.#byLabel.get(message.label);
    if (routes === undefined) {
      routes = this.#routes.filter((route) => takesLabel(route, message.label));
      if (this.#byLabel.size < 1_000) this.#byLabel.set(message.label, routes);
    }
    return routes.some((route) => route.minSeverity !== undefined)
      ? routes.filter((route) => takesSeverity(route, message.severity))
      : routes;
  }

  /** Says which backends a message would reach, and why not the others. */
  explain(message: OutgoingMessage): RouteExplanation {
    const reaches: RouteExplanation["reaches"][number][] = [];
    const others: Unreached[] = [];
    for (const route of this.#routes) {
      const { communicator, labels, minSeverity } = route;
      const backendName = communicator.name;
      if (!takesLabel(route, message.label)) {
        const detail = `label "${message.label}" is not among its labels: ${labels.join(", ") || "none"}`;
        others.push({ backendName, reason: "label", detail });
      } else if (!takesSeverity(route, message.severity)) {
        const detail = `severity ${message.severity} is below its minimum ${minSeverity ?? ""}`;
        others.push({ backendName, reason: "severity", detail });
      } else {
        const { isStarted } = communicator;
        const destinations = communicator.destinations(message);
        const group = communicator instanceof FallbackCommunicator ? explainGroup(communicator, message) : undefined;
        if (group !== undefined && !reachesSomebody(group)) {
          const detail = message.recipients.length === 0
            ? "none of its channels has a recipient for this message"
            : 'none of its channels has a recipient for this message; name one as "backend:address"';
          others.push({ backendName, reason: "no-recipient", detail, group });
        } else if (destinations.length > 0) {
          reaches.push({ backendName, isStarted, destinations, ...(group === undefined ? {} : { group }) });
        } else {
          others.push({ backendName, reason: "no-recipient", detail: "it has no recipient for this message" });
        }
      }
    }
    return { label: message.label, reaches, others };
  }
}

function takesLabel(route: Route, label: string): boolean {
  return route.labels.includes(label) || route.labels.includes(EVERY_LABEL);
}

function takesSeverity(route: Route, severity: Severity): boolean {
  return route.minSeverity === undefined || isAtLeast(severity, route.minSeverity);
}
