/**
 * A fallback group over three scripted backends, on a virtual clock.
 *
 * @module
 */
import {
  Application,
  type ApplicationConfig,
  fallback,
  ManualClock,
  MemoryStore,
  type MessageStore,
} from "../../core/mod.ts";
import { eventually } from "./eventually.ts";
import { ScriptedCommunicator, type ScriptStep } from "./scripted-communicator.ts";

/** An application with a fallback group `reach` over three backends, and what each backend saw. */
export interface Scene {
  readonly clock: ManualClock;
  readonly store: MessageStore;
  readonly app: Application;
  readonly chat: ScriptedCommunicator;
  readonly mail: ScriptedCommunicator;
  readonly phone: ScriptedCommunicator;
}

/** Sets it up; `scripts` says how each backend answers, `group` and `backend` what else they are configured with. */
export async function scene(
  scripts: Readonly<Record<string, readonly ScriptStep[]>> = {},
  group: Record<string, unknown> = {},
  backend: Record<string, unknown> = {},
  more: { readonly clock?: ManualClock; readonly store?: MessageStore; readonly config?: ApplicationConfig } = {},
): Promise<Scene> {
  const { clock = new ManualClock(), store = new MemoryStore({ clock }), config = {} } = more;
  const backends = ["chat", "mail", "phone"].map((name) =>
    new ScriptedCommunicator(name, { now: () => clock.now(), script: scripts[name] ?? [] })
  );
  const [chat, mail, phone] = backends as [ScriptedCommunicator, ScriptedCommunicator, ScriptedCommunicator];
  const own = Object.fromEntries(backends.map(({ name }) => [name, { type: name, labels: [name], ...backend }]));
  const app = await Application.create(
    {
      ...config,
      communications: {
        enabled: true,
        backends: {
          reach: { type: "fallback", channels: ["chat", "mail", "phone"], labels: ["page"], ...group },
          ...own,
        },
      },
    },
    {
      backends: [fallback, ...backends.map((each) => ({ type: each.name, create: () => each }))],
      clock,
      store,
      closeStore: more.store === undefined,
      random: () => 0.5,
    },
  );
  return { clock, store, app, chat, mail, phone };
}

/** Stops it while time goes on. */
export async function stop({ app, clock }: Scene): Promise<void> {
  let stopped = false;
  const done = app.stop().then(() => stopped = true);
  await eventually(clock, () => stopped, 1_000);
  await done;
}

/** What each backend was asked to send. */
export function texts({ chat, mail, phone }: Scene): readonly (readonly string[])[] {
  return [chat.texts, mail.texts, phone.texts];
}
