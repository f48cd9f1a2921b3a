import { afterAll, afterEach, beforeAll, it } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { describeWith } from "../support/require.ts";
import { HOSTILE_TEXTS } from "./hostile-texts.ts";
import { launch, openBench, type PageBench, type PageBenchOptions } from "./page-driver.ts";

describeWith("chromium", "the emulator's page", (chromium) => {
  let browser: Awaited<ReturnType<typeof launch>> | undefined;
  let bench: PageBench | undefined;

  beforeAll(async () => {
    browser = await launch(chromium);
  });

  afterAll(async () => {
    await browser?.close();
  });

  async function open(options: PageBenchOptions = {}): Promise<PageBench> {
    bench = await openBench(browser ?? assert.fail("no browser"), options);
    return bench;
  }

  afterEach(async () => {
    await bench?.close();
    const faults = bench?.faults ?? [];
    bench = undefined;
    assert.deepEqual(faults, []);
  });

  it("shows what is typed and what is answered, each with its state", async () => {
    const { tab } = await open();
    const { page, say, count, texts, settled } = await tab();
    await say("Hello");
    await count(2);
    await settled();
    assert.deepEqual(await texts(), ["me: Hello", "it: You said: Hello"]);
    assert.deepEqual(await page.locator("#messages .state").allTextContents(), [
      "✓ handled",
      "✓ sent",
    ]);
    assert.equal(await page.inputValue("#text"), "");
  });

  it("sends with Enter, breaks lines with Shift+Enter, and keeps both keyboards and screen readers in mind", async () => {
    const { tab } = await open();
    const { page, count, texts } = await tab();
    await page.keyboard.type("first");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("second");
    await page.keyboard.press("Enter");
    await count(2);
    assert.equal((await texts())[0], "me: first\nsecond");
    assert.equal(await page.getByRole("log").count(), 1);
    assert.equal(
      await page.getByRole("textbox", { name: "Message" }).count(),
      1,
    );
    assert.equal(await page.getByRole("button", { name: "Send" }).count(), 1);
    assert.equal(await page.getByRole("status").textContent(), "Connected");
    assert.equal(
      await page.getByRole("navigation", { name: "Conversations" }).count(),
      1,
    );
  });

  it("changes what the program changes, marks it once, and still does after a reload", async () => {
    const { tab, application, emulator } = await open();
    const { page, name, count, texts, settled } = await tab();
    const recipient = await name();
    const report = await application.emit({ message: "Deploy?", html: "<p>Deploy?</p>", recipients: [recipient] });
    await count(1);
    await settled();
    const messageId = report.deliveries[0]?.deliveryId ?? "";
    for (const message of ["Deploy? Answered", "Deploy? Answered on <mail>"]) {
      await emulator.editMessage({ messageId, recipient, message });
    }
    const changed = ["it: Deploy? Answered on <mail>"];
    await page.getByText("Answered on <mail>").waitFor();
    assert.deepEqual(await texts(), changed);
    assert.equal(await page.getByText("changed", { exact: true }).count(), 1);
    assert.equal(await page.locator("#messages details").count(), 0);
    await page.reload();
    await page.getByText("Answered on <mail>").waitFor();
    assert.deepEqual(await texts(), changed);
  });

  it("keeps two tabs apart, each with a conversation of its own", async () => {
    const { tab } = await open();
    const [left, right] = [await tab(), await tab()];
    assert.notEqual(await left.name(), await right.name());
    await Promise.all([left.say("from the left"), right.say("from the right")]);
    await Promise.all([left.count(2), right.count(2)]);
    assert.deepEqual(await left.texts(), [
      "me: from the left",
      "it: You said: from the left",
    ]);
    assert.deepEqual(await right.texts(), [
      "me: from the right",
      "it: You said: from the right",
    ]);
  });

  it("opens conversations by name, shows their history and counts what is new in the others", async () => {
    const { tab } = await open();
    const [left, right] = [
      await tab({ query: "&conversation=anna" }),
      await tab({ query: "&conversation=bob" }),
    ];
    await left.say("for bob to read later");
    await left.count(2);
    await right.page.fill("#name", "anna");
    await right.page.press("#name", "Enter");
    await right.count(2);
    assert.equal(await right.name(), "anna");
    assert.equal((await right.texts())[0], "me: for bob to read later");
    await right.page.getByRole("button", { name: "bob" }).click();
    await right.count(0);
    await left.say("again");
    await right.page.waitForSelector(".unread:not([hidden])");
    assert.equal(
      await right.page.locator(".unread:not([hidden])").textContent(),
      "1",
    );
    await right.page.fill("#name", "no name");
    await right.page.press("#name", "Enter");
    await right.page.waitForSelector("#open-fault:not(:empty)");
  });

  it("loses and repeats nothing when the connection is lost, whoever speaks meanwhile", async () => {
    const { tab, disconnect, reconnect, application } = await open();
    const { page, say, count, texts, settled } = await tab({
      query: "&conversation=anna",
    });
    await say("before");
    await count(2);
    for (let round = 1; round <= 3; round++) {
      const before = (await texts()).length;
      await disconnect();
      await page.waitForSelector('#link[data-state="busy"]');
      assert.match(
        await page.locator("#link").textContent() ?? "",
        /Reconnecting/,
      );
      await application.messenger.sendMsg(
        `said while away ${round}`,
        "emulator:anna",
      );
      await say(`typed while away ${round}`);
      await page.waitForSelector('.state[data-state="waiting"]');
      await reconnect();
      await page.waitForSelector('#link[data-state="open"]', {
        timeout: 20_000,
      });
      await count(before + 3);
      await settled();
    }
    const seen = await texts();
    assert.equal(new Set(seen).size, seen.length, "nothing twice");
    for (let round = 1; round <= 3; round++) {
      assert.ok(seen.includes(`it: said while away ${round}`));
      assert.ok(seen.includes(`it: You said: typed while away ${round}`));
    }
  });

  it("shows the same again after a reload", async () => {
    const { tab } = await open();
    const { page, say, count, texts, name } = await tab();
    await say("one");
    await count(2);
    const before = { name: await name(), texts: await texts() };
    await page.reload();
    await count(2);
    assert.deepEqual({ name: await name(), texts: await texts() }, before);
  });

  it("says so when its place was evicted, and shows what is left", async () => {
    const { tab, disconnect, reconnect, application, emulator } = await open();
    const { page, say, count, texts } = await tab({
      query: "&conversation=anna",
    });
    await say("old");
    await count(2);
    await disconnect();
    for (let index = 0; index < 5; index++) {
      await application.messenger.sendMsg(`new ${index}`, "emulator:anna");
    }
    await page.waitForTimeout(200);
    await emulator.transcript.evict({ maxCount: 2 });
    await application.messenger.sendMsg("the last", "emulator:anna");
    await reconnect();
    await page.waitForSelector(".notice");
    await page.getByText("the last").waitFor();
    assert.ok(!(await texts()).includes("me: old"));
  });

  it("shows the end of a history of thousands of messages, in order, answers meanwhile, and calls none of it new", async () => {
    const { tab, emulator, application } = await open({ keepEntries: 100_000 });
    await emulator.openConversation("anna");
    for (let number = 0; number < 3_000; number++) {
      await application.messenger.sendMsg(`message ${number}`, "emulator:anna");
    }
    const { page, count, say, texts } = await tab({ query: "&conversation=anna" });
    await count(500);
    await page.getByText("message 2999", { exact: true }).waitFor();
    assert.deepEqual(await texts(), Array.from({ length: 500 }, (_, index) => `it: message ${2_500 + index}`));
    await say("Hello");
    await page.getByText("You said: Hello", { exact: true }).waitFor();
    // Opening another conversation reads the log from the beginning again.
    await page.fill("#name", "bob");
    await page.press("#name", "Enter");
    await say("Hello, bob");
    await page.getByText("You said: Hello, bob", { exact: true }).waitFor();
    assert.equal(await page.locator(".unread:not([hidden])").count(), 0);
    await page.getByRole("button", { name: "anna" }).click();
    await page.getByText("You said: Hello", { exact: true }).waitFor();
    assert.deepEqual((await texts()).slice(-3), ["it: message 2999", "me: Hello", "it: You said: Hello"]);
    assert.equal((await texts()).length, 500);
  });

  it("says that the program is stopping, and sends what was typed when it runs again", async () => {
    const { tab, application } = await open({ closeStore: false });
    const { page, say, count, texts } = await tab();
    await say("before");
    await count(2);
    await application.stop();
    await say("meanwhile");
    await page.getByText("The program is stopping").waitFor();
    await page.getByText("waiting for the program").waitFor();
    await application.start();
    await count(4);
    assert.deepEqual((await texts()).slice(2), ["me: meanwhile", "it: You said: meanwhile"]);
  });

  it("shows failures, retries and reasons", async () => {
    const { tab, emulator } = await open();
    const { page, say } = await tab();
    emulator.failNextSends(1, {
      outcome: "rejected",
      retryable: false,
      reason: "policy",
      detail: "the network refused <b>this</b>",
    });
    await say("will not arrive");
    await page.waitForSelector('.state[data-state="failed"]');
    await page.getByText("the network refused <b>this</b>").waitFor();
  });

  it("shows the program's HTML as its source, and never as markup", async () => {
    const { tab } = await open({
      handler: (context) => {
        context.reply({
          message: "plain",
          html: "<b>bold</b><script>window.__pwned=1</script>",
          subject: "<i>s</i>",
        });
      },
    });
    const { page, say, count } = await tab();
    await say("x");
    await count(2);
    assert.equal(
      await page.locator("#messages b, #messages i, #messages script").count(),
      0,
    );
    assert.equal(
      await page.locator("details pre").textContent(),
      "<b>bold</b><script>window.__pwned=1</script>",
    );
    assert.equal(await page.evaluate("window.__pwned"), undefined);
  });

  it("leaves hostile texts inert, typed or answered, in messages and names", async () => {
    const { tab, application } = await open();
    const { page, count, texts } = await tab({ query: "&conversation=anna" });
    assert.ok(HOSTILE_TEXTS.length >= 300, `${HOSTILE_TEXTS.length} texts`);
    for (const text of HOSTILE_TEXTS) {
      await application.messenger.sendMsg(
        {
          message: text,
          html: text,
          subject: "<img src=x onerror=window.__pwned=1>",
        },
        "emulator:anna",
      );
    }
    await count(HOSTILE_TEXTS.length);
    // What is typed comes back from the program.
    for (const text of HOSTILE_TEXTS.slice(0, 25)) {
      await page.fill("#text", text);
      await page.click("#form button");
    }
    await count(HOSTILE_TEXTS.length + 50);
    const seen = await texts();
    assert.deepEqual(
      seen.slice(0, HOSTILE_TEXTS.length),
      HOSTILE_TEXTS.map((text) => `it: ${text}`),
    );
    for (const text of HOSTILE_TEXTS.slice(0, 25)) {
      // A text field has line feeds for all line breaks.
      const typed = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
      assert.ok(seen.includes(`me: ${typed}`), text);
      assert.ok(seen.includes(`it: You said: ${typed}`), text);
    }
    assert.equal(await page.evaluate("window.__pwned"), undefined);
    const tags = await page.locator("#messages *").evaluateAll((items) => items.map((item) => item.tagName));
    const own = [
      "BUTTON",
      "DETAILS",
      "DIV",
      "LI",
      "PRE",
      "SPAN",
      "SUMMARY",
      "TIME",
    ];
    assert.deepEqual(
      [...new Set(tags)].filter((tag) => !own.includes(tag)),
      [],
    );
    const attributes = await page.locator("#messages *").evaluateAll((items) =>
      items.flatMap((item) => item.getAttributeNames())
    );
    const known = [
      "aria-expanded",
      "class",
      "data-state",
      "datetime",
      "dir",
      "type",
    ];
    assert.deepEqual(
      [...new Set(attributes)].filter((name) => !known.includes(name)),
      [],
    );
  });

  it("refuses a text that is too long before it is sent, and tells why one was not taken", async () => {
    const { tab } = await open();
    const { page, say, count } = await tab();
    await say("x".repeat(10_001));
    await page.waitForSelector("#fault:not(:empty)");
    assert.equal(
      (await page.inputValue("#text")).length,
      10_001,
      "what was written is not lost",
    );
    await say("x".repeat(9_000));
    await count(2);
    await page.getByRole("button", { name: "Show all" }).first().click();
    assert.equal(await page.locator(".text.folded").count(), 1);
  });

  it("says that the run has ended when its token is no longer good", async () => {
    const { url, tab } = await open();
    const { page } = await tab();
    const answer = await page.goto(`${url}/emulator?token=of-an-earlier-run`);
    assert.equal(answer?.status(), 401);
  });

  const picture = process.env["POSTHORN_SCREENSHOT"];
  if (picture !== undefined) {
    it("is as the README shows it", async () => {
      const { tab, application } = await open();
      const { page, say, count, settled } = await tab({
        query: "&conversation=anna",
        width: 1_100,
        height: 720,
      });
      await page.fill("#name", "support-42");
      await page.press("#name", "Enter");
      await say("Is anybody there?");
      await count(2);
      await page.getByRole("button", { name: "anna" }).click();
      await say("Hello!");
      await count(2);
      await say("Two lines,\none message.");
      await count(4);
      await application.messenger.sendMsg(
        "Disk usage at 95 % on db-2",
        "emulator:support-42",
      );
      await page.waitForSelector(".unread:not([hidden])");
      await say("مرحبا، كيف حالك؟");
      await count(6);
      await settled();
      await page.screenshot({ path: picture });
    });
  }
});
