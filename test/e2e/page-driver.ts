/**
 * The emulator's page in Chromium, with a real server and a real application behind it.
 *
 * @module
 */
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { EmulatorCommunicator } from "../../adapters/emulator/mod.ts";
import { createHttpApp } from "../../adapters/http/mod.ts";
import { type RunningServer, serve } from "../../adapters/serve/mod.ts";
import { Application, type IncomingMessageHandler, type Logger, MemoryStore } from "../../core/mod.ts";

/** Flags that keep Chromium to itself. */
const FLAGS: readonly string[] = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What {@link openBench} may be told. */
export interface PageBenchOptions {
  /** What answers. @default an echo */
  readonly handler?: IncomingMessageHandler;
  /** How many entries of the transcript are kept. */
  readonly keepEntries?: number;
  /** Whether stopping closes the store. @default `true` */
  readonly closeStore?: boolean;
}

/** A browser, and what it looks at. */
export interface PageBench {
  readonly application: Application;
  readonly emulator: EmulatorCommunicator;
  readonly store: MemoryStore;
  readonly complaints: string[];
  /** What went wrong in any page: exceptions, errors on the console, breaches of the policy. */
  readonly faults: string[];
  /** Where the page is. */
  readonly url: string;
  /** Opens a tab. */
  tab(options?: TabOptions): Promise<Tab>;
  /** Stops listening, as when the program is stopped, and keeps the application. */
  disconnect(): Promise<void>;
  /** Listens again, at the same port. */
  reconnect(): Promise<void>;
  close(): Promise<void>;
}

/** How a tab looks. */
export interface TabOptions {
  readonly query?: string;
  /** Where the page is asked for, where something stands between it and the server. */
  readonly origin?: string;
  /** Runs before the page's own script. */
  readonly script?: string;
  readonly colorScheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

/** One tab. */
export interface Tab {
  readonly page: Page;
  /** The name of the conversation that is shown. */
  name(): Promise<string>;
  /** Types and sends. */
  say(text: string): Promise<void>;
  /** What stands on the page, oldest first: who, and what. */
  texts(): Promise<readonly string[]>;
  /** Waits until that many messages stand on the page. */
  count(count: number): Promise<void>;
  /** Waits until every message on the page has one of these states. */
  settled(): Promise<void>;
}

/** Starts Chromium. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...FLAGS] });
}

/** Starts all that is behind a page. */
export async function openBench(
  browser: Browser,
  options: PageBenchOptions = {},
): Promise<PageBench> {
  const complaints: string[] = [];
  const faults: string[] = [];
  const complain = (text: string, fields?: unknown): void => void complaints.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: complain,
    error: complain,
  };
  const store = new MemoryStore();
  const { keepEntries } = options;
  const emulator = new EmulatorCommunicator("emulator", {
    store,
    logger,
    keepEntries,
  });
  const application = await Application.create({}, {
    store,
    closeStore: options.closeStore ?? true,
    logger,
    communicators: [{ communicator: emulator }],
  });
  application.messenger.route(
    options.handler ?? ((context) => {
      context.reply(`You said: ${context.message.text}`);
    }),
  );
  const app = createHttpApp(application, { emulator: true });
  let server: RunningServer | undefined = await serve(app, { port: 0 });
  const { port, url } = server;
  const contexts: BrowserContext[] = [];

  async function openTab(tab: TabOptions = {}): Promise<Tab> {
    const { query = "", colorScheme = "light", width = 1_000, height = 700, origin = url, script } = tab;
    // Each in a context of its own, as two people would be.
    const context = await browser.newContext({
      colorScheme,
      viewport: { width, height },
      locale: "en-GB",
      reducedMotion: "reduce",
    });
    contexts.push(context);
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
    page.on("dialog", (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      // The browser itself tells of lost connections and of refusals; those are meant.
      if (
        message.type() === "error" &&
        !message.text().startsWith("Failed to load resource")
      ) {
        faults.push(message.text());
      }
    });
    await page.addInitScript(
      `document.addEventListener("securitypolicyviolation", (event) => {
      console.error("policy: " + event.violatedDirective + " " + event.blockedURI);
    });`,
    );
    if (script !== undefined) await page.addInitScript(script);
    await page.goto(`${origin}/emulator?token=${emulator.token}${query}`);
    await page.waitForSelector('#link[data-state="open"]');
    return driver(page);
  }

  return {
    application,
    emulator,
    store,
    complaints,
    faults,
    url,
    tab: openTab,
    async disconnect() {
      await server?.stop();
      server = undefined;
    },
    async reconnect() {
      server = await serve(app, { port });
    },
    async close() {
      for (const context of contexts) await context.close();
      await server?.stop();
      await application.stop();
    },
  };
}

function driver(page: Page): Tab {
  const messages = page.locator("#messages > .message");
  return {
    page,
    name: async () => await page.locator("#title").textContent() ?? "",
    async say(text) {
      await page.fill("#text", text);
      await page.press("#text", "Enter");
    },
    async texts() {
      return await messages.evaluateAll((items) =>
        items.map((item) =>
          `${item.classList.contains("mine") ? "me" : "it"}: ${item.querySelector(".text")?.textContent ?? ""}`
        )
      );
    },
    async count(count) {
      await until(
        async () => await messages.count() === count,
        `${count} messages`,
      );
    },
    async settled() {
      const states = page.locator("#messages .state");
      await until(async () => {
        const words = await states.evaluateAll((items) => items.map((item) => item.getAttribute("data-state") ?? ""));
        return words.every((word) => ["sent", "handled", "failed"].includes(word));
      }, "every message to settle");
    },
  };
}

/** Asks again and again: the page's policy lets nobody wait inside it. */
async function until(
  isSo: () => Promise<boolean>,
  what: string,
): Promise<void> {
  const end = Date.now() + 15_000;
  while (!await isSo()) {
    if (Date.now() > end) {
      throw new Error(`Cannot go on: waited in vain for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
