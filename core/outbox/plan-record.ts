/**
 * A plan as it stands in the store.
 *
 * @module
 */
import type { OthersPolicy, PlanNode, PlanOutcome, PlanState } from "../delivery/delivery-plan.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";
import type { StoredOutgoingMessage } from "../message/outgoing-message.ts";

/** What settled a plan, where a person did. */
export interface PlanAnswer {
  /** What was said, or the label of the button; `""` where nothing was. */
  readonly text: string;
  /** By which backend it came; `"api"`: by {@link Application.acknowledge}. */
  readonly backendName: string;
  /** Who said it. */
  readonly sender?: string;
  /** The id of the message that said it, where it was one. */
  readonly messageId?: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** A plan as it stands in the store. JSON. */
export interface PlanRecord {
  /** The version of this form. */
  readonly v: 1;
  /** The plan's own delivery id. */
  readonly planId: string;
  /** The name of the group it belongs to. */
  readonly groupName: string;
  /** What is said. */
  readonly message: StoredOutgoingMessage;
  /** The plan. */
  readonly plan: PlanNode;
  /** How it stands. */
  readonly state: PlanState;
  /** How it ended, once it has. */
  readonly outcome?: PlanOutcome;
  /** What settled it, where a person did. */
  readonly answer?: PlanAnswer;
  /** A reply settles it, whatever else counts as arrived. */
  readonly isQuestion?: boolean;
  /** What those who were asked too hear once somebody has answered. @default `"tell"` */
  readonly others?: OthersPolicy;
  /** How that is said: see {@link PlanTraits.othersText}. */
  readonly othersText?: string;
  /** How often a person has set it or a step of it going: 2 after it was redriven once. @default `1` */
  readonly life?: number;
  /** The life in which all of it began anew. @default `1` */
  readonly redrivenIn?: number;
  /** By its place, the life in which a step alone was begun anew since. */
  readonly retriedIn?: Readonly<Record<string, number>>;
  /** When it began, in milliseconds since 1970. */
  readonly startedAt: number;
}

/** A delivery of a plan, by its place. */
export interface Step {
  /** The plan. */
  readonly planId: string;
  /** The place in it: `"0"`, `"1-0"`. */
  readonly leaf: string;
  /** Of a timer: the life of the plan it belongs to. */
  readonly life?: number;
}

/** What somebody says, as far as plans need it. */
export interface PlanReply {
  /** By which backend it came. */
  readonly backendName: string;
  /** Where it was said. */
  readonly conversation: string;
  /** Its own id. */
  readonly messageId: string;
  /** The message it answers, as the network names it. */
  readonly replyTo?: string;
  /** It says nothing by itself: it answers a question only when it names it. */
  readonly isAside?: boolean;
  /** What is said, and by whom. */
  readonly answer: PlanAnswer;
}

/** The identity of a plan's delivery. */
export function deliveryIdOfStep(planId: string, leaf: string): string {
  return `${planId}_s${leaf}`;
}

/** The step a delivery id belongs to. */
export function stepOfDelivery(deliveryId: string): Step | undefined {
  const match = /^(.+)_s(\d+(?:-\d+)*|)$/.exec(deliveryId);
  const [, planId, leaf] = match ?? [];
  return planId === undefined || leaf === undefined ? undefined : { planId, leaf };
}

/** Whether a timer means its step as it is now: one of an earlier life means it no more. */
export function isTimerOf({ retriedIn, redrivenIn = 1 }: PlanRecord, { leaf, life = 1 }: Step): boolean {
  return life >= (retriedIn?.[leaf] ?? redrivenIn);
}

/** Reads a step back. */
export function stepFrom(value: JsonValue | undefined): Step | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { planId, leaf, life } = value as JsonObject;
  if (typeof planId !== "string" || typeof leaf !== "string") return undefined;
  return typeof life === "number" ? { planId, leaf, life } : { planId, leaf };
}

/** The key of a state value of plans in the store: tenants are kept apart. */
export function tenantKey(namespace: string | undefined, key: string): string {
  return namespace === undefined || namespace === "default" ? key : `${namespace}:${key}`;
}

/** Where a plan stands in the store. */
export function planKey(planId: string, namespace?: string): string {
  return tenantKey(namespace, `plan/${planId}`);
}

/** A record as the JSON a store takes. */
export function recordToJson(record: PlanRecord): JsonValue {
  return record as PlanRecord & JsonObject; // made of JSON values only; the store checks it again
}

/** Reads a record back. @returns `undefined` when it is not one. */
export function recordFrom(value: JsonValue): PlanRecord | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return "planId" in value && "plan" in value && "state" in value ? value as PlanRecord & JsonObject : undefined;
}
