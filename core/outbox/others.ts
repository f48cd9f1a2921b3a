/**
 * What is heard of an answer where it was asked.
 *
 * @module
 */
import type { Communicator } from "../communicators/communicator.ts";
import { leavesOf, type PlanState, type PlanStatus, stateAt } from "../delivery/delivery-plan.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import { fromStoredMessage } from "../message/stored-message.ts";
import type { DeliveryTarget } from "./outbox.ts";
import type { Amendment } from "./outbox-row.ts";
import { deliveryIdOfStep, type PlanAnswer, type PlanRecord } from "./plan-record.ts";

/** What is to be said, and to whom. */
export interface Note {
  /** What is said where nothing can be changed. */
  readonly message: OutgoingMessage;
  /** To whom: one delivery each. */
  readonly targets: readonly DeliveryTarget[];
}

/** What may have reached somebody, or is about to. */
const BEGUN: ReadonlySet<PlanStatus> = new Set(["active", "overdue", "sent", "late", "unknown", "done"]);
const MAX_NAME = 100;

/**
 * Makes the note that somebody has answered.
 *
 * @param record The plan, with its answer.
 * @param before How it stood when the answer came: those that had been begun then are told.
 * @param answeredLeaf The delivery that was answered; absent: the answer came by none of them.
 * @param findBackend Knows what can be changed.
 * @returns `undefined` when nobody has to hear of it.
 */
export function noteOfAnswer(
  record: PlanRecord,
  before: PlanState,
  answeredLeaf: string | undefined,
  findBackend: (name: string) => Communicator | undefined,
): Note | undefined {
  const { answer, others = "tell", planId, message: asked } = record;
  const leaves = leavesOf(record.plan);
  const answered = leaves.find(({ leaf }) => leaf === answeredLeaf)?.node;
  const wantsAnswer = record.isQuestion === true ||
    (answered === undefined ? leaves.some(({ node }) => node.confirm === "reply") : answered.confirm === "reply");
  if (answer === undefined || others === "leave" || !wantsAnswer) return undefined;
  const text = textOf(answer, record.othersText);
  const targets = leaves.flatMap(({ leaf, node }): readonly DeliveryTarget[] => {
    const { backendName, recipient } = node;
    const status = stateAt(before, leaf)?.status ?? "idle";
    if (!BEGUN.has(status)) return [];
    // Where it was answered it is changed too, as others may read there, and buttons have done their work.
    const isAnsweredHere = backendName === answered?.backendName && recipient === answered.recipient;
    const how = isAnsweredHere || others === "edit" ? "change" : "tell";
    if (how === "change" && findBackend(backendName)?.capabilities.edits !== true) return [];
    const amends: Amendment = {
      deliveryId: deliveryIdOfStep(planId, leaf),
      message: `${asked.message}\n\n${text}`,
      ...(asked.html === undefined ? {} : { html: `${asked.html}<p>${escapeHtml(text)}</p>` }),
      how,
      ...(status === "active" || status === "overdue" ? {} : { isSent: true }),
    };
    const to = recipient === undefined ? {} : { recipient };
    return [{ backendName, ...to, deliveryId: `${planId}_t${leaf}`, amends }];
  });
  return targets.length === 0 ? undefined : { message: messageOf(record, text), targets };
}

function messageOf({ message: asked }: PlanRecord, text: string): OutgoingMessage {
  const { subject, orderingKey, severity, label, timestamp } = asked;
  return fromStoredMessage({
    id: `${asked.id}/answered`,
    timestamp,
    message: text,
    label,
    severity,
    metadata: {},
    attachments: [],
    recipients: [],
    ...(subject === undefined ? {} : { subject: `Re: ${subject}` }),
    ...(orderingKey === undefined ? {} : { orderingKey }),
  });
}

function textOf({ sender, backendName }: PlanAnswer, template: string | undefined): string {
  const name = nameOf(sender);
  const words = template ?? (name === "" ? "Answered on {backend}" : "Answered by {sender} on {backend}");
  return words.replaceAll(/\{(sender|backend)\}/g, (_, word) => word === "backend" ? backendName : name || "?");
}

/** Line breaks, lone halves of characters, and what turns the direction of writing. */
const UNFIT = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;

/** A name as it came from a network, on one line. */
function nameOf(sender: string = ""): string {
  return Array.from(sender.replaceAll(UNFIT, " ").trim()).slice(0, MAX_NAME).join("");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
