import { afterAll, beforeAll, it } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { describeWith } from "../support/require.ts";
import { type CuttingProxy, openCuttingProxy } from "./cutting-proxy.ts";
import { launch, openBench } from "./page-driver.ts";

/** How often the connection breaks. */
const CUTS = process.env["POSTHORN_LONG"] === "1" ? 300 : 40;
const MESSAGES_A_CUT = 3;

/** Writes down what the browser's own stream brings, before the page sees it: the page would hide a repeat. */
const WIRETAP = `
  window.heard = [];
  const Native = window.EventSource;
  window.EventSource = class extends Native {
    constructor(address) {
      super(address);
      this.addEventListener("message", (event) => {
        window.heard.push([Number(event.lastEventId), JSON.parse(event.data).text]);
      });
      this.addEventListener("reset", () => window.heard.push([0, "reset"]));
    }
  };`;

describeWith("chromium", "a stream of events in a browser", (chromium) => {
  let browser: Awaited<ReturnType<typeof launch>> | undefined;

  beforeAll(async () => {
    browser = await launch(chromium);
  });

  afterAll(async () => {
    await browser?.close();
  });

  it(`loses and repeats nothing over ${CUTS} connections that break in the middle of it`, async () => {
    const bench = await openBench(browser ?? assert.fail("no browser"));
    const proxy = await openCuttingProxy(Number(new URL(bench.url).port), "/emulator/events");
    try {
      const { page, name, texts } = await bench.tab({ origin: proxy.origin, script: WIRETAP });
      const recipient = await name();
      const said: string[] = [];
      let seed = 4_711;
      for (let cut = 0; cut < CUTS; cut++) {
        const before = proxy.streams;
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
        proxy.cutAfter(1 + seed % 900); // an event has some 250 bytes
        for (let index = 0; index < MESSAGES_A_CUT; index++) {
          const text = `message ${cut}.${index}`;
          said.push(text);
          await bench.application.messenger.sendMsg(text, `emulator:${recipient}`);
        }
        proxy.cutAfter(seed % 2 === 0 ? 0 : 300);
        await isBack(proxy, before, bench.application, recipient, said);
      }
      await page.getByText(said.at(-1) ?? "", { exact: true }).waitFor({ timeout: 20_000 });
      const heard: readonly (readonly [seq: number, text: string])[] = await page.evaluate("window.heard");
      assert.deepEqual(heard.map(([, text]) => text), said, "each once, in order, by the browser's own stream");
      const places = heard.map(([seq]) => seq);
      assert.deepEqual(places, places.toSorted((left, right) => left - right));
      const shown = await texts(); // of a long conversation, the latest
      assert.ok(shown.length >= Math.min(said.length, 200), `${shown.length} are shown`);
      assert.deepEqual(shown, said.slice(-shown.length).map((text) => `it: ${text}`), "and on the page");
      assert.ok(proxy.streams > CUTS, `${proxy.streams} connections`);
      // A cut within the headers is a type the browser does not know: it says so, and the page asks again.
      assert.deepEqual(bench.faults.filter((fault) => !fault.includes("MIME type")), []);
    } finally {
      await proxy.close();
      await bench.close();
    }
  }, 600_000);
});

/** Waits until the browser has come back; more is said meanwhile, as a cut needs bytes to happen. */
async function isBack(
  proxy: CuttingProxy,
  before: number,
  application: { readonly messenger: { sendMsg(text: string, to: string): Promise<string> } },
  recipient: string,
  said: string[],
): Promise<void> {
  const end = Date.now() + 20_000;
  for (let waited = 0; proxy.streams === before; waited++) {
    if (Date.now() > end) throw new Error(`Cannot go on: the browser did not come back after ${before} connections`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (waited % 10 !== 9) continue;
    const text = `message ${said.length} meanwhile`;
    said.push(text);
    await application.messenger.sendMsg(text, `emulator:${recipient}`);
  }
}
